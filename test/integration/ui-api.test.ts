import type { ListedService, NodeWithContent, ServiceTopology } from '../../api/shapes/ui.ts';
import { ServedServer } from '../support/served-server.ts';

let served: ServedServer;
beforeAll(async () => {
  served = await ServedServer.start();
});
afterAll(() => served.stop());

const register = (id: string, more: object = {}) =>
  served.put('/v1/catalog/register', { Node: 'n1', Address: '10.0.0.1', Service: { ID: id, Service: id, ...more } });

describe("what Consul's user interface asks", () => {
  it('is served with indexes, pretty, and blocks', async () => {
    await register('web');
    const listed = await served.call('GET /v1/internal/ui/services?pretty');
    expect(listed).toMatchObject({ status: 200 });
    expect(listed.text).toContain('\n    {');
    expect(listed.header('x-consul-knownleader')).toBe('true');
    const waiting = served.call(`GET /v1/internal/ui/services?index=${listed.index}&wait=30s`);
    await register('api');
    const woken = await waiting;
    expect(woken.index).toBeGreaterThan(listed.index);
    expect((JSON.parse(woken.text) as ListedService[]).map(({ Name }) => Name)).toContain('api');
    expect((await served.json<NodeWithContent>('/v1/internal/ui/node/n1')).Services).toHaveLength(2);
    expect(await served.call('GET /v1/internal/ui/node/none')).toMatchObject({ status: 404 });
    expect(await served.call('GET /v1/internal/ui/nodes?filter=Nope==1')).toMatchObject({ status: 500 });
    expect((await served.call('GET /v1/internal/ui/catalog-overview')).index).toBe(woken.index);
  });

  it('shows a topology, and says what is missing', async () => {
    await register('db');
    await register('proxy', {
      Kind: 'connect-proxy',
      Port: 1,
      Proxy: { DestinationServiceName: 'web', Upstreams: [{ DestinationName: 'db' }] },
    });
    const topology = await served.json<ServiceTopology>('/v1/internal/ui/service-topology/web?kind=');
    expect(topology.Upstreams).toMatchObject([{ Name: 'db', InstanceCount: 1, Source: 'proxy-registration' }]);
    const missing = 'GET /v1/internal/ui/service-topology/web';
    expect(await served.call(missing)).toMatchObject({ status: 400, text: 'Missing service kind' });
    expect(await served.json('/v1/internal/ui/gateway-intentions/none')).toEqual([]);
    expect(await served.json('/v1/internal/ui/gateway-services-nodes/none')).toEqual([]);
  });
});
