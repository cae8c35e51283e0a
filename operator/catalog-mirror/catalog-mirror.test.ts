import { FakeClock } from '../../core/clock.ts';
import { silentLogger } from '../../core/log.ts';
import { Metrics } from '../../core/metrics.ts';
import { FakeCatalog } from '../../test/support/fake-catalog.ts';
import { CatalogMirror, cutBytes, mirrorKey } from './catalog-mirror.ts';

const owner = 'kubernetes/x';
const key = (id: string) => mirrorKey('default', 'n1', id);
const [web, other] = ['Service/default/web', 'Service/default/other'];
const clock = new FakeClock();
let catalog: FakeCatalog;
let mirror: CatalogMirror;
let told: string[];
let stop: AbortController;
let running: Promise<void>;

const register = (id: string, hash: string, ref = 'Service/default/web') =>
  catalog.register(
    {
      Node: 'n1',
      Address: '10.0.0.1',
      Service: { ID: id, Service: 'web', Port: 80 },
      Checks: [{ CheckID: `c:${id}` }],
    },
    { owner, epoch: 1, ref, hash },
  );

beforeEach(async () => {
  catalog = new FakeCatalog();
  told = [];
  await register('a', 'h1');
  await register('b', 'h1');
  mirror = new CatalogMirror(
    { client: catalog, clock, random: { next: () => 0 }, log: silentLogger, metrics: new Metrics() },
    { owner },
  );
  mirror.subscribe((ref, cause) => told.push(`${ref} ${cause}`));
  stop = new AbortController();
  running = mirror.run({ signal: stop.signal, ready: () => {} });
  expect(mirror.synced()).toBe(false);
  await clock.advance(0);
  told.length = 0;
});
afterEach(async () => {
  stop.abort();
  await clock.advance(0);
  await running;
});

describe('catalog mirror', () => {
  it('follows its entries by declaring object', async () => {
    expect(mirror.synced()).toBe(true);
    expect([...mirror.byRef('Service/default/web')].map(([, { id }]) => id)).toEqual(['a', 'b']);
    await register('a', 'h2', 'Service/default/other');
    await clock.advance(0);
    expect(told).toEqual(['Service/default/web watch', 'Service/default/other watch']);
    expect([...mirror.refs()]).toEqual(['Service/default/web', 'Service/default/other']);
    expect(mirror.hashOf(key('a'), 'Service/default/web')).toBeUndefined();
    expect(mirror.hashOf(key('a'), 'Service/default/other')).toBe('h2');
  });

  it('keeps what it knew while the link is broken, and tells the difference afterwards', async () => {
    catalog.cutStreams();
    catalog.remove(key('b'));
    await register('c', 'h1', 'Service/default/new');
    await clock.advance(0);
    expect([mirror.synced(), mirror.connected, mirror.size]).toEqual([true, false, 2]);
    await clock.advance(1_000);
    expect([mirror.connected, mirror.size]).toEqual([true, 2]);
    expect(told).toEqual(['Service/default/web relist', 'Service/default/new relist']);
  });

  it('counts an acknowledged write as done until its echo comes, or did not for a while', async () => {
    await mirror.write(key('a'), { ref: web, hash: 'h9' }, async () => {});
    await mirror.write(key('b'), { ref: web, hash: undefined }, async () => {});
    expect(mirror.hashOf(key('a'), web)).toBe('h9');
    expect([...mirror.byRef(web)].map(([, { id }]) => id)).toEqual(['a']);
    expect(mirror.isPending(key('a'))).toBe(true);
    await register('a', 'h9');
    await clock.advance(0);
    expect(mirror.isPending(key('a'))).toBe(false);
    await clock.advance(15_000);
    expect([...mirror.byRef(web)].map(([, { id }]) => id)).toEqual(['a', 'b']);
  });

  it('goes by what the catalog told while a write was under way, not by its acknowledgement', async () => {
    await mirror.write(key('c'), { ref: web, hash: 'h1' }, async () => {
      await register('c', 'h1');
      catalog.remove(key('c'));
      await clock.advance(0);
    });
    expect([mirror.isPending(key('c')), mirror.hashOf(key('c'), web)]).toEqual([false, undefined]);
  });

  it('knows the outcome of two writes to one entry at once from the catalog only', async () => {
    const removal = Promise.withResolvers<void>();
    const first = mirror.write(key('a'), { ref: web, hash: undefined }, () => removal.promise);
    await mirror.write(key('a'), { ref: other, hash: 'h1' }, async () => {});
    removal.resolve();
    await first;
    expect(mirror.isPending(key('a'))).toBe(false);
    expect(mirror.hashOf(key('a'), web)).toBe('h1');
  });

  it('takes the write of one declaring object for no other', async () => {
    await mirror.write(key('a'), { ref: other, hash: 'h1' }, async () => {});
    expect([mirror.hashOf(key('a'), web), mirror.hashOf(key('a'), other)]).toEqual([undefined, 'h1']);
    expect([...mirror.byRef(web)].map(([, { id }]) => id)).toEqual(['b']);
    await register('a', 'h1'); // of before
    await clock.advance(0);
    expect(mirror.isPending(key('a'))).toBe(true);
    await register('a', 'h1', other);
    await clock.advance(0);
    expect(mirror.isPending(key('a'))).toBe(false);
  });

  it('keeps no more of an output than a status shows', async () => {
    catalog.verdict('c:a', 'critical', 'é'.repeat(1_000));
    catalog.verdict('c:b', 'passing', 'HTTP GET: 200 OK');
    await clock.advance(0);
    expect(mirror.get(key('a'))!.checks[0]!.output).toBe('é'.repeat(128));
    expect(mirror.get(key('b'))!.checks[0]).toEqual({ id: 'c:b', status: 'passing', output: '' });
    expect(cutBytes('日本', 4)).toBe('日');
  });
});
