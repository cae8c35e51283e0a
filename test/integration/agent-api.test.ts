import { FakeServerCatalog } from '../../agent/anti-entropy/fake-server-catalog.ts';
import { composeAgent } from '../../agent/composition.ts';
import { parseAgentConfig } from '../../agent/config.ts';
import { createHttpServer } from '../../api/http/server.ts';
import { SystemClock } from '../../core/clock.ts';
import { RunGroup } from '../../core/lifecycle.ts';
import { silentLogger } from '../../core/log.ts';
import { Metrics } from '../../core/metrics.ts';
import { SystemRandom } from '../../core/random.ts';

const deps = { clock: new SystemClock(), log: silentLogger, random: new SystemRandom() };
const catalog = new FakeServerCatalog();
const stop = new AbortController();
let origin = '';
let done: Promise<void>;

beforeAll(async () => {
  const world = { readFile: () => '', readFolder: () => [], hostname: () => 'n1' };
  const { config } = parseAgentConfig(['-dev'], world);
  const metrics = new Metrics();
  const identity = { nodeId: 'an-id', address: '127.0.0.1', version: '1', consulVersion: '1.21.4' };
  const agent = composeAgent(config, { ...deps, metrics, servers: catalog, identity });
  const http = createHttpServer(
    { ...deps, metrics },
    { routes: agent.routes, host: '127.0.0.1', port: 0, drainMs: 100 },
  );
  await new Promise<void>((ready, reject) => {
    const members = [agent.localState, http, agent.work];
    done = new RunGroup(deps, { name: 'test', members }).run({ signal: stop.signal, ready });
    done.catch(reject);
  });
  origin = `http://127.0.0.1:${http.address().port}`;
});
afterAll(async () => {
  stop.abort();
  catalog.wake();
  await done;
});

const call = async (line: string, body?: unknown) => {
  const [method, path] = line.split(' ') as [string, string];
  const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
  const response = await fetch(origin + path, { method, body: text });
  return { status: response.status, type: response.headers.get('content-type'), text: await response.text() };
};
const json = async (line: string) => JSON.parse((await call(line)).text);

describe('services of an agent', () => {
  it("are registered, listed and removed in Consul's form", async () => {
    const done = await call('PUT /v1/agent/service/register', {
      id: 'web-1',
      name: 'web',
      tags: ['v1'],
      address: '10.1.0.7',
      port: 8080,
      enable_tag_override: true,
    });
    expect(done).toEqual({ status: 200, type: 'application/json', text: '' });
    const tagged = { Address: '10.1.0.7', Port: 8080 };
    expect(await json('GET /v1/agent/services')).toEqual({
      'web-1': {
        ID: 'web-1',
        Service: 'web',
        Tags: ['v1'],
        Meta: {},
        Port: 8080,
        Address: '10.1.0.7',
        TaggedAddresses: { lan_ipv4: tagged, wan_ipv4: tagged },
        Weights: { Passing: 1, Warning: 1 },
        EnableTagOverride: true,
        Datacenter: 'dc1',
      },
    });
    expect(catalog.services.has('web-1')).toBe(true);
    expect((await call('PUT /v1/agent/service/deregister/web-1')).status).toBe(200);
    expect(catalog.services.has('web-1')).toBe(false);
    expect((await call('PUT /v1/agent/service/deregister/web-1')).status).toBe(404);
  });

  it('may have an empty check, which is none, and weights of which one is left out', async () => {
    // The zero values of clients in Go and Java.
    const none = { HTTP: '', TTL: '', Interval: '0s', TLSSkipVerify: false, Header: {}, Args: [] };
    for (const Check of [{}, none]) {
      const done = await call('PUT /v1/agent/service/register', { Name: 'plain', Check, Weights: { Passing: 5 } });
      expect(done).toMatchObject({ status: 200 });
    }
    expect(await json('GET /v1/agent/service/plain')).toMatchObject({ Weights: { Passing: 5, Warning: 0 } });
    expect(Object.values(await json('GET /v1/agent/checks?filter=ServiceID==plain'))).toEqual([]);
    await call('PUT /v1/agent/service/deregister/plain');
  });

  it('can be waited for by hash', async () => {
    await call('PUT /v1/agent/service/register', { Name: 'hashed', Port: 1 });
    const first = await fetch(`${origin}/v1/agent/service/hashed`);
    const hash = first.headers.get('x-consul-contenthash');
    expect(hash).toMatch(/^[0-9a-f]{16}$/);
    const unchanged = await fetch(`${origin}/v1/agent/service/hashed?hash=${hash}&wait=50ms`);
    expect(unchanged.headers.get('x-consul-contenthash')).toBe(hash);
    const blocked = fetch(`${origin}/v1/agent/service/hashed?hash=${hash}&wait=60s`);
    await call('PUT /v1/agent/service/register', { Name: 'hashed', Port: 2 });
    expect(await (await blocked).json()).toMatchObject({ Port: 2 });
    const gone = fetch(`${origin}/v1/agent/service/hashed?hash=${(await blocked).headers.get('x-consul-contenthash')}`);
    await call('PUT /v1/agent/service/deregister/hashed');
    expect((await gone).status).toBe(404);
  });

  it.each<[object | string | undefined, number, string | RegExp]>([
    [{ ID: 'x' }, 400, 'Missing service name'],
    ['{not json', 400, /^Request decode failed: /],
    [undefined, 400, 'Request decode failed: EOF'],
    [{ Name: 'x', Address: '0.0.0.0' }, 400, 'Invalid service address'],
    [{ Name: 'x', Port: 'many' }, 400, /^Request decode failed: .*Port/],
    [{ Name: 'x', Port: 70000 }, 400, /Port.*65535/],
    [{ Name: 'x', Ports: [{ Name: 'A b', Port: 1 }] }, 400, /Ports\[0\].Name/],
    [{ Name: 'x', Weights: { Passing: -1, Warning: 1 } }, 400, 'Invalid Weights: Passing must be greater than 0'],
    [{ Name: 'x', Weights: { Warning: 1 } }, 400, 'Invalid Weights: Passing must be greater than 0'],
    [{ Name: 'x', Checks: [{}] }, 400, 'Invalid check: TTL must be > 0 for TTL checks'],
    [{ Name: 'x', Check: { Interval: '10s' } }, 400, 'Invalid check: TTL must be > 0 for TTL checks'],
    [
      { Name: 'x', Check: { TTL: '10s', Interval: '5s', HTTP: 'http://a/' } },
      400,
      'Invalid check: Interval and TTL cannot both be specified',
    ],
    [
      { Name: 'x', Check: { TTL: '10s', Status: 'sunny' } },
      400,
      "Status for checks must 'passing', 'warning', 'critical'",
    ],
    [{ Name: 'x', Check: { Args: ['/bin/true'], Interval: '10s' } }, 500, /^Scripts are disabled/],
    [{ Name: 'x', Check: { GRPC: 'a:1' } }, 400, /^Invalid check: Interval must be > 0/],
    [{ Name: 'x', Meta: { 'not valid': 'y' } }, 400, /Key contains invalid characters$/],
    [{ Name: 'x', Unknown: true }, 400, 'Request decode failed: json: unknown field "Unknown"'],
    [{ Name: 'x', Connect: { SidecarService: { ID: 'y' } } }, 400, /SidecarService: ID/],
  ])('refuse %j', async (body, status, text) => {
    const answer = await call('PUT /v1/agent/service/register', body);
    expect(answer.status).toBe(status);
    expect(answer.text).toEqual(typeof text === 'string' ? text : expect.stringMatching(text));
  });
});

describe('checks of an agent', () => {
  it('take updates of their applications', async () => {
    await call('PUT /v1/agent/check/register', { Name: 'mem', TTL: '10m', Notes: 'watch it' });
    await call('PUT /v1/agent/check/warn/mem?note=hmm');
    expect((await json('GET /v1/agent/checks')).mem).toEqual({
      Node: 'n1',
      CheckID: 'mem',
      Name: 'mem',
      Status: 'warning',
      Notes: 'watch it',
      Output: 'hmm',
      ServiceID: '',
      ServiceName: '',
      ServiceTags: [],
      Type: 'ttl',
      Interval: '0s',
      Timeout: '0s',
      ExposedPort: 0,
      Definition: {},
      CreateIndex: 0,
      ModifyIndex: 0,
    });
    await call('PUT /v1/agent/check/update/mem', { Status: 'passing', Output: 'good' });
    expect((await json('GET /v1/agent/checks')).mem).toMatchObject({ Status: 'passing', Output: 'good' });
    expect((await call('PUT /v1/agent/check/deregister/mem')).status).toBe(200);
  });

  it.each<[string, object | undefined, number, string]>([
    ['register', { TTL: '10s' }, 400, 'Missing check name'],
    ['register', { Name: 'a', TTL: 'ten' }, 400, 'Request decode failed: time: invalid duration "ten"'],
    ['register', { Name: 'a', TTL: '10s', Status: 'bad' }, 400, 'Bad check status'],
    ['register', { Name: 'a', TTL: '10s', ServiceID: 'missing' }, 404, 'ServiceID "missing" does not exist'],
    ['update/none', { Status: 'great' }, 400, "Invalid check status: 'great'"],
    ['pass/none', undefined, 404, 'Unknown check ID "none". Ensure that the check ID is passed, not the check name.'],
  ])('refuse %s %j', async (path, body, status, text) => {
    expect(await call(`PUT /v1/agent/check/${path}`, body)).toMatchObject({ status, text });
  });
});

describe('namespaces of what an agent is told', () => {
  it.each(['service', 'check'])(
    'are not chosen silently where the URL names one and the body of a %s another',
    async (kind) => {
      const body = { Name: `spaced-${kind}`, Namespace: 'other', ...(kind === 'check' ? { TTL: '1h' } : {}) };
      const path = `/v1/agent/${kind}`;
      expect(await call(`PUT ${path}/register?ns=team`, body)).toMatchObject({
        status: 400,
        text: 'Conflicting namespaces: "team" in the URL or a header, "other" in the body; give one',
      });
      expect(await call(`PUT ${path}/register?ns=Other`, body)).toMatchObject({ status: 200 });
      expect(await call(`PUT ${path}/deregister/${body.Name}?ns=other`)).toMatchObject({ status: 200 });
    },
  );
});

describe('health and maintenance of an agent', () => {
  it("take the worst of a service's checks, and maintenance above all", async () => {
    await call('PUT /v1/agent/service/register', {
      Name: 'pay',
      Checks: [{ CheckID: 'c1', TTL: '1h', Status: 'passing' }],
    });
    expect(await call('GET /v1/agent/health/service/id/pay?format=text')).toMatchObject({
      status: 200,
      text: 'passing',
    });
    await call('PUT /v1/agent/check/fail/c1');
    expect(await call('GET /v1/agent/health/service/name/pay?format=text')).toMatchObject({
      status: 503,
      text: 'critical',
    });
    await call('PUT /v1/agent/service/maintenance/pay?enable=true&reason=disk');
    expect((await call('GET /v1/agent/health/service/id/pay?format=text')).text).toBe('maintenance');
    expect(catalog.checks.get('_service_maintenance:pay')).toMatchObject({ status: 'critical', serviceId: 'pay' });
    await call('PUT /v1/agent/service/maintenance/pay?enable=false');
    expect(catalog.checks.has('_service_maintenance:pay')).toBe(false);
    expect(await call('PUT /v1/agent/maintenance')).toMatchObject({ status: 400, text: 'Missing value for enable' });
    expect(await call('GET /v1/agent/health/service/id/none')).toMatchObject({ status: 404 });
  });
});

describe('an agent about itself', () => {
  it("has the fields that Consul's clients read", async () => {
    const self = await json('GET /v1/agent/self');
    expect(Object.keys(self).sort()).toEqual(['Config', 'Coord', 'DebugConfig', 'Member', 'Meta', 'Stats', 'xDS']);
    expect(self).toMatchObject({
      Config: { Datacenter: 'dc1', NodeName: 'n1', NodeID: 'an-id', Server: true, Version: '1.21.4' },
      Member: { Name: 'n1', Addr: '127.0.0.1', Status: 1, Tags: { role: 'consul' } },
    });
    expect(await json('GET /v1/agent/members')).toMatchObject([{ Name: 'n1', Port: 8301 }]);
    expect(await json('GET /v1/agent/members?wan=1')).toMatchObject([{ Name: 'n1.dc1', Port: 8302 }]);
    const filter = (name: string) =>
      json(`GET /v1/agent/members?wan=1&filter=${encodeURIComponent(`Name == "${name}"`)}`);
    expect([await filter('n1.dc1'), await filter('n1')]).toMatchObject([[{ Name: 'n1.dc1' }], []]);
    expect(await json('GET /v1/agent/version')).toMatchObject({ HumanVersion: '1.21.4' });
  });

  it('gives its metrics in both forms', async () => {
    const shape = await json('GET /v1/agent/metrics');
    expect(Object.keys(shape)).toEqual(['Timestamp', 'Gauges', 'Points', 'Counters', 'Samples']);
    expect(shape.Gauges).toContainEqual({ Name: 'lictor_agent_checks_running', Labels: {}, Value: expect.any(Number) });
    expect((await call('GET /v1/agent/metrics?format=prometheus')).text).toContain(
      '# TYPE lictor_agent_checks_running gauge',
    );
  });
});

describe('the machine and the cluster', () => {
  it('tells of its host', async () => {
    const host = await json('GET /v1/agent/host');
    expect(Object.keys(host).sort()).toEqual(['CPU', 'CollectionTime', 'Disk', 'Errors', 'Host', 'Memory']);
    expect(host.Memory.total).toBeGreaterThan(host.Memory.available);
  });

  it.each([
    [
      'PUT /v1/agent/join/127.0.0.1:1',
      500,
      /^Failed to join 127.0.0.1:1: a server with a store of its own joins no other$/,
    ],
    ['PUT /v1/agent/force-leave/nobody', 500, /^agent: No node found with name 'nobody'$/],
    ['PUT /v1/agent/force-leave/n1', 200, /^$/],
    ['PUT /v1/agent/token/default', 401, /^ACL support disabled$/],
  ] as const)('answers %s with %d', async (line, status, text) => {
    expect(await call(line)).toMatchObject({ status, text: expect.stringMatching(text) });
  });

  it.each([
    ['p', (proxy: object) => ({ Name: 'p', Kind: 'connect-proxy', Port: 1, Proxy: proxy })],
    ['w-sidecar-proxy', (proxy: object) => ({ name: 'w', port: 1, connect: { sidecar_service: { proxy } } })],
  ])('shows the proxy %s in the spelling of its fields, however it was given', async (id, service) => {
    const body = service({
      destination_service_name: 'web',
      upstreams: [{ destination_name: 'db', local_bind_port: 9, mesh_gateway: { mode: 'local' } }],
      mesh_gateway: { mode: 'none' },
      config: { a_b: 1 },
    });
    expect(await call('PUT /v1/agent/service/register', body)).toMatchObject({ status: 200 });
    expect((await json('GET /v1/agent/services'))[id].Proxy).toMatchObject({
      DestinationServiceName: 'web',
      Upstreams: [{ DestinationName: 'db', LocalBindPort: 9, MeshGateway: { Mode: 'local' } }],
      MeshGateway: { Mode: 'none' },
      Config: { a_b: 1 },
    });
    await call(`PUT /v1/agent/service/deregister/${id.split('-')[0]}`);
  });

  it('registers a sidecar with its service and removes it again', async () => {
    await call('PUT /v1/agent/service/register', { Name: 'shop', Port: 8000, Connect: { SidecarService: {} } });
    expect((await json('GET /v1/agent/services'))['shop-sidecar-proxy']).toMatchObject({
      Kind: 'connect-proxy',
      Port: 21_000,
    });
    await call('PUT /v1/agent/service/deregister/shop');
    expect(Object.keys(await json('GET /v1/agent/services'))).not.toContain('shop-sidecar-proxy');
  });
});
