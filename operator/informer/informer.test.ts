import { SystemClock } from '../../core/clock.ts';
import { createLogger } from '../../core/log.ts';
import { Metrics } from '../../core/metrics.ts';
import { SeededRandom } from '../../core/random.ts';
import { eventually } from '../../test/support/eventually.ts';
import { FakeKubeApi } from '../../test/support/fake-kube-api.ts';
import { HttpKubeApi } from '../kube-api/http-kube-api.ts';
import type { KubeObject } from '../kube-api/kube-api.ts';
import { PODS } from '../kube-api/resources.ts';
import { staticAuth } from '../kube-api/static-auth.ts';
import { Informer } from './informer.ts';

interface Seen {
  key: string;
  old: string | undefined;
  current: string | undefined;
  cause: string;
}

const clock = new SystemClock();
let fake: FakeKubeApi;
let api: HttpKubeApi;
let informer: Informer<KubeObject>;
let seen: Seen[];
let logged: string[];
let stop: AbortController;
let running: Promise<void>;

const label = (object: KubeObject | undefined) => object?.metadata.labels?.v;
const pod = (name: string, v: string, uid?: string) => ({ metadata: { name, uid, labels: { v } } });

function start(
  options: { pageSize?: number; maxPages?: number; watchIdleMs?: number; believeOlderAfterMs?: number } = {},
  { listMs = 2_000 } = {},
): void {
  api = new HttpKubeApi({ auth: staticAuth(fake.url), clock, random: new SeededRandom(1) }, { listMs });
  const log = createLogger({ sink: { write: (line) => logged.push(line) } });
  informer = new Informer(
    { api, clock, random: new SeededRandom(2), log, metrics: new Metrics() },
    { resource: PODS, strip: (object) => object, ...options },
  );
  informer.subscribe((key, old, current, cause) => seen.push({ key, old: label(old), current: label(current), cause }));
  stop = new AbortController();
  running = informer.run({ signal: stop.signal, ready: () => {} });
}

const state = () => Object.fromEntries([...informer.list()].map((object) => [object.metadata.name, label(object)]));
const settles = (expected: Record<string, string>) =>
  eventually(() => expect(state()).toEqual(expected), { withinMs: 30_000, everyMs: 5 });
const watching = () => eventually(() => fake.openWatches > 0, { withinMs: 30_000, everyMs: 5 });

beforeEach(async () => {
  fake = await FakeKubeApi.start({ bookmarkMs: 20 });
  seen = [];
  logged = [];
});
afterEach(async () => {
  stop.abort();
  await running;
  await api.close();
  await fake.stop();
});

describe('informer', () => {
  it('reads a list in pages, then follows adds, changes and deletes', async () => {
    for (let i = 0; i < 7; i++) fake.put('pods', pod(`p${i}`, '1'));
    start({ pageSize: 3 });
    await eventually(() => informer.synced(), { withinMs: 30_000, everyMs: 5 });
    expect(Object.keys(state())).toHaveLength(7);
    expect(fake.requests.get('GET pods')).toBe(3);
    fake.put('pods', pod('p0', '2'));
    fake.remove('pods', 'default/p1');
    await eventually(() => expect(seen.slice(7)).toHaveLength(2), { withinMs: 30_000, everyMs: 5 });
    expect(seen.slice(7)).toEqual([
      { key: 'default/p0', old: '1', current: '2', cause: 'watch' },
      { key: 'default/p1', old: '1', current: undefined, cause: 'watch' },
    ]);
  });

  it('gives up a list that does not end, and takes one that does later', async () => {
    for (let i = 0; i < 7; i++) fake.put('pods', pod(`p${i}`, '1'));
    start({ pageSize: 1, maxPages: 3 });
    const given = () => logged.some((line) => line.includes('a list of pods did not end after 3 pages'));
    await eventually(given, { withinMs: 30_000, everyMs: 5 });
    expect(informer.synced()).toBe(false);
    for (let i = 3; i < 7; i++) fake.remove('pods', `default/p${i}`);
    await settles({ p0: '1', p1: '1', p2: '1' });
  });

  it('is not synced before the whole list was read', async () => {
    fake.faults.fail = { count: 3, status: 500 };
    start();
    await eventually(() => (fake.requests.get('GET pods') ?? 0) >= 2, { withinMs: 30_000, everyMs: 5 });
    expect(informer.synced()).toBe(false);
    await eventually(() => informer.synced(), { withinMs: 30_000 });
  });

  it('is never synced while the kind is not served', async () => {
    fake.faults.notServed.add('pods');
    start();
    await eventually(() => (fake.requests.get('GET pods') ?? 0) >= 3, { withinMs: 30_000 });
    expect(informer.synced()).toBe(false);
  });

  it('reads a new list when the history is gone, and tells its deletes as inferred', async () => {
    fake.put('pods', pod('a', '1'));
    fake.put('pods', pod('b', '1'));
    start();
    await watching();
    fake.faults.notServed.add('pods'); // no watch can open until the history is gone
    fake.cutWatches();
    fake.remove('pods', 'default/b');
    fake.put('pods', pod('a', '2'));
    fake.compact();
    fake.faults.notServed.clear();
    await settles({ a: '2' });
    expect(seen.slice(2)).toEqual([
      { key: 'default/b', old: '1', current: undefined, cause: 'relist' },
      { key: 'default/a', old: '1', current: '2', cause: 'relist' },
    ]);
  });

  it('resumes where it was after a cut, without another list', async () => {
    fake.put('pods', pod('a', '1'));
    start();
    await watching();
    for (let i = 2; i < 5; i++) {
      fake.cutWatches({ midLine: i % 2 === 0 });
      fake.put('pods', pod('a', String(i)));
      await settles({ a: String(i) });
    }
    expect(fake.requests.get('GET pods')).toBe(1);
    expect(seen.every(({ cause }, at) => at === 0 || cause === 'watch')).toBe(true);
  });

  it('survives broken connections and split bytes', async () => {
    fake.faults.splitBytes = true;
    start();
    await watching();
    fake.put('pods', pod('a', 'é日本🙂'));
    await settles({ a: 'é日本🙂' });
    fake.dropConnections();
    fake.put('pods', pod('b', '1'));
    await settles({ a: 'é日本🙂', b: '1' });
  });

  it('ignores duplicates and replayed old objects', async () => {
    start();
    await watching();
    fake.faults.duplicate = true;
    fake.faults.replayOld = true;
    for (let i = 0; i < 20; i++) fake.put('pods', pod(`p${i % 3}`, String(i)));
    fake.remove('pods', 'default/p0');
    fake.put('pods', pod('p1', 'last'));
    await settles({ p1: 'last', p2: '17' });
    expect(seen).toHaveLength(22);
  });

  async function lag(believeOlderAfterMs: number): Promise<void> {
    fake.put('pods', pod('a', '1'));
    const old = fake.version;
    fake.put('pods', pod('b', '1'));
    start({ believeOlderAfterMs });
    await watching();
    fake.faults.listAt = old;
    fake.sendRaw('no json at all\n');
    await eventually(() => (fake.requests.get('GET pods') ?? 0) > 2, { withinMs: 30_000, everyMs: 5 });
  }

  it('does not believe a list from a server that lags', async () => {
    await lag(3_600_000);
    expect(state()).toEqual({ a: '1', b: '1' });
    fake.faults.listAt = 0;
    fake.put('pods', pod('b', '2'));
    await settles({ a: '1', b: '2' });
  });

  it('believes an older list in the end, as after a restore of the cluster', async () => {
    // The fake's history still holds what came after, so a watch brings it back: that it was gone is what counts.
    const gone: string[] = [];
    const lagging = lag(300);
    informer.subscribe((key, _, current) => {
      if (!current) gone.push(key);
    });
    await lagging;
    await eventually(() => expect(gone).toEqual([expect.stringMatching(/b$/)]), { withinMs: 30_000, everyMs: 5 });
    expect(logged.join()).toContain('went back in time');
  });

  it('lists anew when the cluster went back, of which no watch can tell', async () => {
    for (let i = 0; i < 20; i++) fake.put('pods', pod('a', `${i}`));
    fake.put('pods', pod('b', '1'));
    start({ watchIdleMs: 150, believeOlderAfterMs: 300 });
    await settles({ a: '19', b: '1' });
    await watching();
    fake.goBack(15, 'pods', 'default/b');
    await settles({ a: '19' });
    expect(logged.join()).toContain('went back in time');
    fake.put('pods', pod('c', '1'));
    await settles({ a: '19', c: '1' });
  });

  it('notices a server that has gone silent', async () => {
    start({ watchIdleMs: 150 });
    await watching();
    fake.faults.hang = true;
    fake.put('pods', pod('a', '1'));
    await eventually(() => logged.some((line) => line.includes('was silent for 150 ms')), { withinMs: 30_000 });
    fake.faults.hang = false;
    fake.put('pods', pod('b', '1'));
    await settles({ a: '1', b: '1' });
  });

  it('lists nothing anew while no watch can be opened in time', async () => {
    fake.put('pods', pod('a', '1'));
    start({}, { listMs: 300 });
    await watching();
    const lists = fake.requests.get('GET pods');
    fake.faults.hang = true;
    fake.dropConnections();
    await eventually(() => fake.requests.get('WATCH pods')! >= 4, { withinMs: 30_000, everyMs: 5 });
    fake.faults.hang = false;
    fake.put('pods', pod('a', '2'));
    await settles({ a: '2' });
    expect(fake.requests.get('GET pods')).toBe(lists);
  });

  it('reads the list in one piece when its pages expire', async () => {
    for (let i = 0; i < 7; i++) fake.put('pods', pod(`p${i}`, '1'));
    fake.faults.expireTokens = true;
    start({ pageSize: 3 });
    await eventually(() => expect(Object.keys(state())).toHaveLength(7), { withinMs: 30_000 });
  });

  it('reports a handler that throws and goes on', async () => {
    start();
    informer.subscribe(() => {
      throw new Error('defect in a handler');
    });
    await watching();
    fake.put('pods', pod('a', '1'));
    fake.put('pods', pod('b', '1'));
    await settles({ a: '1', b: '1' });
    expect(logged.filter((line) => line.includes('defect in a handler'))).toHaveLength(2);
    expect(seen).toHaveLength(2);
  });

  it('takes a same-name object with another UID for the new one', async () => {
    fake.put('pods', pod('a', '1', 'uid-1'));
    start();
    await watching();
    fake.remove('pods', 'default/a');
    fake.put('pods', pod('a', '2', 'uid-2'));
    await settles({ a: '2' });
    informer.offer({ metadata: { name: 'a', namespace: 'default', uid: 'uid-1', resourceVersion: '999999' } });
    expect(state()).toEqual({ a: '2' });
  });

  it('answers a line that is no JSON with a new list', async () => {
    fake.put('pods', pod('a', '1'));
    start();
    await watching();
    fake.sendRaw('no json at all\n');
    await eventually(() => fake.requests.get('GET pods') === 2, { withinMs: 30_000 });
    await settles({ a: '1' });
    expect(logged.join()).not.toContain('no json at all');
  });
});
