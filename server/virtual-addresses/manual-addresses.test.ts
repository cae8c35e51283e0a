import { openMemoryStore } from '../../store/memory/memory-store.ts';
import { eventually } from '../../test/support/eventually.ts';
import { jsonOf, RunningServer } from '../../test/support/running-server.ts';

const PATH = '/v1/internal/service-virtual-ip';
interface Chain {
  Chain: { AutoVirtualIPs: string[] | null; ManualVirtualIPs: string[] | null };
}

let server: RunningServer;
const store = () => server.store;
beforeEach(async () => {
  server = await RunningServer.start({ store: openMemoryStore() });
  // Chains name the trust domain, which is there with the first root.
  await eventually(() => server.get('/v1/connect/ca/roots'), { withinMs: 30_000 });
  for (const Name of ['web', 'API']) {
    await server.call('PUT', '/v1/config', { body: { Kind: 'service-resolver', Name } });
  }
});
afterEach(() => server.stop());

const assign = async (Service: string, ...ManualVIPs: string[]) =>
  jsonOf(await server.call('PUT', PATH, { body: { Service, ManualVIPs } }));
const manual = async (service: string) =>
  (await server.get<Chain>(`/v1/discovery-chain/${service}`)).json.Chain.ManualVirtualIPs;
const found = (...names: string[]) => ({
  Found: true,
  ServiceFound: true,
  UnassignedFrom: names.map((Name) => ({ ServiceName: { Name }, Peer: '' })),
});

describe('addresses of a service that are set by hand', () => {
  it('are shown by its chain, and wake who waits for it', async () => {
    const { index } = await server.get('/v1/discovery-chain/web');
    const waiting = server.get<Chain>(`/v1/discovery-chain/web?index=${index}&wait=30s`);
    expect(await assign('WEB', '10.0.0.1', '0:0::1', '::1')).toEqual(found());
    expect((await waiting).json.Chain).toMatchObject({
      AutoVirtualIPs: ['240.0.0.1'],
      ManualVirtualIPs: ['10.0.0.1', '::1'],
    });
  });

  it('are taken from another service that has them', async () => {
    await assign('web', '10.0.0.1', '10.0.0.2');
    expect(await assign('api', '10.0.0.2', '10.0.0.3')).toEqual(found('web'));
    expect([await manual('web'), await manual('api')]).toEqual([['10.0.0.1'], ['10.0.0.2', '10.0.0.3']]);
    expect(await assign('web')).toEqual(found());
    expect(await manual('web')).toEqual([]);
    // What was given back is nobody's.
    expect(await assign('api', '10.0.0.1')).toEqual(found());
    expect(await manual('api')).toEqual(['10.0.0.1']);
  });

  it('belong to one service also when many ask at a time', async () => {
    await Promise.all(['web', 'api', 'web', 'api'].map((service) => assign(service, '10.0.0.9')));
    expect([await manual('web'), await manual('api')].flat()).toEqual(['10.0.0.9']);
  });

  it('are not written again, and are as they were after a restart', async () => {
    await assign('web', '10.0.0.1');
    const revision = store().revision();
    expect(await assign('web', '10.0.0.1')).toEqual(found());
    expect(store().revision()).toBe(revision);
    const other = await RunningServer.start({ store: store() });
    expect((await other.get<Chain>('/v1/discovery-chain/web')).json.Chain.ManualVirtualIPs).toEqual(['10.0.0.1']);
    const answer = await other.call('PUT', PATH, { body: { Service: 'api', ManualVIPs: ['10.0.0.1'] } });
    expect(jsonOf(answer)).toEqual(found('web'));
    await other.stop();
  });

  it('are of services in the mesh alone', async () => {
    const none = { Found: false, ServiceFound: false, UnassignedFrom: [] };
    expect(await assign('plain', '10.0.0.1')).toEqual(none);
    expect(await assign('web', '10.0.0.1')).toEqual(found());
    const answer = await server.call('PUT', `${PATH}?ns=team`, { body: { Service: 'web', ManualVIPs: ['10.0.0.1'] } });
    expect(jsonOf(answer)).toEqual(none);
  });

  it.each([
    [{}, 'Missing service name'],
    [{ Service: 'web', ManualVIPs: ['x'] }, '"x" is not a valid IP address'],
    [{ Service: 'web', ManualVIPs: Array.from({ length: 9 }, (_, at) => `10.0.0.${at}`) }, 'more than 8'],
    [{ Service: 'web', VIPs: [] }, 'VIPs'],
  ])('are refused in %j', async (body, text) => {
    await expect(server.call('PUT', PATH, { body })).rejects.toThrow(text);
  });
});
