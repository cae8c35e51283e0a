import type { HealthEntry } from '../../api/shapes/catalog.ts';
import type { GatewayService } from '../../api/shapes/gateway.ts';
import { jsonOf, RunningServer } from '../../test/support/running-server.ts';

let server: RunningServer;
beforeEach(async () => {
  server = await RunningServer.start();
});
afterEach(() => server.stop());

const put = async (entry: object) => expect(jsonOf(await server.call('PUT', '/v1/config', { body: entry }))).toBe(true);
const remove = (kind: string, name: string) => server.call('DELETE', `/v1/config/${kind}/${name}`);
const register = (service: string, more: object = {}) =>
  server.register({ Node: 'n1', Address: '10.0.0.1', Service: { ID: service, Service: service, ...more } });
const rows = async (gateway: string) =>
  (await server.get<GatewayService[]>(`/v1/catalog/gateway-services/${gateway}`)).json;
const names = async (gateway: string) => (await rows(gateway)).map(({ Service }) => Service.Name);
const ingress = async (service: string) =>
  (await server.get<HealthEntry[]>(`/v1/health/ingress/${service}`)).json.map(({ Service }) => Service.ID);

describe('services of a terminating gateway', () => {
  it('are what its entry says, and all others from the wildcard', async () => {
    for (const name of ['web', 'api', 'db']) await register(name);
    await register('proxy', { Kind: 'connect-proxy', Port: 1, Proxy: { DestinationServiceName: 'web' } });
    await put({ Kind: 'service-defaults', Name: 'outside', Destination: { Addresses: ['x.test'], Port: 443 } });
    await put({
      Kind: 'terminating-gateway',
      Name: 'gw',
      Services: [
        {
          Name: 'api',
          CAFile: '/ca',
          CertFile: '/cert',
          KeyFile: '/key',
          SNI: 'api.test',
          DisableAutoHostRewrite: true,
        },
        { Name: '*', CAFile: '/ca' },
      ],
    });
    const shared = { Gateway: { Name: 'gw' }, GatewayKind: 'terminating-gateway', CAFile: '/ca' };
    const indexes = { CreateIndex: expect.any(Number), ModifyIndex: expect.any(Number) };
    const wild = { ...shared, AutoHostRewrite: true, FromWildcard: true, ...indexes };
    expect(await rows('GW')).toEqual([
      {
        ...shared,
        Service: { Name: 'api' },
        CertFile: '/cert',
        KeyFile: '/key',
        SNI: 'api.test',
        ServiceKind: 'service',
        ...indexes,
      },
      { ...wild, Service: { Name: 'db' }, ServiceKind: 'service' },
      { ...wild, Service: { Name: 'outside' }, ServiceKind: 'destination' },
      { ...wild, Service: { Name: 'web' }, ServiceKind: 'service' },
    ]);
    expect((await server.get('/v1/catalog/gateway-services/gw?ns=team')).json).toEqual([]);
  });

  it('wake who waits for a new service under a wildcard, for a named one, and for the end of the entry', async () => {
    const path = '/v1/catalog/gateway-services/gw';
    const woken = async (change: () => Promise<unknown>) => {
      const { index } = await server.get(path);
      const waiting = server.get<GatewayService[]>(`${path}?index=${index}&wait=30s`);
      await change();
      const next = await waiting;
      expect(next.index).toBeGreaterThan(index);
      return next.json.map(({ Service, ServiceKind }) => `${Service.Name}:${ServiceKind ?? ''}`);
    };
    const entry = (...Services: { Name: string }[]) => put({ Kind: 'terminating-gateway', Name: 'gw', Services });
    expect(await woken(() => entry({ Name: 'web' }))).toEqual(['web:']);
    expect(await woken(() => register('web'))).toEqual(['web:service']);
    expect(await woken(() => entry({ Name: '*' }))).toEqual(['web:service']);
    expect(await woken(() => register('api'))).toEqual(['api:service', 'web:service']);
    // The instance keeps its name and tags, but is no ordinary service any longer.
    expect(await woken(() => register('api', { Kind: 'mesh-gateway', Port: 1 }))).toEqual(['web:service']);
    expect(await woken(() => remove('terminating-gateway', 'gw'))).toEqual([]);
  });
});

describe('services of an ingress gateway', () => {
  const http = (Name: string) => put({ Kind: 'service-defaults', Name, Protocol: 'http' });
  const gateway = (...Listeners: object[]) => put({ Kind: 'ingress-gateway', Name: 'edge', Listeners });

  it('are those of its listeners; a wildcard stands for services of the protocol', async () => {
    await http('web');
    await http('shop');
    await put({ Kind: 'service-resolver', Name: 'shop' });
    await put({ Kind: 'service-resolver', Name: 'raw' });
    for (const name of ['web', 'db']) await register(name);
    await gateway(
      { Port: 80, Protocol: 'http', Services: [{ Name: 'web', Hosts: ['web.test'] }] },
      { Port: 81, Protocol: 'http', Services: [{ Name: '*' }] },
      { Port: 82, Services: [{ Name: 'db' }] },
    );
    const shown = (await rows('edge')).map(({ Service, Port, Protocol, Hosts, FromWildcard }) =>
      [Port, Protocol, Service.Name, Hosts?.join() ?? '', FromWildcard ?? ''].join(' ').trim(),
    );
    expect(shown).toEqual(['80 http web web.test', '81 http shop  true', '81 http web  true', '82 tcp db']);
  });

  it('are found from the service, over HTTP and by DNS', async () => {
    await http('web');
    await register('edge', { Kind: 'ingress-gateway', Port: 80 });
    await register('web');
    const first = await server.get<HealthEntry[]>('/v1/health/ingress/WEB');
    expect(first.json).toEqual([]);
    const waiting = server.get<HealthEntry[]>(`/v1/health/ingress/WEB?index=${first.index}&wait=30s`);
    await gateway({ Port: 80, Protocol: 'http', Services: [{ Name: 'web' }] });
    const woken = await waiting;
    expect(woken.json.map(({ Service }) => Service.ID)).toEqual(['edge']);
    const later = server.get<HealthEntry[]>(`/v1/health/ingress/WEB?index=${woken.index}&wait=30s`);
    await server.register({
      Node: 'n2',
      Address: '10.0.0.2',
      Service: { ID: 'e2', Service: 'edge', Kind: 'ingress-gateway' },
    });
    expect((await later).json.map(({ Service }) => Service.ID)).toEqual(['edge', 'e2']);
    const dns = await server.composed.catalogReader.mesh('ingress', 'default', 'Web');
    expect(dns.map(({ Service }) => Service.ID)).toEqual(['edge', 'e2']);
    expect(await server.composed.catalogReader.mesh('ingress', 'team', 'web')).toEqual([]);
    expect(await ingress('db')).toEqual([]);
    await remove('ingress-gateway', 'edge');
    expect(await ingress('web')).toEqual([]);
  });

  it('include what a wildcard stands for, as soon as it has the protocol', async () => {
    await register('edge', { Kind: 'ingress-gateway', Port: 80 });
    await register('web');
    await gateway({ Port: 80, Protocol: 'http', Services: [{ Name: '*' }] });
    expect(await ingress('web')).toEqual([]);
    const { index } = await server.get('/v1/health/ingress/web');
    const waiting = server.get<HealthEntry[]>(`/v1/health/ingress/web?index=${index}&wait=30s`);
    await http('web');
    expect((await waiting).json).toHaveLength(1);
    expect(await ingress('consul')).toEqual([]);
    // An answer that is given again by its URL follows what it depends on, too.
    const answer = await server.call('GET', '/v1/health/ingress/web');
    await remove('ingress-gateway', 'edge');
    expect(jsonOf(answer.again!()!)).toEqual([]);
  });
});

describe('services of an API gateway', () => {
  it('are those of the routes that are bound to its listeners', async () => {
    const route = (Name: string, service: string, Parents = [{ Kind: 'api-gateway', Name: 'gw' }]) =>
      put({ Kind: 'http-route', Name, Parents, Hostnames: ['a.test'], Rules: [{ Services: [{ Name: service }] }] });
    await route('r1', 'web');
    expect(await names('gw')).toEqual([]);
    await put({ Kind: 'api-gateway', Name: 'gw', Listeners: [{ Name: 'l', Port: 80, Protocol: 'http' }] });
    expect(await rows('gw')).toMatchObject([
      { GatewayKind: 'api-gateway', Service: { Name: 'web' }, Port: 80, Protocol: 'http', Hosts: ['a.test'] },
    ]);
    await route('r2', 'api');
    expect(await names('gw')).toEqual(['web', 'api']);
    await route('r1', 'web', [{ Kind: 'api-gateway', Name: 'other' }]);
    expect(await names('gw')).toEqual(['api']);
    await remove('http-route', 'r2');
    expect(await names('gw')).toEqual([]);
  });

  it('are shown bound to their listeners, by name and as a list that can be waited for', async () => {
    const bound = async (name = '') => (await server.get<unknown>(`/v1/config/bound-api-gateway${name}`)).json;
    expect(await bound()).toEqual([]);
    const route = (Kind: string, Name: string, more: object) =>
      put({ Kind, Name, Parents: [{ Kind: 'api-gateway', Name: 'gw' }], ...more });
    const rules = { Rules: [{ Services: [{ Name: 'web' }] }] };
    await route('http-route', 'first', { Hostnames: ['a.test'], ...rules });
    const TLS = { Certificates: [{ Kind: 'file-system-certificate', Name: 'cert' }] };
    await put({
      Kind: 'api-gateway',
      Name: 'gw',
      Listeners: [
        { Name: 'web', Port: 80, Protocol: 'http', Hostname: 'a.test', TLS },
        { Name: 'raw', Port: 81, Protocol: 'tcp' },
      ],
    });
    const { json: before, index } = await server.get<{ ModifyIndex: number }[]>('/v1/config/bound-api-gateway');
    const reference = (Kind: string, Name: string) => ({ Kind, Name, SectionName: '' });
    const listeners = (routes: object[], raw: object[]) => [
      { Name: 'web', Routes: routes, Certificates: [reference('file-system-certificate', 'cert')] },
      { Name: 'raw', Routes: raw, Certificates: [] },
    ];
    const http = [reference('http-route', 'first')];
    expect(before).toMatchObject([{ Kind: 'bound-api-gateway', Name: 'gw', Listeners: listeners(http, []) }]);
    const waiting = server.get<unknown>(`/v1/config/bound-api-gateway?index=${index}&wait=20s`);
    await route('tcp-route', 'second', { Services: [{ Name: 'db' }] });
    const after = { Listeners: listeners(http, [reference('tcp-route', 'second')]) };
    expect((await waiting).json).toMatchObject([after]);
    const shown = (await bound('/GW')) as { ModifyIndex: number };
    expect(shown).toMatchObject(after);
    expect(shown.ModifyIndex).toBeGreaterThan(before[0]!.ModifyIndex);
    expect(await server.call('GET', '/v1/config/bound-api-gateway/none')).toMatchObject({ status: 404 });
  });

  it('are bound by what they say alone: nobody writes or deletes that', async () => {
    const body = { Kind: 'bound-api-gateway', Name: 'gw' };
    const refused = { status: 500, text: expect.stringContaining('write api-gateway') };
    expect(await server.call('PUT', '/v1/config', { body })).toMatchObject(refused);
    expect(await remove('bound-api-gateway', 'gw')).toMatchObject(refused);
  });

  it('are as they were after a restart', async () => {
    await put({
      Kind: 'tcp-route',
      Name: 'r',
      Parents: [{ Kind: 'api-gateway', Name: 'gw' }],
      Services: [{ Name: 'db' }],
    });
    await put({ Kind: 'api-gateway', Name: 'gw', Listeners: [{ Name: 'l', Port: 80, Protocol: 'tcp' }] });
    const other = await RunningServer.start({ store: server.store });
    const { json } = await other.get('/v1/catalog/gateway-services/gw');
    expect(json).toEqual(await rows('gw'));
    expect(json).toHaveLength(1);
    await other.stop();
  });
});
