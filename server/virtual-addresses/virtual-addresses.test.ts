import type { HealthEntry } from '../../api/shapes/catalog.ts';
import { openMemoryStore } from '../../store/memory/memory-store.ts';
import type { Store } from '../../store/store.ts';
import { RunningServer } from '../../test/support/running-server.ts';
import { virtualAddress } from './virtual-address-table.ts';

const proxy = (service: string) => ({
  Node: 'n1',
  Address: '10.0.0.1',
  Service: {
    ID: `${service}-proxy`,
    Service: `${service}-proxy`,
    Kind: 'connect-proxy',
    Port: 1,
    Proxy: { DestinationServiceName: service },
  },
});

describe('virtual addresses', () => {
  let store: Store;
  let server: RunningServer;
  beforeEach(async () => {
    store = openMemoryStore();
    server = await RunningServer.start({ store });
  });
  afterEach(() => server.stop());

  const address = async (service: string) => (await server.composed.catalogReader.virtual('default', service)).address;
  it('are given to services in the mesh, one each, and to no others', async () => {
    await server.register({ Node: 'n1', Address: '10.0.0.1', Service: { ID: 'plain', Service: 'plain' } });
    await Promise.all(['a', 'B', 'c'].map((service) => server.register(proxy(service))));
    const all = await Promise.all(['a', 'b', 'c'].map(address));
    expect([...all].sort()).toEqual(['240.0.0.1', '240.0.0.2', '240.0.0.3']);
    expect(await server.composed.catalogReader.virtual('default', 'plain')).toEqual({ found: true });
    expect(await server.composed.catalogReader.virtual('default', 'none')).toEqual({ found: false });
  });

  it('are shown by every endpoint of their service, and only written once', async () => {
    await server.register(proxy('a'));
    const { json } = await server.get<HealthEntry[]>('/v1/health/service/a-proxy');
    expect(json[0]?.Service.TaggedAddresses).toEqual({ 'consul-virtual': { Address: '240.0.0.1', Port: 1 } });
    const revision = store.revision();
    await server.register(proxy('a'));
    expect(store.revision()).toBe(revision);
  });

  it('stay those of their service when it goes and comes back, and over a restart', async () => {
    await server.register(proxy('a'));
    const first = await address('a');
    await server.call('PUT', '/v1/catalog/deregister', { body: { Node: 'n1' } });
    await server.register(proxy('b'));
    expect(await address('b')).not.toBe(first);
    await server.stop();
    server = await RunningServer.start({ store });
    await server.register(proxy('a'));
    expect(await address('a')).toBe(first);
  });

  it('end with the range', () => {
    expect(virtualAddress(256)).toBe('240.0.1.0');
    expect(virtualAddress(2 ** 28 - 2)).toBe('255.255.255.254');
    expect(() => virtualAddress(2 ** 28 - 1)).toThrow(/no virtual addresses left/);
  });
});
