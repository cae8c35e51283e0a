import type { HealthEntry } from '../../api/shapes/catalog.ts';
import { LmdbServer } from '../support/lmdb-server.ts';
import { API, type RunningServer } from '../support/running-server.ts';

const instance = (n: number) => ({
  Node: `n${n}`,
  Address: `10.0.0.${n}`,
  Service: { ID: `web-${n}`, Service: 'web', Port: 80 },
});

describe('a catalog on LMDB over a restart of its server', () => {
  let lmdb: LmdbServer;
  let server: RunningServer;
  const web = (query = '') => server.get<HealthEntry[]>(`/v1/health/service/web${query}`);

  beforeEach(async () => {
    lmdb = await LmdbServer.start();
    ({ server } = lmdb);
    for (const n of [1, 2, 3]) await server.register(instance(n));
  });
  afterEach(() => lmdb.remove());

  it('shows a missed delete at once to a client that comes back with its index', async () => {
    const before = await web();
    expect(before.json).toHaveLength(3);
    await server.composed.serverCatalog.deregister({ Node: 'n2', ServiceID: 'web-2' }, API);
    server = await lmdb.restart();
    const began = performance.now();
    const after = await web(`?index=${before.index}&wait=60s`);
    expect(performance.now() - began).toBeLessThan(2000);
    expect(after.json.map((entry) => entry.Service.ID)).toEqual(['web-1', 'web-3']);
    expect(after.index).toBeGreaterThan(before.index);
  });

  it('never hands back a lower index, also for what is gone', async () => {
    const urls = [
      '/v1/health/service/web',
      '/v1/health/service/never',
      '/v1/catalog/node/n1',
      '/v1/catalog/nodes',
      '/v1/catalog/services',
    ];
    for (const n of [1, 2, 3]) await server.composed.serverCatalog.deregister({ Node: `n${n}` }, API);
    const before = await Promise.all(urls.map((url) => server.get(url)));
    server = await lmdb.restart();
    const after = await Promise.all(urls.map((url) => server.get(url)));
    after.forEach(({ index }, at) => {
      expect(index).toBeGreaterThanOrEqual(before[at]!.index);
    });
    const waited = await server.get(`/v1/health/service/web?index=${after[0]!.index}&wait=50ms`);
    expect(waited).toEqual({ json: [], index: after[0]!.index });
  });

  it('gives the same bytes for what it took in and for what it reads back', async () => {
    await server.register({
      Node: 'Rich',
      ID: 'a3c2b1f0-0000-4000-8000-000000000001',
      Address: '10.0.0.9',
      TaggedAddresses: { lan: '10.0.0.9' },
      NodeMeta: { rack: '7' },
      Service: {
        ID: 'Api-1',
        Service: 'api',
        Tags: ['v1', 'canary', 'ü'],
        Address: '10.1.0.9',
        Meta: { version: '2', ['__proto__']: 'x' },
        Port: 8080,
        Weights: { Passing: 10, Warning: 1 },
        EnableTagOverride: true,
        TaggedAddresses: { wan: { Address: '198.51.100.9', Port: 80 } },
        Locality: { Region: 'eu', Zone: 'a' },
        Proxy: { Mode: 'transparent', Upstreams: [{ DestinationName: 'db', LocalBindPort: 5000 }], Config: { a: [1] } },
        Connect: { Native: true },
      },
      Checks: [
        { CheckID: 'Http', Name: 'http', ServiceID: 'Api-1', Definition: { HTTP: 'http://x', Interval: '10s' } },
        { CheckID: 'Ttl', Name: 'ttl', ServiceID: 'Api-1', Status: 'warning', Notes: 'n', Output: 'line\nline' },
      ],
    });
    await server.register({ Node: 'Rich', SkipNodeUpdate: true, Service: { Service: 'bare', Namespace: 'team' } });
    const urls = [
      '/v1/health/service/api',
      '/v1/health/checks/api',
      '/v1/health/service/bare?ns=team',
      '/v1/health/state/any?ns=*',
      '/v1/catalog/node/rich',
      '/v1/catalog/service/api',
      '/v1/catalog/connect/api',
      '/v1/catalog/services?ns=*',
    ];
    const all = async () => Promise.all(urls.map(async (url) => JSON.stringify((await server.get(url)).json)));
    const before = await all();
    server = await lmdb.restart();
    expect(await all()).toEqual(before);
    expect(before[0]).toContain('transparent');
  });

  it('keeps what it was given, whatever an agent of its process does with its own afterwards', async () => {
    const registration = { Node: 'n1', Service: { ID: 'own', Service: 'own', Tags: ['a'], Meta: { v: '1' } } };
    const write = () => server.composed.serverCatalog.register({ ...registration, SkipNodeUpdate: true }, API);
    await write();
    registration.Service.Tags.push('b');
    registration.Service.Meta.v = '2';
    await write();
    server = await lmdb.restart();
    const { json } = await server.get<HealthEntry[]>('/v1/health/service/own');
    expect(json[0]!.Service).toMatchObject({ Tags: ['a', 'b'], Meta: { v: '2' } });
  });

  it('gives back what was acknowledged, with its indexes', async () => {
    const before = await web();
    server = await lmdb.restart();
    expect((await web()).json).toEqual(before.json);
  });
});
