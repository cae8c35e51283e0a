import { isIP } from 'node:net';
import { metadataCountProblem } from '../api/shapes/metadata.ts';
import { AppError, errorText } from '../core/errors.ts';
import { LOG_LEVELS, type LogLevel } from '../core/log.ts';
import { evaluateAddress } from './config/address-template.ts';
import { advertiseProblem } from './config/advertise-address.ts';
import type {
  Addresses,
  AgentConfig,
  AgentDnsConfig,
  AgentPorts,
  EtcdConfig,
  ParsedAgentConfig,
} from './config/agent-config.ts';
import { bootstrapProblem } from './config/bootstrap.ts';
import { bootstrapEntries } from './config/bootstrap-entries.ts';
import { type Declared, DeclaredReader } from './config/declared.ts';
import { declaredChecks, declaredServices } from './config/definitions.ts';
import { parseFlags } from './config/flags.ts';
import { httpConfig, maxHeaderBytes, unixSockets } from './config/http.ts';
import { metricsProxy } from './config/metrics-proxy.ts';
import { type RawConfig, readConfig, setRaw } from './config/raw-config.ts';
import { type ConfigFiles, readConfigFiles } from './config/read-files.ts';
import { rpcTlsSettings, tlsSettings, tlsWarnings, verifyRpcTls } from './config/tls.ts';
import { declaredWatches } from './config/watches.ts';

export type {
  AgentConfig,
  AgentDnsConfig,
  AgentHttpConfig,
  AgentPorts,
  ConfigReloads,
  ParsedAgentConfig,
  PrepareConfig,
  RpcTlsSettings,
  TlsSettings,
  WatchConfig,
  WatchHttp,
} from './config/agent-config.ts';
export type { ConfigFiles } from './config/read-files.ts';

/**
 * The configuration of an agent from its command line and the files that it names: files in order, names in a folder in
 * lexical order, later values over earlier ones, flags over files, -hcl over flags (Consul's rules).
 * @throws AppError `config`: one clear line naming the flag, or the file and key, and what would be right.
 */
export function parseAgentConfig(argv: readonly string[], world: ConfigFiles): ParsedAgentConfig {
  const flags = parseFlags(argv);
  const raw: RawConfig = new Map();
  const { files, fragments } = readConfigFiles(flags, world);
  const warnings = [...flags.warnings, ...files.flatMap((file) => readConfig(raw, file))];
  for (const [key, value] of flags.raw) setRaw(raw, key, value);
  warnings.push(...fragments.flatMap((fragment) => readConfig(raw, fragment)));
  const values = new Values(raw);
  const config = build(values, flags.dev, world);
  verify(config);
  verifyBootstrap(config, values.bool('bootstrap'));
  warnings.push(...tlsWarnings(values), ...httpsWarnings(config), ...clientWarnings(config));
  return { config, warnings };
}

/** Typed access to the raw values. */
class Values {
  readonly #raw: RawConfig;
  constructor(raw: RawConfig) {
    this.#raw = raw;
  }
  get<T>(key: string): T | undefined {
    return this.#raw.get(key) as T | undefined;
  }
  string(key: string, byDefault: string): string {
    return this.get<string>(key) || byDefault;
  }
  number(key: string, byDefault: number): number {
    return this.get<number>(key) ?? byDefault;
  }
  bool(key: string): boolean {
    return this.get<boolean>(key) ?? false;
  }
  list<T>(...keys: string[]): T[] {
    return keys.flatMap((key) => this.get<T[]>(key) ?? []);
  }
}

/** A transaction's body may be as large as a value unless it has its own limit, as in Consul. */
function kvLimits(values: Values): AgentConfig['kv'] {
  const kvMaxValueBytes = kvBytes(values, 'limits.kv_max_value_size', 512 * 1024);
  const txnMaxBytes = kvBytes(values, 'limits.txn_max_req_len', kvMaxValueBytes);
  return { kvMaxValueBytes, txnMaxBytes, sessionTtlMinMs: values.number('session_ttl_min', 10_000) };
}

/** What the store takes in one transaction, with room for keys, is the most. */
const MAX_KV_BYTES = 1024 * 1024;

function kvBytes(values: Values, key: string, byDefault: number): number {
  const bytes = values.number(key, byDefault);
  if (bytes >= 1 && bytes <= MAX_KV_BYTES) return bytes;
  throw new AppError('config', `${key}: must be from 1 to ${MAX_KV_BYTES} bytes, found ${bytes}`);
}

function build(values: Values, dev: boolean, world: ConfigFiles): AgentConfig {
  const mode = dev ? 'dev' : values.bool('server') ? 'server' : 'client';
  const clientAddresses = addressList(values.string('client_addr', '127.0.0.1'), 'client_addr', world);
  const served = (key: 'addresses.http' | 'addresses.https' | 'addresses.dns') =>
    addressList(values.string(key, clientAddresses.join(' ')), key, world, key !== 'addresses.dns');
  const datacenter = values.string('datacenter', 'dc1').toLowerCase();
  const enableScriptChecks = values.bool('enable_script_checks');
  const enableLocalScriptChecks = enableScriptChecks || values.bool('enable_local_script_checks');
  const reader = new DeclaredReader();
  const policy = { scripts: enableLocalScriptChecks, local: true };
  const config: AgentConfig = {
    mode,
    bootstrap: values.bool('bootstrap') || dev,
    bootstrapExpect: values.number('bootstrap_expect', 0),
    nodeName: values.string('node_name', world.hostname()),
    nodeId: values.string('node_id', '').toLowerCase(),
    nodeMeta: values.get('node_meta') ?? {},
    datacenter,
    primaryDatacenter: values.string('primary_datacenter', datacenter).toLowerCase(),
    dataDir: values.string('data_dir', ''),
    bindAddress: address(
      evaluated(values.string('bind_addr', dev ? '127.0.0.1' : '0.0.0.0'), 'bind_addr', world),
      'bind_addr',
    ),
    advertiseAddress: evaluated(values.string('advertise_addr', ''), 'advertise_addr', world),
    clientAddresses,
    addresses: { http: served('addresses.http'), https: served('addresses.https'), dns: served('addresses.dns') },
    ports: ports(values, mode),
    tls: { https: tlsSettings(values, 'https'), internalRpc: rpcTlsSettings(values) },
    httpsHandshakeTimeoutMs: values.number('limits.https_handshake_timeout', 5_000),
    rpcHandshakeTimeoutMs: values.number('limits.rpc_handshake_timeout', 5_000),
    http: httpConfig(values),
    maxHeaderBytes: maxHeaderBytes(values),
    unixSockets: unixSockets(values),
    dns: dns(values),
    connect: connect(values),
    defaultIntentionPolicy: intentionPolicy(values.string('default_intention_policy', 'allow')),
    disableCoordinates: values.bool('disable_coordinates'),
    logLevel: logLevel(values.string('log_level', dev ? 'debug' : 'info')),
    etcd: etcd(values),
    retryJoin: values.list('retry_join', 'start_join'),
    retryIntervalMs: values.get('retry_interval'),
    retryMax: values.number('retry_max', 0),
    autoReload: values.bool('auto_reload_config'),
    services: declaredServices(reader, values.list<Declared>('service', 'services'), policy),
    checks: declaredChecks(reader, values.list<Declared>('check', 'checks'), policy),
    enableScriptChecks,
    enableLocalScriptChecks,
    sidecarPorts: {
      min: values.number('ports.sidecar_min_port', 21_000),
      max: values.number('ports.sidecar_max_port', 21_255),
    },
    watches: declaredWatches(reader, values.list<Declared>('watches')),
    metricsProxy: metricsProxy({
      provider: values.string('ui_config.metrics_provider', ''),
      baseUrl: values.string('ui_config.metrics_proxy.base_url', ''),
      addHeaders: values.list<Declared>('ui_config.metrics_proxy.add_headers'),
      pathAllowlist: values.list('ui_config.metrics_proxy.path_allowlist'),
    }),
    bootstrapEntries: bootstrapEntries(reader, values.list<Declared>('config_entries.bootstrap')),
    checkUpdateIntervalMs: values.number('check_update_interval', 300_000),
    checkOutputMaxBytes: values.number('check_output_max_size', 4096),
    discardCheckOutput: values.bool('discard_check_output'),
    pidFile: values.string('pid_file', ''),
    metricsHost: values.bool('telemetry.disable_hostname') ? '' : world.hostname(),
    maxConnectionsPerClient: values.number('limits.http_max_conns_per_client', 200),
    kv: kvLimits(values),
    leaveOnTerminate: values.get('leave_on_terminate'),
    skipLeaveOnInterrupt: values.get('skip_leave_on_interrupt'),
  };
  reader.assertAllRead();
  return config;
}

function verify(config: AgentConfig): void {
  if (!/^[!-.0-~]{1,253}$/.test(config.nodeName)) {
    throw wrong(
      'node_name',
      `${JSON.stringify(config.nodeName)} must be 1 to 253 printable ASCII characters without space or slash`,
    );
  }
  if (!/^[a-z0-9_-]{1,64}$/.test(config.datacenter)) {
    throw wrong('datacenter', `${JSON.stringify(config.datacenter)} must be letters, digits, hyphens or underscores`);
  }
  if (config.nodeId !== '' && !/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(config.nodeId)) {
    throw wrong('node_id', `${JSON.stringify(config.nodeId)} must be a UUID`);
  }
  if (config.dataDir === '' && config.mode !== 'dev') {
    throw wrong('data_dir', 'must be given (flag -data-dir), unless the agent runs with -dev');
  }
  const unreachable = advertiseProblem(config.advertiseAddress);
  if (unreachable) throw wrong('advertise_addr', unreachable);
  if (config.advertiseAddress !== '' && isIP(config.advertiseAddress) === 0) {
    throw wrong('advertise_addr', `${JSON.stringify(config.advertiseAddress)} must be an IP address`);
  }
  // What all files and flags give together.
  const tooMany = metadataCountProblem(config.nodeMeta);
  if (tooMany) throw wrong('node_meta', tooMany);
  if (config.retryMax < 0) throw wrong('retry_max', `${config.retryMax} must be a count; 0 tries for ever`);
  if ((config.retryIntervalMs ?? 1) <= 0) throw wrong('retry_interval', 'must be a time, e.g. 10s');
  for (const target of config.retryJoin) {
    if (/^provider=/.test(target))
      throw wrong('retry_join', `${JSON.stringify(target)}: providers are not supported yet; give host or host:port`);
  }
  verifyEtcd(config);
  verifyManagedEtcd(config);
  verifyRpcTls(config);
  const { min, max } = config.sidecarPorts;
  if (min < 1 || max > 65_535 || min > max) {
    throw wrong('ports.sidecar_min_port', `${min} to ${max} must be a range of ports between 1 and 65535`);
  }
  if (config.checkOutputMaxBytes < 1) throw wrong('check_output_max_size', 'must be positive');
}

/** `bootstrap`: as it was given; in dev mode it is so anyway. */
function verifyBootstrap(config: AgentConfig, bootstrap: boolean): void {
  const found = bootstrapProblem({ ...config, bootstrap });
  if (found) throw wrong(found.key, found.problem);
}

function etcd(values: Values): EtcdConfig {
  return {
    // One flag may name all of them, as etcdctl's does.
    endpoints: values.list<string>('etcd.endpoints').flatMap((text) => text.split(',').filter((part) => part !== '')),
    prefix: values.string('etcd.prefix', 'lictor/'),
    caFile: values.string('etcd.ca_file', ''),
    certFile: values.string('etcd.cert_file', ''),
    keyFile: values.string('etcd.key_file', ''),
    serverName: values.string('etcd.server_name', ''),
    bin: values.string('etcd.bin', 'etcd'),
    clientPort: etcdPort(values, 'client_port', 2379),
    peerPort: etcdPort(values, 'peer_port', 2380),
  };
}

function etcdPort(values: Values, name: string, byDefault: number): number {
  const port = values.number(`etcd.${name}`, byDefault);
  if (port >= 1 && port <= 65_535) return port;
  throw wrong(`etcd.${name}`, `${port} must be between 1 and 65535`);
}

/** Whether the server runs an etcd of its own: it forms a cluster with others, or joins one. */
export function managesEtcd(config: AgentConfig): boolean {
  const { mode, etcd: given, bootstrap, bootstrapExpect, retryJoin } = config;
  if (mode !== 'server' || given.endpoints.length > 0 || bootstrap) return false;
  return bootstrapExpect > 1 || (bootstrapExpect === 0 && retryJoin.length > 0);
}

function verifyManagedEtcd(config: AgentConfig): void {
  if (!managesEtcd(config)) return;
  if (config.ports.server <= 0) throw wrong('ports.server', 'must be a fixed port: the other servers call it');
}

function verifyEtcd({ etcd: { endpoints, certFile, keyFile }, mode, ports: { server } }: AgentConfig): void {
  if (endpoints.length === 0) return;
  if (mode !== 'server') throw wrong('etcd.endpoints', 'needs server mode (flag -server): agents ask the servers');
  if ((certFile === '') !== (keyFile === ''))
    throw wrong('etcd.cert_file', 'needs etcd.key_file, and the other way round');
  if (server <= 0) throw wrong('ports.server', 'must be a fixed port with etcd.endpoints: the other servers call it');
}

/** One configuration may be shared by servers and clients. */
function clientWarnings({ mode, bootstrapEntries: entries }: AgentConfig): string[] {
  if (mode !== 'client' || entries.length === 0) return [];
  return ['config_entries.bootstrap has no effect in client mode: servers write configuration entries'];
}

/** A configuration written for Consul may name a port for HTTPS that nothing can be served on. */
function httpsWarnings({ ports, tls }: AgentConfig): string[] {
  if (ports.https < 0 || tls.https.certFile !== '') return [];
  if (!tls.https.verifyIncoming) {
    return [`ports.https: HTTPS is not served without a certificate; give tls.https.cert_file and key_file`];
  }
  throw wrong('tls.https.verify_incoming', 'needs a certificate; give tls.https.cert_file and key_file');
}

function ports(values: Values, mode: AgentConfig['mode']): AgentPorts {
  const port = (name: string, byDefault: number): number => {
    const value = values.number(`ports.${name}`, byDefault);
    // 0 takes any free port.
    if (value < -1 || value > 65_535)
      throw wrong(`ports.${name}`, `${value} must be between 0 and 65535, or -1 for off`);
    return value;
  };
  return {
    http: port('http', 8500),
    https: port('https', -1),
    dns: port('dns', 8600),
    grpc: port('grpc', mode === 'dev' ? 8502 : -1),
    grpcTls: port('grpc_tls', mode === 'client' ? -1 : 8503),
    server: port('server', 8300),
    serfLan: port('serf_lan', 8301),
    serfWan: port('serf_wan', 8302),
  };
}

function dns(values: Values): AgentDnsConfig {
  const nodeMetaTxt = values.get<boolean>('dns_config.enable_additional_node_meta_txt') ?? true;
  return {
    domain: values.string('domain', 'consul').replace(/\.$/, '').toLowerCase(),
    altDomain: values.string('alt_domain', '').replace(/\.$/, '').toLowerCase(),
    recursors: values.list('recursors'),
    recursorStrategy: recursorStrategy(values.string('dns_config.recursor_strategy', 'sequential')),
    recursorTimeoutMs: values.number('dns_config.recursor_timeout', 2_000),
    nodeTtlMs: values.number('dns_config.node_ttl', 0),
    serviceTtlMs: values.get('dns_config.service_ttl') ?? {},
    onlyPassing: values.bool('dns_config.only_passing'),
    enableTruncate: values.bool('dns_config.enable_truncate'),
    udpAnswerLimit: values.number('dns_config.udp_answer_limit', 3),
    aRecordLimit: values.number('dns_config.a_record_limit', 0),
    nodeMetaTxt,
    disableCompression: values.bool('dns_config.disable_compression'),
    soa: {
      refresh: values.number('dns_config.soa.refresh', 3600),
      retry: values.number('dns_config.soa.retry', 600),
      expire: values.number('dns_config.soa.expire', 86_400),
      minTtl: values.number('dns_config.soa.min_ttl', 0),
    },
  };
}

function recursorStrategy(text: string): 'sequential' | 'random' {
  if (text === 'sequential' || text === 'random') return text;
  throw wrong('dns_config.recursor_strategy', `${JSON.stringify(text)} must be sequential or random`);
}

function connect(values: Values): AgentConfig['connect'] {
  const provider = values.string('connect.ca_provider', 'consul');
  if (provider !== 'consul') {
    throw wrong(
      'connect.ca_provider',
      `${JSON.stringify(provider)} is not supported; want "consul", the built-in authority`,
    );
  }
  return {
    enabled: values.get<boolean>('connect.enabled') ?? true,
    caConfig: values.get<Record<string, unknown>>('connect.ca_config') ?? {},
  };
}

function intentionPolicy(text: string): 'allow' | 'deny' {
  if (text === 'allow' || text === 'deny') return text;
  throw wrong('default_intention_policy', `${JSON.stringify(text)} must be "allow" or "deny"`);
}

function logLevel(text: string): LogLevel {
  const level = { err: 'error', warning: 'warn' }[text.toLowerCase()] ?? text.toLowerCase();
  if (!(LOG_LEVELS as readonly string[]).includes(level)) {
    throw wrong('log_level', `${JSON.stringify(text)} must be one of ${LOG_LEVELS.join(', ')}`);
  }
  return level as LogLevel;
}

/** One address, or several with spaces between them; at least one. Templates are evaluated. */
function addressList(given: string, key: string, world: ConfigFiles, unix = false): Addresses {
  const parts = evaluated(given, key, world).trim().split(/\s+/);
  // An empty text is one part, which is refused.
  const [first, ...others] = new Set(parts.map((part) => address(part, key, unix)));
  return [first!, ...others];
}

/** One IP address; `unix` allows the path of a socket. */
function address(text: string, key: string, unix = false): string {
  if (isIP(text) !== 0 || text === 'localhost') return text === 'localhost' ? '127.0.0.1' : text;
  if (text.startsWith('unix://')) {
    if (unix && text.length > 'unix://'.length) return text;
    throw wrong(key, 'a unix socket serves HTTP only; give unix:///path as addresses.http or addresses.https');
  }
  if (text.split(/\s+/).every((part) => isIP(part) !== 0)) {
    throw wrong(key, `${JSON.stringify(text)} must be one IP address; 0.0.0.0 or :: listens on all`);
  }
  throw wrong(key, `${JSON.stringify(text)} must be an IP address`);
}

function evaluated(text: string, key: string, world: ConfigFiles): string {
  try {
    return evaluateAddress(text, world.addresses?.() ?? []);
  } catch (error) {
    throw wrong(key, errorText(error));
  }
}

function wrong(key: string, text: string): AppError {
  return new AppError('config', `${key}: ${text}`, { facts: { field: key } });
}
