import type { GatewayService } from '../../api/shapes/gateway.ts';
import { ServedServer } from '../support/served-server.ts';

let served: ServedServer;
beforeAll(async () => {
  served = await ServedServer.start();
});
afterAll(() => served.stop());

const register = (service: string, more: object = {}) =>
  served.put('/v1/catalog/register', { Node: 'n1', Address: '10.0.0.1', Service: { Service: service, ...more } });

describe('gateways over HTTP', () => {
  it('have the services of their entries, and block', async () => {
    const path = '/v1/catalog/gateway-services/gw';
    expect(await served.call(`GET ${path}`)).toMatchObject({ status: 200, text: '[]' });
    expect(await served.call('GET /v1/catalog/gateway-services/')).toMatchObject({ text: 'Missing gateway name' });
    const { index } = await served.call(`GET ${path}`);
    const waiting = served.call(`GET ${path}?index=${index}&wait=30s`);
    await served.put('/v1/config', { Kind: 'terminating-gateway', Name: 'gw', Services: [{ Name: '*', SNI: 'x' }] });
    expect((await waiting).text).toBe('[]');
    await register('web');
    const [row] = await served.json<GatewayService[]>(path);
    expect(row).toMatchObject({ Service: { Name: 'web' }, SNI: 'x', FromWildcard: true, ServiceKind: 'service' });
  });

  it('are found from the service, with the filters of other health reads', async () => {
    await register('edge', { Kind: 'ingress-gateway', Port: 8443, Tags: ['public'] });
    await served.put('/v1/config', {
      Kind: 'ingress-gateway',
      Name: 'edge',
      Listeners: [{ Port: 8443, Services: [{ Name: 'web' }] }],
    });
    const count = async (query: string) => (await served.json<object[]>(`/v1/health/ingress/web${query}`)).length;
    expect(await count('')).toBe(1);
    expect(await count('?passing&tag=public')).toBe(1);
    expect(await count('?filter=Service.Port==1')).toBe(0);
    expect((await served.call('DELETE /v1/config/ingress-gateway/edge')).status).toBe(200);
    expect(await count('')).toBe(0);
  });
});

describe('virtual addresses by hand over HTTP', () => {
  const path = '/v1/internal/service-virtual-ip';
  it('are set for services in the mesh, and refused by name', async () => {
    await register('proxy', { Kind: 'connect-proxy', Port: 1, Proxy: { DestinationServiceName: 'web' } });
    const set = (body: object) => served.call(`PUT ${path}`, body);
    const done = await set({ Service: 'web', ManualVIPs: ['10.1.1.1'] });
    expect(JSON.parse(done.text)).toMatchObject({ Found: true, UnassignedFrom: [] });
    expect(await set({ Service: 'web', ManualVIPs: ['10.1.1'] })).toMatchObject({ status: 400 });
    expect((await served.call(`GET ${path}`)).status).toBe(405);
  });
});
