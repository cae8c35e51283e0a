import type { HealthEntry, ServiceInstance } from '../../api/shapes/catalog.ts';
import { jsonOf, RunningServer } from '../../test/support/running-server.ts';

let server: RunningServer;
beforeEach(async () => {
  server = await RunningServer.start();
  await register('web');
  await register('web-proxy', {
    Kind: 'connect-proxy',
    Port: 1,
    Proxy: { DestinationServiceName: 'Web', Config: { own: 1 }, Upstreams: [{ DestinationName: 'db' }] },
  });
  await register('gw', { Kind: 'mesh-gateway', Port: 2 });
});
afterEach(() => server.stop());

const put = async (entry: object) => expect(jsonOf(await server.call('PUT', '/v1/config', { body: entry }))).toBe(true);
const register = (service: string, more: object = {}) =>
  server.register({ Node: 'n1', Address: '10.0.0.1', Service: { ID: service, Service: service, ...more } });
const proxyDefaults = () =>
  put({ Kind: 'proxy-defaults', Name: 'global', Config: { protocol: 'http' }, MeshGateway: { Mode: 'local' } });
const serviceDefaults = async () => {
  await put({ Kind: 'service-defaults', Name: 'web', Protocol: 'grpc', Mode: 'transparent' });
  await put({ Kind: 'service-defaults', Name: 'gw', MaxInboundConnections: 3 });
  await put({ Kind: 'service-defaults', Name: 'db', Protocol: 'tcp' });
};
const entries = async () => {
  await proxyDefaults();
  await serviceDefaults();
};
const MERGED = {
  Mode: 'transparent',
  Config: { own: 1, protocol: 'grpc' },
  MeshGateway: { Mode: 'local' },
  Upstreams: [{ DestinationName: 'db', Config: { protocol: 'tcp' }, MeshGateway: { Mode: 'local' } }],
};
const FLAG = 'merge-central-config';

describe('?merge-central-config', () => {
  it('shows proxies and gateways with what entries say of them, wherever instances are read', async () => {
    await entries();
    const health = async (url: string) => (await server.get<HealthEntry[]>(`${url}?${FLAG}`)).json[0]!.Service;
    expect((await health('/v1/health/service/web-proxy')).Proxy).toMatchObject(MERGED);
    expect((await health('/v1/health/connect/web')).Proxy).toMatchObject(MERGED);
    expect((await health('/v1/health/service/gw')).Proxy).toMatchObject({
      Config: { protocol: 'http', max_inbound_connections: 3 },
    });
    expect((await health('/v1/health/service/web')).Proxy).toEqual({ Mode: '', MeshGateway: {}, Expose: {} });
    for (const path of ['service/web-proxy', 'connect/web']) {
      const { json } = await server.get<{ ServiceProxy: object }[]>(`/v1/catalog/${path}?${FLAG}`);
      expect(json[0]?.ServiceProxy).toMatchObject(MERGED);
    }
    const map = (await server.get<{ Services: Record<string, ServiceInstance> }>(`/v1/catalog/node/n1?${FLAG}`)).json;
    expect(map.Services['web-proxy']?.Proxy).toMatchObject(MERGED);
    const list = (await server.get<{ Services: ServiceInstance[] }>(`/v1/catalog/node-services/n1?${FLAG}=true`)).json;
    expect(list.Services.find(({ ID }) => ID === 'web-proxy')?.Proxy).toMatchObject(MERGED);
  });

  it('leaves instances as they were registered without it, and those of other namespaces', async () => {
    await entries();
    await register('other', {
      Kind: 'connect-proxy',
      Port: 1,
      Proxy: { DestinationServiceName: 'web' },
      Namespace: 'team',
    });
    const proxy = async (url: string) => (await server.get<HealthEntry[]>(url)).json[0]?.Service.Proxy;
    await proxy(`/v1/health/service/web-proxy?${FLAG}`);
    expect(await proxy('/v1/health/service/web-proxy')).toMatchObject({ Mode: '', Config: { own: 1 } });
    expect(await proxy(`/v1/health/service/web-proxy?${FLAG}=false`)).toMatchObject({ Mode: '' });
    expect(await proxy(`/v1/health/service/other?ns=team&${FLAG}`)).toMatchObject({ Mode: '' });
    await expect(server.call('GET', `/v1/health/service/web?${FLAG}=perhaps`)).rejects.toThrow(FLAG);
  });

  it('filters what it shows, and wakes for entries', async () => {
    const path = `/v1/health/connect/web?${FLAG}`;
    const filter = encodeURIComponent('Service.Proxy.Mode == transparent');
    expect((await server.get(`${path}&filter=${filter}`)).json).toEqual([]);
    const { index } = await server.get(path);
    const kept = await server.call('GET', path);
    const waiting = server.get<HealthEntry[]>(`${path}&index=${index}&wait=30s`);
    await proxyDefaults();
    const woken = await waiting;
    expect(woken.index).toBeGreaterThan(index);
    expect(woken.json[0]?.Service.Proxy).toMatchObject({ Config: { protocol: 'http' } });
    await serviceDefaults();
    expect((await server.get<HealthEntry[]>(`${path}&filter=${filter}`)).json).toHaveLength(1);
    // An answer that is given again by its URL follows the entries, too.
    expect((jsonOf(kept.again!()!) as HealthEntry[])[0]?.Service.Proxy).toMatchObject(MERGED);
  });
});
