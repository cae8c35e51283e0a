import type { CatalogOverview, ListedService, NodeWithContent } from '../../api/shapes/ui.ts';
import { RunningServer } from '../../test/support/running-server.ts';

let server: RunningServer;
beforeEach(async () => {
  server = await RunningServer.start();
});
afterEach(() => server.stop());

const at = (Node: string) => ({ Node, Address: '10.0.0.1' });
const check = (CheckID: string, Status: 'passing' | 'warning' | 'critical', ServiceID = '') => ({
  CheckID,
  Name: CheckID,
  Status,
  ServiceID,
});
const services = async (query = '') => (await server.get<ListedService[]>(`/v1/internal/ui/services${query}`)).json;
const service = async (name: string) => (await services()).find(({ Name }) => Name === name);

describe('the list of services', () => {
  it('shows what instances and their proxies have in common', async () => {
    await server.register({
      ...at('n1'),
      Service: { ID: 'a', Service: 'web', Tags: ['v2', 'v1'], Meta: { 'external-source': 'nomad' } },
      Checks: [check('node', 'passing'), check('a', 'warning', 'a')],
    });
    await server.register({ ...at('n1'), Service: { ID: 'b', Service: 'web', Connect: { Native: true } } });
    await server.register({
      ...at('n2'),
      Service: {
        ID: 'p',
        Service: 'web-proxy',
        Kind: 'connect-proxy',
        Port: 1,
        Proxy: { DestinationServiceName: 'web', Mode: 'transparent' },
      },
      Checks: [check('p', 'critical', 'p')],
    });
    expect(await service('web')).toEqual({
      Name: 'web',
      Datacenter: 'dc1',
      Tags: ['v2', 'v1'],
      Nodes: ['n1'],
      ExternalSources: ['nomad'],
      InstanceCount: 2,
      ChecksPassing: 1,
      ChecksWarning: 1,
      ChecksCritical: 1,
      GatewayConfig: {},
      TransparentProxy: true,
      ConnectNative: true,
      ConnectedWithProxy: true,
      ConnectedWithGateway: false,
    });
    expect(await service('web-proxy')).toMatchObject({ Kind: 'connect-proxy', Tags: null, ConnectedWithProxy: false });
  });

  it('follows changes of a service, of its proxies and of its nodes', async () => {
    await server.register({ ...at('n1'), Service: { ID: 'a', Service: 'web' } });
    const first = await server.get<ListedService[]>('/v1/internal/ui/services');
    const waiting = server.get<ListedService[]>(`/v1/internal/ui/services?index=${first.index}&wait=30s`);
    await server.register({ ...at('n1'), Checks: [check('node', 'critical')] });
    expect((await waiting).json.find(({ Name }) => Name === 'web')).toMatchObject({ ChecksCritical: 1 });
    const proxy = { ID: 'p', Service: 'p', Kind: 'connect-proxy', Port: 1, Proxy: { DestinationServiceName: 'WEB' } };
    await server.register({ ...at('n2'), Service: proxy });
    expect(await service('web')).toMatchObject({ ConnectedWithProxy: true, TransparentProxy: false });
    await server.call('PUT', '/v1/catalog/deregister', { body: { Node: 'n2' } });
    expect(await service('web')).toMatchObject({ ConnectedWithProxy: false });
    await server.call('PUT', '/v1/catalog/deregister', { body: { Node: 'n1' } });
    expect(await service('web')).toBeUndefined();
  });

  it('counts only the instances that pass a filter, and those of one namespace', async () => {
    await server.register({ ...at('n1'), Service: { ID: 'a', Service: 'web', Tags: ['v1'] } });
    await server.register({ ...at('n1'), Service: { ID: 'b', Service: 'web', Tags: ['v2'] } });
    await server.register({ ...at('n1'), Service: { ID: 'c', Service: 'api', Namespace: 'team' } });
    const filter = encodeURIComponent('"v2" in Service.Tags');
    expect(await services(`?filter=${filter}`)).toMatchObject([{ Name: 'web', InstanceCount: 1, Tags: ['v2'] }]);
    expect(await services('?ns=team')).toMatchObject([{ Name: 'api' }]);
    expect(await services('?peer=east')).toEqual([]);
    await expect(services('?filter=Nope==1')).rejects.toThrow('Nope');
  });
});

describe('nodes with their content', () => {
  it('are listed by name, and found one by one', async () => {
    await server.register({
      ...at('n2'),
      Service: { ID: 'b', Service: 'web' },
      Checks: [check('n', 'passing'), check('b', 'warning', 'b')],
    });
    await server.register(at('n1'));
    const { json } = await server.get<NodeWithContent[]>('/v1/internal/ui/nodes');
    expect(json.map(({ Node }) => Node)).toEqual(['n1', 'n2', 'server-1']);
    expect(json[0]).toMatchObject({ Services: [], Checks: [], Datacenter: 'dc1' });
    const { json: one } = await server.get<NodeWithContent>('/v1/internal/ui/node/N2');
    expect(one).toEqual(json[1]);
    expect(one).toMatchObject({
      Address: '10.0.0.1',
      Services: [{ ID: 'b', Service: 'web' }],
      Checks: [
        { CheckID: 'b', Status: 'warning' },
        { CheckID: 'n', Status: 'passing' },
      ],
    });
    const filter = encodeURIComponent('Node == n1');
    expect((await server.get<NodeWithContent[]>(`/v1/internal/ui/nodes?filter=${filter}`)).json).toHaveLength(1);
    expect(await server.call('GET', '/v1/internal/ui/node/none')).toMatchObject({ status: 404 });
    expect(await server.call('GET', '/v1/internal/ui/node/')).toMatchObject({ status: 400 });
  });

  it('wake for a check that comes to a node', async () => {
    await server.register(at('n1'));
    const { index } = await server.get('/v1/internal/ui/nodes');
    const waiting = server.get<NodeWithContent[]>(`/v1/internal/ui/nodes?index=${index}&wait=30s`);
    await server.register({ ...at('n1'), Checks: [check('n', 'passing')] });
    expect((await waiting).json[0]?.Checks).toHaveLength(1);
  });
});

describe('the catalog in numbers', () => {
  const overview = async () => (await server.get<CatalogOverview>('/v1/internal/ui/catalog-overview')).json;
  const of = (counts: CatalogOverview['Services'], name: string) => counts.find(({ Name }) => Name === name);

  it('is counted on with each change as it is counted anew', async () => {
    const before = await overview();
    expect(before).toMatchObject({ Nodes: [{ Total: 1 }], Services: [{ Name: 'consul', Total: 1 }] });
    await server.register({
      ...at('n1'),
      Service: { ID: 'a', Service: 'web' },
      Checks: [check('c', 'passing', 'a'), check('n', 'passing')],
    });
    await server.register({ ...at('n2'), Service: { ID: 'a', Service: 'web' }, Checks: [check('c', 'warning', 'a')] });
    await server.register({ ...at('n1'), Checks: [check('n', 'critical')] });
    const now = await overview();
    expect(now.Nodes).toEqual([{ Total: 3, Passing: 2, Warning: 0, Critical: 1 }]);
    expect(of(now.Services, 'web')).toEqual({ Name: 'web', Total: 2, Passing: 0, Warning: 1, Critical: 1 });
    expect(of(now.Checks, 'c')).toEqual({ Name: 'c', Total: 2, Passing: 1, Warning: 1, Critical: 0 });
    const other = await RunningServer.start({ store: server.store });
    expect((await other.get('/v1/internal/ui/catalog-overview')).json).toEqual(now);
    await other.stop();
    for (const Node of ['n1', 'n2']) await server.call('PUT', '/v1/catalog/deregister', { body: { Node } });
    expect(await overview()).toEqual(before);
  });
});
