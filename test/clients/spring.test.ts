import { describeClient } from '../support/clients/find-client.ts';
import { type SeenInstance, SpringProcess } from '../support/clients/spring.ts';
import { eventually } from '../support/eventually.ts';
import { type AgentProcess, startClientAgent, startServer } from '../support/processes/lictor.ts';

/** Spring Cloud Consul in two applications: one is checked over HTTP, the other sends heartbeats. */
const WITHIN = { withinMs: 60_000, everyMs: 100 };

interface Entry {
  readonly Node: { Node: string };
  readonly Service: {
    ID: string;
    Address: string;
    Port: number;
    Tags: string[];
    Meta: Record<string, string>;
    CreateIndex: number;
  };
  readonly Checks: { ServiceID: string; Status: string; Type: string }[];
}

async function put(agent: AgentProcess, path: string, body: string): Promise<void> {
  const response = await fetch(`${agent.url}${path}`, { method: 'PUT', body });
  if (!response.ok) throw new Error(`PUT ${path}: ${response.status} ${await response.text()}`);
}

const properties = (agent: AgentProcess, name: string) => ({
  'spring.application.name': name,
  'spring.config.import': 'consul:',
  'spring.cloud.consul.host': '127.0.0.1',
  'spring.cloud.consul.port': agent.httpPort,
  'spring.cloud.consul.config.watch.delay': 100,
  // It waits for one prefix after the other, in seconds.
  'spring.cloud.consul.config.watch.wait-time': 1,
  'spring.cloud.consul.discovery.hostname': '127.0.0.1',
  'spring.cloud.consul.discovery.query-passing': 'true',
  'spring.cloud.loadbalancer.cache.enabled': 'false',
  'management.endpoint.health.show-details': 'always',
});

describeClient('spring', 'Spring Cloud Consul', (jar) => {
  let server: AgentProcess;
  let client: AgentProcess;
  let orders: SpringProcess;
  let billing: SpringProcess;

  beforeAll(async () => {
    server = await startServer();
    client = await startClientAgent(server, { node: 'node-1' });
    await put(server, '/v1/kv/config/orders/greeting', 'hello');
    await put(server, '/v1/kv/config/application/shared', 'by all');
    orders = await SpringProcess.start(jar, {
      ...properties(server, 'orders'),
      'spring.cloud.consul.discovery.instance-id': 'orders-1',
      'spring.cloud.consul.discovery.health-check-interval': '1s',
      'spring.cloud.consul.discovery.tags': 'v1,edge',
      'spring.cloud.consul.discovery.metadata.team': 'a',
    });
    billing = await SpringProcess.start(jar, {
      ...properties(client, 'billing'),
      'spring.cloud.consul.discovery.instance-id': 'billing-1',
      'spring.cloud.consul.discovery.heartbeat.enabled': 'true',
      'spring.cloud.consul.discovery.heartbeat.ttl': '3s',
      'spring.cloud.consul.discovery.heartbeat.reregister-service-on-failure': 'true',
    });
  }, 300_000);
  afterAll(async () => {
    await orders?.stop();
    await billing?.stop();
    await client?.stop();
    await server?.stop();
  });

  const healthy = (name: string) => server.get<Entry[]>(`/v1/health/service/${name}?passing`);
  const idsSeen = async (app: SpringProcess, name: string) =>
    (await app.get<SeenInstance[]>(`/instances/${name}`)).map(({ id }) => id);

  it('registers itself, checked over HTTP or by heartbeats', async () => {
    await eventually(async () => (await healthy('orders')).length === 1, WITHIN);
    const [first] = await healthy('orders');
    expect(first).toMatchObject({
      Node: { Node: 'server-1' },
      Service: { ID: 'orders-1', Address: '127.0.0.1', Port: orders.port, Meta: { team: 'a' } },
    });
    expect(first!.Service.Tags).toEqual(expect.arrayContaining(['v1', 'edge']));
    await eventually(async () => (await healthy('billing')).length === 1, WITHIN);
    const [second] = await healthy('billing');
    expect(second).toMatchObject({ Node: { Node: 'node-1' }, Service: { ID: 'billing-1', Port: billing.port } });
    const kinds = [first!, second!].map((entry) => entry.Checks.find((check) => check.ServiceID !== '')?.Type);
    expect(kinds).toEqual(['http', 'ttl']);
  }, 90_000);

  it.each([
    ['through a server', () => orders],
    ['through a client agent', () => billing],
  ] as const)(
    'discovers the others %s',
    async (_how, app) => {
      await eventually(async () => expect(await idsSeen(app(), 'orders')).toEqual(['orders-1']), WITHIN);
      await eventually(async () => expect(await idsSeen(app(), 'billing')).toEqual(['billing-1']), WITHIN);
      expect((await app().get<string[]>('/services')).sort()).toEqual(['billing', 'consul', 'orders']);
      const [instance] = await app().get<SeenInstance[]>('/instances/orders');
      expect(instance).toMatchObject({ host: '127.0.0.1', port: orders.port, metadata: { team: 'a' } });
      expect(await app().get<SeenInstance>('/choose/orders')).toMatchObject({ id: 'orders-1', port: orders.port });
      expect(await idsSeen(app(), 'none')).toEqual([]);
      const health = await app().get<{ components: Record<string, { status: string }> }>('/actuator/health');
      expect(health.components.consul).toMatchObject({
        status: 'UP',
        details: { services: { orders: ['v1', 'edge'] } },
      });
    },
    120_000,
  );

  it('leaves out whoever is critical, and takes it back', async () => {
    await put(server, '/v1/agent/service/maintenance/orders-1?enable=true', '');
    await eventually(async () => expect(await idsSeen(billing, 'orders')).toEqual([]), WITHIN);
    await put(server, '/v1/agent/service/maintenance/orders-1?enable=false', '');
    await eventually(async () => expect(await idsSeen(billing, 'orders')).toEqual(['orders-1']), WITHIN);
  }, 120_000);

  it('has its configuration from keys, and follows them', async () => {
    expect(await orders.text('/property/greeting')).toBe('hello');
    expect(await orders.text('/property/shared')).toBe('by all');
    expect(await billing.text('/property/greeting')).toBe('');
    expect(await billing.text('/property/shared')).toBe('by all');
    await put(server, '/v1/kv/config/orders/greeting', 'good day');
    await put(server, '/v1/kv/config/application/shared', 'by each');
    await eventually(async () => expect(await orders.text('/property/greeting')).toBe('good day'), WITHIN);
    await eventually(async () => expect(await billing.text('/property/shared')).toBe('by each'), WITHIN);
  }, 120_000);

  it('registers again when a heartbeat is told that its agent does not know it', async () => {
    const createdAt = async () => (await healthy('billing')).map((entry) => entry.Service.CreateIndex);
    const [before] = (await createdAt()) as [number];
    await put(client, '/v1/agent/service/deregister/billing-1', '');
    await eventually(async () => ((await createdAt())[0] ?? 0) > before, WITHIN);
    expect(await createdAt()).toHaveLength(1);
  }, 90_000);

  it('lives through a restart of its agent', async () => {
    await server.restart();
    await put(server, '/v1/kv/config/orders/greeting', 'good night');
    await eventually(async () => expect(await orders.text('/property/greeting')).toBe('good night'), WITHIN);
    await eventually(async () => expect(await idsSeen(orders, 'billing')).toEqual(['billing-1']), WITHIN);
  }, 180_000);

  it('takes itself out when it is told to end', async () => {
    await orders.process.stop(30_000);
    await eventually(async () => expect(await idsSeen(billing, 'orders')).toEqual([]), WITHIN);
    expect(await server.get('/v1/catalog/service/orders')).toEqual([]);
  }, 90_000);
});
