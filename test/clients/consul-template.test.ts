import { X509Certificate } from 'node:crypto';
import { ConsulTemplateProcess } from '../support/clients/consul-template.ts';
import { describeClient } from '../support/clients/find-client.ts';
import { eventually } from '../support/eventually.ts';
import { type AgentProcess, startClientAgent, startServer } from '../support/processes/lictor.ts';

/** A real consul-template renders files from an agent, and again upon every change. */
const WITHIN = { withinMs: 60_000 };

const SERVICES = `
names:{{range services}} {{.Name}}({{.Tags | join ","}}){{end}}
healthy:{{range service "web"}} {{.ID}}={{.Address}}:{{.Port}},{{.Status}},{{.Tags | join "+"}},{{.ServiceMeta.team}}{{end}}
any:{{range service "web|any"}} {{.ID}}={{.Status}}{{end}}
warning:{{range service "web|passing,warning"}} {{.ID}}{{end}}
tagged:{{range service "v1.web"}} {{.ID}}{{end}}
absent:{{range service "none"}} {{.ID}}{{end}}
`;

const KEYS = `
key: {{key "app/name"}}
default: {{keyOrDefault "app/port" "80"}}
exists: {{keyExists "app/port"}}
ls:{{range ls "app"}} {{.Key}}={{.Value}}{{end}}
tree:{{range tree "app"}} {{.Key}}={{.Value}}{{end}}
by:{{range $folder, $pairs := tree "app" | byKey}} {{$folder}}[{{range $key, $pair := $pairs}}{{$key}}={{$pair.Value}} {{end}}]{{end}}
`;

const NODES = `
datacenters:{{range datacenters}} {{.}}{{end}}
nodes:{{range nodes}} {{.Node}}@{{.Address}},{{.Meta.rack}}{{end}}
own:{{with node}} {{.Node.Node}}{{range .Services}} {{.Service}}:{{.Port}}{{end}}{{end}}
outside:{{with node "outside"}}{{with .Node}} {{.Address}}{{end}}{{range .Services}} {{.ID}}{{end}}{{end}}
`;

/** The value of a line of what was rendered. */
function line(text: string | undefined, name: string): string | undefined {
  const found = text?.split('\n').find((one) => one.startsWith(`${name}:`));
  return found?.slice(name.length + 1).trim();
}

const apiOf = (agent: AgentProcess) => ({
  async put(path: string, body?: unknown): Promise<void> {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    const response = await fetch(`${agent.url}${path}`, { method: 'PUT', body: text });
    if (!response.ok) throw new Error(`PUT ${path}: ${response.status} ${await response.text()}`);
  },
  async remove(path: string): Promise<void> {
    const response = await fetch(`${agent.url}${path}`, { method: 'DELETE' });
    if (!response.ok) throw new Error(`DELETE ${path}: ${response.status} ${await response.text()}`);
  },
});

const web = (id: string, port: number, tags: string[], team = 'a') => ({
  ID: id,
  Name: 'web',
  Address: '10.0.0.1',
  Port: port,
  Tags: tags,
  Meta: { team },
  Check: { CheckID: id, TTL: '300s', Status: 'passing' },
});

const addressOf = (agent: AgentProcess) => agent.url.slice('http://'.length);

describeClient('consul-template', 'consul-template', (program) => {
  let server: AgentProcess;
  let client: AgentProcess;
  const running: { stop(): Promise<void> }[] = [];

  beforeAll(async () => {
    server = await startServer({ args: ['-node-meta=rack:7'] });
    client = await startClientAgent(server, { node: 'node-1', args: ['-node-meta=rack:9'] });
  }, 90_000);
  afterEach(async () => {
    for (const one of running.splice(0)) await one.stop();
  });
  afterAll(async () => {
    await client?.stop();
    await server?.stop();
  });

  async function start(templates: Record<string, string>, agent: AgentProcess, config = '', args: string[] = []) {
    const process = await ConsulTemplateProcess.start(program, { server: addressOf(agent), templates, config, args });
    running.push(process);
    return {
      process,
      /** Waits until lines of a file are these. */
      shows: (file: string, lines: Record<string, string>) =>
        eventually(() => {
          const text = process.rendered(file);
          const seen = Object.fromEntries(Object.keys(lines).map((name) => [name, line(text, name)]));
          expect(seen).toEqual(lines);
        }, WITHIN),
    };
  }

  describe.each([
    ['a server', () => server],
    ['a client agent', () => client],
  ] as const)('through %s', (_name, agent) => {
    it('renders services, and again when they are added, change their health and go', async () => {
      const { put } = apiOf(agent());
      await put('/v1/agent/service/register', web('web-1', 81, ['v1', 'edge']));
      await put('/v1/agent/service/register', web('web-2', 82, ['v2']));
      const { shows } = await start({ services: SERVICES }, agent());
      await shows('services', {
        names: 'consul() web(edge,v1,v2)',
        healthy: 'web-1=10.0.0.1:81,passing,edge+v1,a web-2=10.0.0.1:82,passing,v2,a',
        any: 'web-1=passing web-2=passing',
        warning: 'web-1 web-2',
        tagged: 'web-1',
        absent: '',
      });
      await put('/v1/agent/check/fail/web-1');
      await put('/v1/agent/check/warn/web-2');
      await shows('services', { healthy: '', any: 'web-1=critical web-2=warning', warning: 'web-2', tagged: '' });
      await put('/v1/agent/check/pass/web-1');
      await put('/v1/agent/service/register', web('web-1', 91, ['v1'], 'b'));
      await put('/v1/agent/service/maintenance/web-2?enable=true');
      await shows('services', {
        names: 'consul() web(v1,v2)',
        healthy: 'web-1=10.0.0.1:91,passing,v1,b',
        any: 'web-1=passing web-2=maintenance',
      });
      await put('/v1/agent/service/deregister/web-1');
      await put('/v1/agent/service/deregister/web-2');
      await shows('services', { names: 'consul()', healthy: '', any: '' });
    }, 120_000);

    it('renders keys, and again when they are set and deleted', async () => {
      const { put, remove } = apiOf(agent());
      await put('/v1/kv/app/deep/er', 'x');
      await put('/v1/kv/app/folder/', '');
      const { shows, process } = await start({ keys: KEYS, other: 'port {{keyOrDefault "app/port" "80"}}\n' }, agent());
      // A key that must be there holds its template back, and no other.
      await eventually(() => process.rendered('other') === 'port 80\n', WITHIN);
      expect(process.rendered('keys')).toBeUndefined();
      await put('/v1/kv/app/name', 'lïctor');
      await shows('keys', {
        key: 'lïctor',
        default: '80',
        exists: 'false',
        ls: 'name=lïctor',
        tree: 'deep/er=x name=lïctor',
        by: 'deep[er=x ]',
      });
      await put('/v1/kv/app/port', '443');
      await put('/v1/kv/app/name', 'new');
      await shows('keys', { key: 'new', default: '443', exists: 'true', ls: 'name=new port=443' });
      await remove('/v1/kv/app/port');
      await remove('/v1/kv/app/deep?recurse');
      await shows('keys', { default: '80', exists: 'false', ls: 'name=new', tree: 'name=new' });
      await remove('/v1/kv/app?recurse');
    }, 120_000);

    it('renders nodes, and again when one comes and goes', async () => {
      const { put } = apiOf(agent());
      const { shows } = await start({ nodes: NODES }, agent());
      const own = agent().name === 'server-1' ? 'server-1 consul:8300' : 'node-1';
      const nodes = 'node-1@127.0.0.1,9 server-1@127.0.0.1,7';
      await shows('nodes', {
        datacenters: 'dc1',
        nodes,
        own: own.replace('8300', String(server.serverPort)),
        outside: '',
      });
      const outside = { Node: 'outside', Address: '10.9.9.9', NodeMeta: { rack: '1' } };
      await put('/v1/catalog/register', { ...outside, Service: { Service: 'db', ID: 'db-1', Port: 5432 } });
      await shows('nodes', {
        nodes: 'node-1@127.0.0.1,9 outside@10.9.9.9,1 server-1@127.0.0.1,7',
        outside: '10.9.9.9 db-1',
      });
      await put('/v1/agent/service/register', { Name: 'own', Port: 99 });
      await shows('nodes', { own: expect.stringContaining('own:99') as unknown as string });
      await put('/v1/agent/service/deregister/own');
      await put('/v1/catalog/deregister', { Node: 'outside' });
      await shows('nodes', { nodes, outside: '' });
    }, 120_000);

    it('renders the roots and a leaf certificate that chains to them', async () => {
      const { process } = await start(
        {
          roots: '{{range caRoots}}{{.RootCertPEM}}{{end}}',
          leaf: '{{with caLeaf "web"}}{{.CertPEM}}{{.PrivateKeyPEM}}{{end}}',
        },
        agent(),
      );
      await eventually(() => process.rendered('roots') !== undefined && process.rendered('leaf') !== undefined, WITHIN);
      const leaf = new X509Certificate(process.rendered('leaf')!);
      expect(leaf.subjectAltName).toMatch(/^URI:spiffe:\/\/[0-9a-f-]+\.consul\/ns\/default\/dc\/dc1\/svc\/web$/);
      expect(leaf.verify(new X509Certificate(process.rendered('roots')!).publicKey)).toBe(true);
      expect(process.rendered('leaf')).toMatch(/-----BEGIN EC PRIVATE KEY-----/);
    }, 120_000);
  });

  it('renders once and ends', async () => {
    const { process } = await start({ nodes: NODES }, server, '', ['-once']);
    expect(await process.process.exited).toEqual({ code: 0, signal: null });
    expect(line(process.rendered('nodes'), 'datacenters')).toBe('dc1');
  }, 60_000);

  it('shares the work of several: one asks, the others read what it keeps under a lock', async () => {
    const { put } = apiOf(server);
    const share = 'deduplicate {\n  enabled = true\n  prefix = "dedup/"\n}';
    const templates = { shared: 'shared: {{key "shared"}}\n' };
    await put('/v1/kv/shared', 'one');
    const several = [await start(templates, server, share), await start(templates, server, share)];
    for (const one of several) await one.shows('shared', { shared: 'one' });
    await put('/v1/kv/shared', 'two');
    for (const one of several) await one.shows('shared', { shared: 'two' });
    const entries = await server.get<{ Key: string; Session?: string }[]>('/v1/kv/dedup/?recurse');
    expect(entries.filter((entry) => entry.Session)).toHaveLength(1);
  }, 120_000);

  it('keeps its file while the server is away, and renders again when it is back', async () => {
    const durable = await startServer();
    running.push(durable);
    const { put } = apiOf(durable);
    await put('/v1/agent/service/register', web('web-1', 81, ['v1']));
    await put('/v1/kv/app/name', 'before');
    const { shows, process } = await start({ services: SERVICES, keys: KEYS }, durable);
    await shows('services', { any: 'web-1=passing' });
    await shows('keys', { key: 'before' });
    await durable.kill();
    await eventually(() => /\[WARN\].*retry attempt 3/.test(process.process.log()), WITHIN);
    expect(line(process.rendered('services'), 'any')).toBe('web-1=passing');
    await durable.restart();
    await put('/v1/kv/app/name', 'after');
    await put('/v1/agent/service/register', web('web-2', 82, ['v2']));
    await shows('keys', { key: 'after' });
    await shows('services', { any: 'web-1=passing web-2=passing', names: 'consul() web(v1,v2)' });
    expect(process.process.running).toBe(true);
  }, 180_000);
});
