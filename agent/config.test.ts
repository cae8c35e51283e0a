import { type ConfigFiles, parseAgentConfig } from './config.ts';

const world = (files: Record<string, unknown> = {}): ConfigFiles => ({
  readFile(path) {
    if (!(path in files)) throw new Error(`ENOENT: no such file, open '${path}'`);
    const content = files[path];
    return typeof content === 'string' ? content : JSON.stringify(content);
  },
  readFolder(path) {
    const names = Object.keys(files).filter((name) => name.startsWith(`${path}/`));
    if (names.length === 0) throw new Error('ENOENT');
    return names.map((name) => name.slice(path.length + 1));
  },
  hostname: () => 'machine',
});
const parse = (argv: string, files?: Record<string, unknown>) => parseAgentConfig(argv.split(' '), world(files));
const fromFile = (content: unknown) => parse('-config-file a.json', { 'a.json': content });

const ADVERTISE = /^advertise_addr: Advertise address cannot be 0\.0\.0\.0, :: or \[::\]$/;

describe('parseAgentConfig', () => {
  it("has Consul's defaults", () => {
    const { config, warnings } = parse('-server -data-dir /d');
    expect(warnings).toEqual([]);
    expect(config).toMatchObject({
      mode: 'server',
      nodeName: 'machine',
      datacenter: 'dc1',
      clientAddresses: ['127.0.0.1'],
      bindAddress: '0.0.0.0',
      ports: { http: 8500, dns: 8600, server: 8300, https: -1, grpc: -1 },
      checkUpdateIntervalMs: 300_000,
      discardCheckOutput: false,
      dns: { domain: 'consul', udpAnswerLimit: 3, nodeMetaTxt: true },
    });
  });

  it('keeps everything in memory and on loopback in dev mode', () => {
    expect(parse('-dev').config).toMatchObject({ mode: 'dev', dataDir: '', bindAddress: '127.0.0.1' });
  });

  it('listens on several addresses where several are given', () => {
    const client = 'client_addr = "127.0.0.1 10.0.0.1 127.0.0.1"';
    const { config } = parse('-dev -config-file a.hcl', {
      'a.hcl': `${client} addresses { http = "unix:///run/l.sock 10.0.0.2" }`,
    });
    expect(config).toMatchObject({
      clientAddresses: ['127.0.0.1', '10.0.0.1'],
      addresses: {
        http: ['unix:///run/l.sock', '10.0.0.2'],
        https: ['127.0.0.1', '10.0.0.1'],
        dns: ['127.0.0.1', '10.0.0.1'],
      },
    });
  });

  it('knows where the id of the process is to be kept', () => {
    expect(parse('-dev').config.pidFile).toBe('');
    expect(parse('-dev -pid-file /run/a.pid')).toMatchObject({ config: { pidFile: '/run/a.pid' }, warnings: [] });
    expect(fromFile({ server: true, data_dir: '/d', pid_file: '/run/b.pid' }).config.pidFile).toBe('/run/b.pid');
  });

  it('takes an empty file for one without keys', () => {
    const { config, warnings } = parse('-dev -config-file a.json -config-file b.hcl', { 'a.json': ' \n', 'b.hcl': '' });
    expect([config.mode, warnings]).toEqual(['dev', []]);
  });

  it('names the host in metrics unless telemetry says otherwise, whose other keys have no effect', () => {
    expect(parse('-dev').config.metricsHost).toBe('machine');
    const telemetry = { disable_hostname: true, prometheus_retention_time: '60s', circonus_check_id: 'x' };
    const { config, warnings } = parse('-dev -config-file a.json', { 'a.json': { telemetry } });
    expect(config.metricsHost).toBe('');
    expect(warnings).toEqual([
      'a.json: telemetry.prometheus_retention_time has no effect here',
      'a.json: telemetry.circonus_check_id has no effect here',
    ]);
  });

  it('reads flags in all forms', () => {
    const { config } = parse(
      '-server=false -node=n1 --http-port 1 --dns-port=2 -retry-join a -retry-join=b:9 -data-dir /d',
    );
    expect(config).toMatchObject({
      mode: 'client',
      nodeName: 'n1',
      ports: { http: 1, dns: 2 },
      retryJoin: ['a', 'b:9'],
    });
  });

  it('lets flags win over files and later files over earlier ones, and adds up lists', () => {
    const { config } = parse('-config-file a.json -config-dir d -node flag -retry-join c', {
      'a.json': { node_name: 'a', datacenter: 'one', data_dir: '/d', retry_join: ['a'], ports: { http: 1, dns: 2 } },
      'd/2.json': { datacenter: 'three' },
      'd/1.json': { datacenter: 'two', retry_join: ['b'], ports: { http: 9 } },
      'd/readme.txt': 'not read',
    });
    expect(config).toMatchObject({
      nodeName: 'flag',
      datacenter: 'three',
      retryJoin: ['a', 'b', 'c'],
      ports: { http: 9, dns: 2 },
    });
  });

  it('takes what the conformance runner writes', () => {
    const { config } = fromFile({
      node_name: 'conformance-node',
      datacenter: 'dc1',
      data_dir: '/d',
      server: true,
      bootstrap_expect: 1,
      bind_addr: '127.0.0.1',
      client_addr: '127.0.0.1',
      disable_update_check: true,
      log_level: 'warn',
      performance: { raft_multiplier: 1 },
      connect: { enabled: true },
      ports: { http: 1, dns: 2, grpc: 3, serf_lan: 4, serf_wan: 5, server: 6, grpc_tls: -1 },
      dns_config: { node_ttl: '11s', service_ttl: { '*': '5s' }, only_passing: true, soa: { refresh: 60, min_ttl: 7 } },
    });
    expect(config).toMatchObject({
      mode: 'server',
      ports: { http: 1, dns: 2, server: 6 },
      dns: {
        nodeTtlMs: 11_000,
        serviceTtlMs: { '*': 5000 },
        onlyPassing: true,
        soa: { refresh: 60, retry: 600, minTtl: 7 },
      },
    });
  });

  it("takes what the sdk's test server writes", () => {
    const { config } = fromFile({
      node_name: 'node-1',
      node_id: 'C0FFEE00-0000-4000-8000-000000000001',
      disable_update_check: true,
      performance: { raft_multiplier: 1 },
      bootstrap: true,
      server: true,
      data_dir: '/d',
      segments: null,
      log_level: 'debug',
      bind_addr: '127.0.0.1',
      addresses: {},
      ports: { dns: 1, http: 2, https: 3, serf_lan: 4, serf_wan: 5, server: 6, grpc: 7, grpc_tls: 8 },
      skip_leave_on_interrupt: true,
      connect: { enabled: true, ca_config: { cluster_id: 'x' } },
      peering: { enabled: true },
      acl: { tokens: {} },
      version: '1.21.4',
      node_meta: { a: 'b' },
      enable_debug: true,
      autopilot: { server_stabilization_time: '10s' },
    });
    expect(config).toMatchObject({
      nodeId: 'c0ffee00-0000-4000-8000-000000000001',
      bootstrap: true,
      nodeMeta: { a: 'b' },
    });
  });

  it('warns of what it accepts without effect, most of all of protection', () => {
    const { warnings } = parse('-dev -ui -config-file a.json', {
      'a.json': { raft_protocol: 3, acl: { enabled: true }, ports: { expose_min_port: 1 } },
    });
    expect(warnings).toEqual([
      '-ui has no effect here',
      'a.json: raft_protocol has no effect here',
      'a.json: acl has no effect here: access control lists are not supported yet: every request is allowed',
      'a.json: ports.expose_min_port has no effect here',
    ]);
  });

  it('takes a server of its own however it is said', () => {
    for (const flags of ['-bootstrap', '-bootstrap-expect=1', '-bootstrap -bootstrap-expect=1']) {
      expect(() => parse(`-server -data-dir /d ${flags}`)).not.toThrow();
      expect(() => parse(`-dev ${flags}`)).not.toThrow();
    }
  });

  it('reads services and checks with the rules of the API', () => {
    const { config } = parse('-dev -config-file a.json', {
      'a.json': {
        service: { name: 'web', port: 80, check: { http: 'http://a/', interval: '10s' } },
        services: [{ name: 'db', id: 'db-1' }],
        checks: [{ name: 'mem', ttl: '30s' }],
      },
    });
    expect(config.services.map(({ instance }) => instance.ID)).toEqual(['web', 'db-1']);
    expect(config.services[0]!.checks[0]).toMatchObject({ checkId: 'service:web', type: 'http', interval: '10s' });
    expect(config.checks[0]!.check).toMatchObject({ checkId: 'mem', type: 'ttl' });
  });

  it('reads HCL: blocks, repeated blocks, several checks, fragments over flags', () => {
    const { config, warnings } = parse('-config-file a.hcl -node flag -hcl node_name="hcl"', {
      'a.hcl': `
        data_dir = "/d"
        server = true
        node_name = "file"
        ports { http = 1 }
        node_meta { rack = "r1" }
        service {
          name = "web"
          port = 80
          check { http = "http://a/" interval = "10s" }
          check { name = "second" ttl = "30s" }
        }
        service { name = "db" }
        dns_config { service_ttl { "*" = "5s" } node_ttl = "1m" }
        log_level = "warn"
        log_level = "error"
      `,
    });
    expect(config).toMatchObject({ nodeName: 'hcl', ports: { http: 1 }, nodeMeta: { rack: 'r1' }, logLevel: 'error' });
    expect(config.dns).toMatchObject({ serviceTtlMs: { '*': 5000 }, nodeTtlMs: 60_000 });
    expect(config.services.map(({ instance, checks }) => [instance.ID, checks.map(({ checkId }) => checkId)])).toEqual([
      ['web', ['service:web:1', 'service:web:2']],
      ['db', []],
    ]);
    expect(warnings).toEqual(['a.hcl: line 16: log_level is given again; this one counts']);
  });

  it('reads all files of a folder in order when their format is given, and folders given as files', () => {
    const files = { 'd/b.conf': 'node_name = "b"', 'd/a.conf': 'node_name = "a"\ndata_dir = "/d"\nserver = true' };
    expect(parse('-config-format hcl -config-dir d', files).config.nodeName).toBe('b');
    expect(parse('-dev -config-dir d', files).config.nodeName).toBe('machine');
  });

  it('warns of a key given twice in JSON', () => {
    expect(parse('-dev -config-file a.json', { 'a.json': '{"domain": "a",\n"domain": "b"}' }).warnings).toEqual([
      'a.json: line 2: domain is given again; this one counts',
    ]);
  });

  it('knows every key of the inventory of Consul', () => {
    const keys =
      `datacenter node_name node_id node_meta data_dir server bootstrap bootstrap_expect bind_addr client_addr
      advertise_addr advertise_addr_wan addresses ports retry_join retry_join_wan retry_interval retry_max
      rejoin_after_leave leave_on_terminate skip_leave_on_interrupt encrypt encrypt_verify_incoming
      encrypt_verify_outgoing disable_keyring_file acl tls connect auto_encrypt auto_config dns_config domain alt_domain
      recursors limits performance raft_snapshot_threshold raft_snapshot_interval raft_trailing_logs raft_logstore
      autopilot gossip_lan reconnect_timeout advertise_reconnect_timeout check_update_interval check_output_max_size
      discard_check_output enable_script_checks enable_local_script_checks session_ttl_min default_query_time
      max_query_time discovery_max_stale http_config translate_wan_addrs service services check checks watches
      config_entries ui_config telemetry peering log_level log_file log_json log_rotate_bytes auto_reload_config
      server_rejoin_age_max primary_datacenter default_intention_policy use_streaming_backend locality read_replica
      segment partition disable_update_check disable_coordinates enable_debug version segments audit`.split(/\s+/);
    for (const key of keys) {
      expect(() => parse('-dev -config-file a.json', { 'a.json': { [key]: null } })).not.toThrow();
    }
  });

  it('evaluates address templates, and takes a unix socket for HTTP', () => {
    const { config } = parseAgentConfig(
      [
        '-server',
        '-data-dir=/d',
        '-bind={{ GetInterfaceIP "eth0" }}',
        '-advertise={{ GetPrivateIP }}',
        '-config-file=a.hcl',
      ],
      {
        ...world({ 'a.hcl': 'addresses { http = "unix:///run/lictor.sock" }' }),
        addresses: () => [{ name: 'eth0', address: '10.0.0.7', internal: false }],
      },
    );
    expect(config).toMatchObject({
      bindAddress: '10.0.0.7',
      advertiseAddress: '10.0.0.7',
      addresses: { http: ['unix:///run/lictor.sock'], dns: ['127.0.0.1'] },
    });
  });

  it('reads watches', () => {
    const { config } = parse('-dev -config-file a.hcl', {
      'a.hcl': `
        watches { type = "key" key = "a/b" handler_type = "http"
          http_handler_config { path = "http://x/" method = "PUT" timeout = "3s" header { X = ["1"] } } }
        watches { type = "service" service = "web" args = ["/bin/true"] passingonly = true }`,
    });
    expect(config.watches).toEqual([
      {
        type: 'key',
        params: { key: 'a/b' },
        handler: { kind: 'http', http: { path: 'http://x/', method: 'PUT', timeoutMs: 3000, header: { X: ['1'] } } },
      },
      {
        type: 'service',
        params: { service: 'web', passingonly: true },
        handler: { kind: 'script', args: ['/bin/true'] },
      },
    ]);
  });

  it.each<[string, RegExp]>([
    ['watches { type = "kye" }', /a.hcl: watches.type must be one of key, keyprefix/],
    ['watches { type = "key" args = ["x"] }', /a.hcl: watches.key must be given/],
    ['watches { type = "key" key = "a/../b" args = ["x"] }', /a.hcl: watches.key "a\/..\/b" has a part ".."/],
    ['watches { type = "keyprefix" prefix = "a//" args = ["x"] }', /a.hcl: watches.prefix "a\/\/" has two slashes/],
    ['watches { type = "nodes" }', /give either args or handler/],
    ['watches { type = "nodes" args = ["x"] tagg = "y" }', /tagg is not a key of a nodes watch/],
    ['watches { type = "nodes" handler_type = "http" http_handler_config { path = "x" } }', /path must be an http/],
    ['ports { dns = 1 }\nports { http = 2 }', /ports is given 2 times; write one block/],
    [
      'bind_addr = "{{ GetPrivteIP }}"',
      /bind_addr: "GetPrivteIP" is not a known function here; did you mean GetPrivateIP/,
    ],
    ['bind_addr = "{{ GetPrivateIP }}"', /finds no address on this machine/],
    ['bind_addr = "10.0.0.1 127.0.0.1"', /bind_addr: .* must be one IP address/],
    ['client_addr = "10.0.0.1 web"', /client_addr: "web" must be an IP address/],
    ['addresses { dns = "127.0.0.1 unix:///x" }', /addresses.dns: a unix socket serves HTTP only/],
    ['services = [1]', /services must be an object or a list of objects/],
  ])('refuses %s', (text, message) => {
    expect(() => parse('-dev -config-file a.hcl', { 'a.hcl': text })).toThrow(message);
  });

  it.each<[string, string, Record<string, unknown>, RegExp]>([
    [
      'flag like no other',
      '-bogus-bogus 1',
      {},
      /^-bogus-bogus is not a flag of the agent; 'lictor agent --help' lists them$/,
    ],
    [
      'unknown flag',
      '-http-prot 1',
      {},
      /^-http-prot is not a flag of the agent; did you mean -http-port( or -[a-z-]+)*\? 'lictor agent --help' lists them$/,
    ],
    ['word that is no flag', 'server', {}, /^server is not a flag/],
    ['missing value', '-dev -node', {}, /^-node needs a value/],
    ['bad number', '-dev -http-port many', {}, /^-http-port must be a whole number, found "many"/],
    ['bad bool', '-dev -server=maybe', {}, /^-server must be true or false/],
    ['bad node meta', '-dev -node-meta x', {}, /^-node-meta must be key:value/],
    ['port out of range', '-dev -dns-port 70000', {}, /^ports.dns: 70000 must be between 0 and 65535/],
    ['inline HCL', '-dev -hcl a=1', {}, /^-hcl\[0\]: a is not a configuration key/],
    [
      'file of no known format',
      '-config-file a.conf',
      { 'a.conf': '' },
      /a.conf must end in .hcl or .json, or give -config-format/,
    ],
    ['missing file', '-config-file no.json', {}, /^configuration file no.json cannot be read: ENOENT/],
    ['missing folder', '-config-dir no', {}, /^configuration folder no cannot be read/],
    ['HCL file', '-config-file a.hcl', { 'a.hcl': 'x = ' }, /^a.hcl: line 1, column 5: expected a value/],
    [
      'unknown key of telemetry',
      '-config-file a.json',
      { 'a.json': { telemetry: { disable_hostnames: true } } },
      /telemetry.disable_hostnames is not a configuration key; did you mean "telemetry.disable_hostname"\?/,
    ],
    ['not JSON', '-config-file a.json', { 'a.json': '{"a":' }, /^a.json: is not valid JSON/],
    ['not an object', '-config-file a.json', { 'a.json': [] }, /^a.json: must hold a JSON object/],
    [
      'unknown key',
      '-config-file a.json',
      { 'a.json': { datacentre: 'x' } },
      /datacentre is not a configuration key; did you mean "datacenter"\?/,
    ],
    [
      'unknown key in a section',
      '-config-file a.json',
      { 'a.json': { ports: { htttp: 1 } } },
      /ports.htttp is not a configuration key; did you mean "ports.http"\?/,
    ],
    [
      'unknown key far from any',
      '-config-file a.json',
      { 'a.json': { zzzzzzzzzzzz: 1 } },
      /zzzzzzzzzzzz is not a configuration key$/,
    ],
    [
      'wrong kind: string',
      '-config-file a.json',
      { 'a.json': { node_name: 1 } },
      /node_name must be a string, found 1/,
    ],
    [
      'wrong kind: int',
      '-config-file a.json',
      { 'a.json': { ports: { http: '80' } } },
      /ports.http must be a whole number, found "80"/,
    ],
    ['wrong kind: section', '-config-file a.json', { 'a.json': { ports: 80 } }, /ports must be an object/],
    [
      'wrong kind: list',
      '-config-file a.json',
      { 'a.json': { retry_join: [1] } },
      /retry_join must be a list of strings/,
    ],
    [
      'wrong duration',
      '-config-file a.json',
      { 'a.json': { check_update_interval: '5' } },
      /check_update_interval must be a duration/,
    ],
    ['no data folder', '-server', {}, /^data_dir: must be given \(flag -data-dir\)/],
    ['client that bootstraps', '-data-dir /d -retry-join a -bootstrap', {}, /^bootstrap: needs server mode/],
    ['etcd port', '-server -data-dir /d -etcd-peer-port 0', {}, /^etcd.peer_port: 0 must be between 1 and 65535/],
    [
      'own etcd without a port',
      '-server -data-dir /d -retry-join a -server-port -1',
      {},
      /^ports.server: must be a fixed/,
    ],
    ['provider', '-data-dir /d -retry-join provider=aws', {}, /providers are not supported yet/],
    ['bad address', '-dev -client web', {}, /^client_addr: "web" must be an IP address/],
    ['unix socket', '-dev -client unix:///x', {}, /client_addr: a unix socket serves HTTP only/],
    ['bad advertise address', '-dev -advertise me', {}, /^advertise_addr: "me" must be an IP address/],
    ['any IPv4 address to others', '-dev -advertise 0.0.0.0', {}, ADVERTISE],
    ['any IPv6 address to others', '-dev -advertise ::', {}, ADVERTISE],
    ['it in brackets', '-config-file a.json', { 'a.json': { data_dir: '/d', advertise_addr: '[::]' } }, ADVERTISE],
    ['it in full', '-dev -advertise 0:0:0:0:0:0:0:0', {}, ADVERTISE],
    [
      'it to other datacenters',
      '-dev -advertise-wan 0.0.0.0',
      {},
      /^-advertise-wan: Advertise WAN address cannot be 0\.0\.0\.0, :: or \[::\]$/,
    ],
    [
      'it to other datacenters in a file',
      '-dev -config-file a.json',
      { 'a.json': { advertise_addr_wan: '::' } },
      /^a\.json: advertise_addr_wan: Advertise WAN address cannot be/,
    ],
    [
      'reserved node meta',
      '-dev -config-file a.hcl',
      { 'a.hcl': 'node_meta { rack = "1" consul-version = "9" }' },
      /^a\.hcl: node_meta\.consul-version: Key prefix 'consul-' is reserved for internal use$/,
    ],
    [
      'reserved node meta in a flag',
      '-dev -node-meta consul-x:1',
      {},
      /^-node-meta consul-x: Key prefix 'consul-' is reserved for internal use$/,
    ],
    [
      'node meta with a long value',
      '-dev -config-file a.json',
      { 'a.json': { node_meta: { rack: 'x'.repeat(513) } } },
      /^a\.json: node_meta\.rack: Value is too long \(limit: 512 characters\)$/,
    ],
    [
      'node meta with a long key',
      `-dev -node-meta ${'k'.repeat(129)}:1`,
      {},
      /^-node-meta k+: Key is too long \(limit: 128 characters\)$/,
    ],
    ['node meta that is no name', '-dev -node-meta a.b:1', {}, /^-node-meta a\.b: Key contains invalid characters$/],
    [
      'too much node meta in all',
      '-dev -config-file a.json -node-meta one:more',
      { 'a.json': { node_meta: Object.fromEntries(Array.from({ length: 64 }, (_, at) => [`k${at}`, ''])) } },
      /^node_meta: Node metadata cannot contain more than 64 key\/value pairs$/,
    ],
    [
      'one server that waits for others',
      '-server -data-dir /d -bootstrap -bootstrap-expect 3',
      {},
      /^bootstrap_expect: 'bootstrap_expect > 0' and 'bootstrap = true' are mutually exclusive$/,
    ],
    ['dev mode with others', '-dev -bootstrap-expect 3', {}, /^bootstrap_expect: .* not allowed in dev mode$/],
    ['fewer than no servers', '-server -data-dir /d -bootstrap-expect -1', {}, /^bootstrap_expect: -1 must be greater/],
    ['client that waits for servers', '-data-dir /d -bootstrap-expect 3', {}, /^bootstrap_expect: needs server mode/],
    ['bad node id', '-dev -node-id 7', {}, /^node_id: "7" must be a UUID/],
    ['bad node name', '-dev -node a/b', {}, /^node_name: "a\/b" must be/],
    ['bad datacenter', '-dev -datacenter a.b', {}, /^datacenter: "a.b" must be/],
    ['bad log level', '-dev -log-level loud', {}, /^log_level: "loud" must be one of/],
    [
      'bad service',
      '-dev -config-file a.json',
      { 'a.json': { services: [{ name: 'a', prot: 1 }] } },
      /^a.json: services\[0\] \("a"\): json: unknown field "prot"/,
    ],
    [
      'bad check',
      '-dev -config-file a.json',
      { 'a.json': { checks: [{ name: 'a', http: 'http://a/' }] } },
      /^a.json: checks\[0\] \("a"\): Invalid check: Interval must be > 0/,
    ],
    [
      'check without a name',
      '-dev -config-file a.json',
      { 'a.json': { checks: [{ ttl: '1s' }] } },
      /checks\[0\]: name must be given/,
    ],
    [
      'script without leave',
      '-dev -config-file a.json',
      { 'a.json': { check: { name: 'a', args: ['true'], interval: '9s' } } },
      /^a.json: check \("a"\): Scripts are disabled.*'enable_local_script_checks' to true$/,
    ],
    [
      'what is wrong in two files',
      '-dev -config-file a.json -config-file b.json',
      {
        'a.json': { services: [{ name: 'a' }, { name: 'b', port: 'x' }] },
        'b.json': {
          services: [{ port: 1 }, { name: 'd', check: { ttl: 'x' } }],
          check: { ttl: '1s' },
          watches: [{ type: 'kye' }],
          config_entries: { bootstrap: [{ kind: 'service-defaults', name: 'e', protocol: 'x' }] },
        },
      },
      new RegExp(
        [
          '^a.json: services\\[1\\] \\("b"\\): .*Port.*',
          'b.json: services\\[0\\]: Missing service name',
          'b.json: services\\[1\\] \\("d"\\): .*TTL.*',
          'b.json: check: name must be given',
          'b.json: watches\\[0\\].type must be one of .*',
          'b.json: config_entries.bootstrap\\[0\\] \\("e"\\): .*protocol.*$',
        ].join('\n'),
      ),
    ],
  ])('refuses: %s', (_, argv, files, text) => {
    expect(() => parse(argv, files)).toThrow(
      expect.objectContaining({ code: 'config', message: expect.stringMatching(text) }),
    );
  });
});
