import type { Intention } from '../../api/shapes/intention.ts';
import type { ListedService, ServiceSummary, ServiceTopology } from '../../api/shapes/ui.ts';
import { jsonOf, RunningServer } from '../../test/support/running-server.ts';

let server: RunningServer;
beforeEach(async () => {
  server = await RunningServer.start();
});
afterEach(() => server.stop());

const put = async (entry: object) => expect(jsonOf(await server.call('PUT', '/v1/config', { body: entry }))).toBe(true);
const register = (service: string, more: object = {}) =>
  server.register({ Node: 'n1', Address: '10.0.0.1', Service: { ID: service, Service: service, ...more } });
/** A service with a proxy. */
async function mesh(service: string, upstreams: string[] = [], Mode = ''): Promise<void> {
  await register(service);
  await register(`${service}-proxy`, {
    Kind: 'connect-proxy',
    Port: 1,
    Proxy: {
      DestinationServiceName: service,
      Upstreams: upstreams.map((DestinationName) => ({ DestinationName })),
      Mode,
    },
  });
}
const topology = async (service: string, kind = '') =>
  (await server.get<ServiceTopology>(`/v1/internal/ui/service-topology/${service}?kind=${kind}`)).json;
const neighbours = (summaries: ServiceTopology['Upstreams']) =>
  summaries.map(({ Name, Source, Intention: { Allowed } }) => `${Name} ${Source} ${Allowed}`);

describe('the topology of a service', () => {
  it('has those that proxies are told to connect to, both ways', async () => {
    await mesh('web', ['api', 'absent']);
    await mesh('api');
    await put({
      Kind: 'service-intentions',
      Name: 'api',
      Sources: [{ Name: 'web', Action: 'deny' }],
    });
    const web = await topology('WEB');
    expect(web).toMatchObject({ Protocol: 'tcp', TransparentProxy: false, FilteredByACLs: false, Downstreams: [] });
    expect(neighbours(web.Upstreams)).toEqual(['absent proxy-registration true', 'api proxy-registration false']);
    expect(web.Upstreams[1]).toEqual({
      Name: 'api',
      Datacenter: 'dc1',
      Tags: null,
      Nodes: ['n1'],
      ExternalSources: null,
      InstanceCount: 1,
      ChecksPassing: 0,
      ChecksWarning: 0,
      ChecksCritical: 0,
      GatewayConfig: {},
      TransparentProxy: false,
      ConnectNative: false,
      Source: 'proxy-registration',
      Intention: { DefaultAllow: true, Allowed: false, HasPermissions: false, ExternalSource: '', HasExact: true },
    });
    expect(neighbours((await topology('api')).Downstreams)).toEqual(['web proxy-registration false']);
  });

  it('has where routing leads, and the gateways in front', async () => {
    for (const name of ['shop', 'shop-v2']) await put({ Kind: 'service-defaults', Name: name, Protocol: 'http' });
    await mesh('web', ['shop']);
    await mesh('shop');
    await mesh('shop-v2');
    await put({ Kind: 'service-resolver', Name: 'shop', Redirect: { Service: 'shop-v2' } });
    await register('edge', { Kind: 'ingress-gateway', Port: 80 });
    await put({
      Kind: 'ingress-gateway',
      Name: 'edge',
      Listeners: [{ Port: 80, Protocol: 'http', Services: [{ Name: 'shop-v2' }] }],
    });
    expect(neighbours((await topology('web')).Upstreams)).toEqual([
      'shop proxy-registration true',
      'shop-v2 routing-config true',
    ]);
    expect(neighbours((await topology('shop-v2')).Downstreams)).toEqual([
      'edge routing-config true',
      'web routing-config true',
    ]);
    expect(neighbours((await topology('edge', 'ingress-gateway')).Upstreams)).toEqual(['shop-v2 routing-config true']);
  });

  it('has what intentions allow where proxies are transparent', async () => {
    await mesh('web', [], 'transparent');
    for (const name of ['api', 'db', 'cache']) await mesh(name);
    await put({ Kind: 'service-intentions', Name: '*', Sources: [{ Name: '*', Action: 'deny' }] });
    await put({ Kind: 'service-intentions', Name: 'api', Sources: [{ Name: 'web', Action: 'allow' }] });
    await put({ Kind: 'service-intentions', Name: 'db', Sources: [{ Name: '*', Action: 'allow' }] });
    const web = await topology('web');
    expect(web.TransparentProxy).toBe(true);
    expect(neighbours(web.Upstreams)).toEqual(['api specific-intention true', 'db wildcard-intention true']);
    expect(neighbours((await topology('api')).Downstreams)).toEqual(['web specific-intention true']);
    expect(neighbours((await topology('cache')).Downstreams)).toEqual([]);
    await server.call('DELETE', '/v1/config/service-intentions/*');
    expect(neighbours((await topology('cache')).Downstreams)).toEqual(['web default-allow true']);
  });

  it('wakes for an intention, and says which kinds there are', async () => {
    await mesh('web', ['api']);
    const path = '/v1/internal/ui/service-topology/web?kind=';
    const { index } = await server.get(path);
    const waiting = server.get<ServiceTopology>(`${path}&index=${index}&wait=30s`);
    await put({ Kind: 'service-intentions', Name: 'api', Sources: [{ Name: '*', Action: 'deny' }] });
    expect((await waiting).json.Upstreams[0]?.Intention).toMatchObject({ Allowed: false, HasExact: false });
    const refused = async (url: string) => (await server.call('GET', `/v1/internal/ui/service-topology/${url}`)).text;
    expect(await refused('web')).toBe('Missing service kind');
    expect(await refused('web?kind=x')).toMatch('Unsupported service kind "x"');
  });
});

describe('what is behind a gateway', () => {
  it('is shown with its addresses, its intentions, and in the list of services', async () => {
    for (const name of ['web', 'api']) await mesh(name);
    await register('edge', { Kind: 'ingress-gateway', Port: 80 });
    await register('out', { Kind: 'terminating-gateway', Port: 80 });
    await put({ Kind: 'service-defaults', Name: 'web', Protocol: 'http' });
    await put({
      Kind: 'ingress-gateway',
      Name: 'edge',
      Listeners: [
        { Port: 80, Protocol: 'http', Services: [{ Name: 'web', Hosts: ['web.test'] }] },
        { Port: 81, Services: [{ Name: 'api' }] },
      ],
    });
    await put({ Kind: 'terminating-gateway', Name: 'out', Services: [{ Name: '*' }] });
    await put({ Kind: 'service-intentions', Name: 'api', Sources: [{ Name: 'web', Action: 'allow' }] });
    await put({ Kind: 'service-intentions', Name: '*', Sources: [{ Name: '*', Action: 'deny' }] });
    const { json } = await server.get<ServiceSummary[]>('/v1/internal/ui/gateway-services-nodes/edge');
    expect(json.map(({ Name, GatewayConfig }) => [Name, GatewayConfig.Addresses])).toEqual([
      ['web', ['web.test:80']],
      ['api', ['api.ingress.dc1.consul:81']],
    ]);
    const { json: intentions } = await server.get<Intention[]>('/v1/internal/ui/gateway-intentions/edge');
    expect(intentions.map(({ SourceName, DestinationName }) => `${SourceName} ${DestinationName}`).sort()).toEqual([
      '* *',
      'web api',
    ]);
    const { json: listed } = await server.get<ListedService[]>('/v1/internal/ui/services');
    const row = (name: string) => listed.find(({ Name }) => Name === name);
    expect(row('edge')).toMatchObject({ Kind: 'ingress-gateway', GatewayConfig: { AssociatedServiceCount: 2 } });
    expect(row('out')).toMatchObject({ GatewayConfig: { AssociatedServiceCount: 2 } });
    expect(row('web')).toMatchObject({ ConnectedWithGateway: true, GatewayConfig: {} });
    expect(row('web-proxy')).toMatchObject({ ConnectedWithGateway: false });
  });

  it('wakes who waits for the list of services', async () => {
    await mesh('web');
    const { index } = await server.get('/v1/internal/ui/services');
    const waiting = server.get<ListedService[]>(`/v1/internal/ui/services?index=${index}&wait=30s`);
    await put({ Kind: 'terminating-gateway', Name: 'out', Services: [{ Name: 'web' }] });
    expect((await waiting).json.find(({ Name }) => Name === 'web')).toMatchObject({ ConnectedWithGateway: true });
  });
});

it('lists what a peer may use', async () => {
  for (const name of ['web', 'api']) await mesh(name);
  const names = async (peer: string) =>
    (await server.get<ListedService[]>(`/v1/internal/ui/exported-services?peer=${peer}`)).json.map(({ Name }) => Name);
  expect(await names('east')).toEqual([]);
  await put({
    Kind: 'exported-services',
    Name: 'default',
    Services: [
      { Name: 'web', Consumers: [{ Peer: 'east' }] },
      { Name: '*', Consumers: [{ Peer: 'west' }] },
    ],
  });
  expect(await names('east')).toEqual(['web']);
  expect(await names('west')).toEqual(['api', 'web']);
  expect((await server.call('GET', '/v1/internal/ui/exported-services')).text).toBe('Missing peer name');
});
