import { SystemClock } from '../../core/clock.ts';
import { silentLogger } from '../../core/log.ts';
import { Metrics } from '../../core/metrics.ts';
import { SeededRandom, SystemRandom } from '../../core/random.ts';
import { content, EVERYTHING, eventText, put, take, write } from '../../store/contract/shorthand.ts';
import { type OpenEtcdStoreOptions, openEtcdStore } from '../../store/etcd/open-etcd-store.ts';
import type { CommitResult, Revision, Store, StoreEvents } from '../../store/store.ts';
import { CURRENT_ETCD, describeEtcd, INSTALLED_ETCD } from '../support/etcd/binaries.ts';
import { EtcdCluster, type EtcdClusterOptions } from '../support/etcd/etcd-cluster.ts';
import { TcpProxy } from '../support/etcd/tcp-proxy.ts';
import { eventually } from '../support/eventually.ts';

/** Far above what etcd needs for a new leader (some 2 s) or to start again. */
const WITHIN = { withinMs: 60_000 };
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const stores: Store[] = [];
const clusters: EtcdCluster[] = [];
const proxies: TcpProxy[] = [];
afterEach(async () => {
  await Promise.all(stores.splice(0).map((store) => store.close()));
  await Promise.all(clusters.splice(0).map((cluster) => cluster.stop()));
  await Promise.all(proxies.splice(0).map((proxy) => proxy.stop()));
}, 60_000);

async function start(options: EtcdClusterOptions): Promise<EtcdCluster> {
  const cluster = await EtcdCluster.start(options);
  clusters.push(cluster);
  return cluster;
}

async function open(endpoints: readonly string[], options: Partial<OpenEtcdStoreOptions> = {}): Promise<Store> {
  const { timeouts, ...rest } = options;
  const store = await openEtcdStore({
    endpoints,
    clock: new SystemClock(),
    log: silentLogger,
    random: new SystemRandom(),
    // Long enough to outlast what the tests break, and looks often.
    timeouts: { commitMs: 60_000, probeMs: 500, ...timeouts },
    ...rest,
  });
  stores.push(store);
  return store;
}

async function proxied(cluster: EtcdCluster): Promise<{ proxy: TcpProxy; endpoint: string }> {
  const proxy = await TcpProxy.start(cluster.port());
  proxies.push(proxy);
  return { proxy, endpoint: `http://127.0.0.1:${proxy.port}` };
}

/** Follows a store from its present revision on; every step is checked as it comes. */
class Witness {
  readonly events: StoreEvents[] = [];
  failure: unknown;
  readonly #abort = new AbortController();

  constructor(store: Store) {
    const first = store.revision();
    this.#follow(store, first).catch((error) => {
      this.failure = error;
    });
  }

  get last(): Revision {
    return this.events.at(-1)?.revision ?? 0;
  }

  stop(): void {
    this.#abort.abort();
  }

  async #follow(store: Store, first: Revision): Promise<void> {
    for await (const events of store.watch(EVERYTHING, first, this.#abort.signal)) {
      const expected = (this.events.at(-1)?.revision ?? first) + 1;
      if (events.revision !== expected) throw new Error(`revision ${events.revision} came after ${expected - 1}`);
      this.events.push(events);
    }
  }
}

/** Writers that put keys of their own until they are stopped; what was acknowledged, and at which revision. */
class Load {
  readonly acknowledged = new Map<string, Revision>();
  readonly unknown: string[] = [];
  #stopped = false;
  readonly #writers: Promise<void>[];

  constructor(store: Store, name: string, writers = 4) {
    this.#writers = Array.from({ length: writers }, (_, i) => this.#write(store, `${name}-${i}`));
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#writers);
  }

  /** Waits until so many more were acknowledged. */
  async more(count: number): Promise<void> {
    const goal = this.acknowledged.size + count;
    await eventually(() => this.acknowledged.size >= goal, { ...WITHIN, what: `${count} more commits` });
  }

  async #write(store: Store, name: string): Promise<void> {
    for (let i = 0; !this.#stopped; i++) {
      const key = `${name}/${i}`;
      const result = await store.commit({ compares: [{ kind: 'key', key, modRevision: 0 }], ops: [put(key, 'x')] });
      // Nobody else writes the key: a failed compare would be a commit that was done and not acknowledged.
      if (!result.ok) throw new Error(`${key} was there already`);
      this.acknowledged.set(key, result.revision);
    }
  }
}

/** Every acknowledged commit is there at its revision, and nothing else. */
async function expectWhole(store: Store, loads: readonly Load[], witnesses: readonly Witness[]): Promise<void> {
  const acknowledged = new Map(loads.flatMap((load) => [...load.acknowledged]));
  const newest = Math.max(...acknowledged.values());
  await eventually(() => store.revision() >= newest, WITHIN);
  const { entries } = await store.read(EVERYTHING);
  expect(new Map(entries.map((entry) => [entry.key, entry.modRevision]))).toEqual(acknowledged);
  for (const witness of witnesses) {
    await eventually(() => witness.failure !== undefined || witness.last >= newest, WITHIN);
    expect(witness.failure).toBeUndefined();
    const seen = witness.events.flatMap(({ revision, changes }) =>
      changes.map((change) => [change.kind === 'put' ? change.entry.key : change.key, revision] as const),
    );
    expect(new Map(seen)).toEqual(acknowledged);
    witness.stop();
  }
}

describe.each([INSTALLED_ETCD, CURRENT_ETCD])('$name', (binary) => {
  describeEtcd(binary, 'that fails', (file) => {
    it('lets etcd forget what is older than a period, while everything goes on', async () => {
      const cluster = await start({ file });
      const timeouts = { commitMs: 60_000, probeMs: 500, historyMs: 200 };
      const store = await open(cluster.endpoints, { timeouts });
      const witness = new Witness(store);
      const first = await cluster.put('elsewhere', 'x');
      await eventually(async () => {
        await write(store, put('key', String(store.revision())));
        await expect(cluster.call('kv/range', { key: 'a2V5', revision: first })).rejects.toThrow('compacted');
      }, WITHIN);
      await write(store, put('last', 'x'));
      await eventually(async () => expect(witness.events.at(-1)?.revision).toBe(store.revision()), WITHIN);
      expect(witness.failure).toBeUndefined();
      const another = await open(cluster.endpoints, { timeouts });
      expect(await content(another)).toEqual(await content(store));
    }, 120_000);

    it('by kill -9 under writers, time and again: all that was acknowledged is there, watches go on without a gap', async () => {
      const cluster = await start({ file });
      const store = await open(cluster.endpoints);
      const other = await open(cluster.endpoints);
      const witnesses = [new Witness(store), new Witness(other)];
      const load = new Load(store, 'w');
      for (let round = 0; round < 3; round++) {
        await load.more(50);
        await cluster.kill();
        await cluster.restart();
      }
      await load.more(50);
      await load.stop();
      await expectWhole(await open(cluster.endpoints), [load], witnesses);
    }, 180_000);

    it('in a cluster of three, by the loss of its leader and by moves of it: writes go on, watches have no gap', async () => {
      const cluster = await start({ file, members: 3 });
      const store = await open(cluster.endpoints);
      const other = await open([...cluster.endpoints].reverse());
      const witnesses = [new Witness(store), new Witness(other)];
      const loads = [new Load(store, 'a'), new Load(other, 'b')];
      const more = async (count: number): Promise<void> => {
        await Promise.all(loads.map((load) => load.more(count)));
      };
      await more(50);
      for (let round = 0; round < 2; round++) {
        const leader = await cluster.leader();
        await cluster.kill(leader);
        await more(20);
        await cluster.restart(leader);
        await more(20);
        await cluster.moveLeader(((await cluster.leader()) + 1) % 3);
        await more(20);
      }
      await Promise.all(loads.map((load) => load.stop()));
      await expectWhole(await open(cluster.endpoints), loads, witnesses);
    }, 240_000);

    it('in a cluster of three, by pauses of the members that are in use: another one is, nothing is done twice', async () => {
      const cluster = await start({ file, members: 3 });
      const timeouts = { writeMs: 2000, readAttemptMs: 500, commitMs: 60_000, probeMs: 500 };
      const store = await open(cluster.endpoints, { timeouts });
      const witness = new Witness(store);
      const load = new Load(store, 'w');
      for (const member of [0, 1, 2]) {
        await load.more(20);
        cluster.process(member).pause();
        await load.more(20);
        cluster.process(member).resume();
      }
      await load.more(20);
      await load.stop();
      await expectWhole(await open(cluster.endpoints), [load], [witness]);
    }, 240_000);

    it('by the loss of its quorum: writes are refused in time, reads go on, all goes on when it is back', async () => {
      const cluster = await start({ file, members: 3 });
      const timeouts = { writeMs: 1000, readAttemptMs: 500, readMs: 3000, commitMs: 2000 };
      const store = await open(cluster.endpoints, { timeouts });
      await write(store, put('a', '1'));
      await cluster.kill(1);
      await cluster.kill(2);
      const refused = await write(store, put('b', '1')).catch((error: { code: string }) => error.code);
      expect(['unavailable', 'outcomeUnknown', 'deadline']).toContain(refused);
      expect(await content(store)).toEqual(['a=1']);
      await cluster.restart(1);
      const revision = await eventually(() => write(store, put('c', '1')), WITHIN);
      // The refused one may have been done all the same: that is what the error says.
      const late = refused === 'unavailable' ? 2 : (await content(store)).includes('b=1') ? 3 : 2;
      expect(revision).toBe(late);
    }, 120_000);
  });
});

describeEtcd(CURRENT_ETCD, 'the connection to etcd', (file) => {
  it('that is away while history is compacted: watches end with compacted, a new read and watch have all', async () => {
    const cluster = await start({ file });
    const { proxy, endpoint } = await proxied(cluster);
    const [near, far] = [await open(cluster.endpoints), await open([endpoint])];
    await write(near, put('a', '1'));
    await eventually(() => far.revision() === 1, WITHIN);
    const witness = new Witness(far);
    proxy.cut();
    for (let i = 2; i <= 20; i++) await write(near, put('a', `${i}`));
    await cluster.compact();
    proxy.heal();
    await eventually(() => witness.failure !== undefined, WITHIN);
    expect(witness.failure).toMatchObject({ code: 'compacted' });
    expect(far.revision()).toBe(20);
    expect(await content(far)).toEqual(['a=20']);
    const events = take(far.watch(EVERYTHING, 20, new AbortController().signal), 2);
    await write(near, put('b', '1'));
    await write(far, put('c', '1'));
    expect((await events).map(eventText)).toEqual(['21: +b=1', '22: +c=1']);
  }, 120_000);

  it('that is away while only others change etcd and compact it: watches go on', async () => {
    const cluster = await start({ file });
    const { proxy, endpoint } = await proxied(cluster);
    const [near, far] = [await open(cluster.endpoints), await open([endpoint])];
    await write(near, put('a', '1'));
    await eventually(() => far.revision() === 1, WITHIN);
    const witness = new Witness(far);
    proxy.cut();
    for (let i = 0; i < 20; i++) await cluster.put('elsewhere', `${i}`);
    await cluster.compact();
    expect(await content(near)).toEqual(['a=1']);
    proxy.heal();
    await eventually(() => write(far, put('b', '1')), WITHIN);
    await write(near, put('c', '1'));
    await eventually(() => witness.failure !== undefined || witness.last === 3, WITHIN);
    expect(witness.failure).toBeUndefined();
    witness.stop();
  }, 120_000);

  it('that loses answers at random: each commit is done once, and its answer is true', async () => {
    const cluster = await start({ file });
    const { proxy, endpoint } = await proxied(cluster);
    const random = new SeededRandom(7);
    const timeouts = { writeMs: 300, readAttemptMs: 300, commitMs: 60_000 };
    const store = await open([endpoint], { timeouts });
    const witness = new Witness(store);
    const load = new Load(store, 'w');
    for (let round = 0; round < 15; round++) {
      await load.more(10);
      // The request reaches etcd, what comes back does not.
      if (random.next() < 0.5) {
        proxy.dropAnswers();
        await sleep(random.next() * 400);
        proxy.heal();
      } else {
        proxy.onRequest(() => proxy.breakConnections());
        await sleep(random.next() * 50);
        proxy.heal();
      }
    }
    await load.more(10);
    await load.stop();
    await expectWhole(await open(cluster.endpoints), [load], [witness]);
  }, 240_000);

  it('that is cut: queued commits are refused after their time as never sent, and were not done', async () => {
    const cluster = await start({ file });
    const { proxy, endpoint } = await proxied(cluster);
    const store = await open([endpoint], { timeouts: { commitMs: 1500, readMs: 500 } });
    await write(store, put('a', '1'));
    proxy.cut();
    // The watch notices first, so that nothing is under way.
    await eventually(
      () =>
        content(store).then(
          () => false,
          () => true,
        ),
      WITHIN,
    );
    await expect(write(store, put('b', '1'))).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringMatching(/etcd took no write for \d\.\d s \(Txn at etcd 127.0.0.1:\d+: No connection/),
    });
    proxy.heal();
    await eventually(() => write(store, put('c', '1')), WITHIN);
    expect(await content(store)).toEqual(['a=1', 'c=1']);
  }, 120_000);

  it('that leads to another cluster than before is not used, even while the own one is away', async () => {
    const [mine, theirs] = [await start({ file }), await start({ file })];
    // Away at the opening, which otherwise refuses members of two clusters.
    const { proxy, endpoint } = await proxied(theirs);
    proxy.cut();
    const store = await open([...mine.endpoints, endpoint], { timeouts: { commitMs: 2000, readMs: 500 } });
    proxy.heal();
    await write(store, put('a', '1'));
    await mine.kill();
    await eventually(
      () =>
        expect(write(store, put('b', '1'))).rejects.toMatchObject({
          code: 'unavailable',
          message: expect.stringMatching(/another etcd cluster|No connection/),
        }),
      WITHIN,
    );
    expect(await theirs.keys('')).toEqual([]);
    await mine.restart();
    await eventually(() => write(store, put('c', '1')), WITHIN);
    expect(await content(await open(mine.endpoints))).toContain('c=1');
  }, 120_000);
});

describeEtcd(CURRENT_ETCD, 'an etcd with lower limits than usual', (file) => {
  it('gets batches cut to what it takes; a single transaction that is too large is refused naming the flags', async () => {
    const cluster = await start({ file, args: ['--max-request-bytes', '100000', '--max-txn-ops', '10'] });
    const store = await open(cluster.endpoints);
    const many = Array.from({ length: 60 }, (_, i) => write(store, put(`k${i}`, Buffer.alloc(5000))));
    expect((await Promise.all(many)).sort((a, b) => a - b)).toEqual(Array.from({ length: 60 }, (_, i) => i + 1));
    for (const ops of [
      [put('large', Buffer.alloc(200_000))],
      Array.from({ length: 20 }, (_, i) => put(`m${i}`, '1')),
    ]) {
      await expect(store.commit({ compares: [], ops })).rejects.toMatchObject({
        code: 'tooLarge',
        message: expect.stringMatching(/--max-request-bytes or --max-txn-ops/),
      });
    }
    expect(await write(store, put('after', '1'))).toBe(61);
  }, 60_000);

  it('lets one that is too large fail alone, and takes many at once again soon after', async () => {
    const cluster = await start({ file, args: ['--max-request-bytes', '200000'] });
    const metrics = new Metrics();
    const store = await open(cluster.endpoints, { metrics });
    for (let round = 0; round < 3; round++) {
      const large = store.commit({ compares: [], ops: [put('large', Buffer.alloc(300_000))] });
      const others = Array.from({ length: 40 }, (_, i) => write(store, put(`r${round}-${i}`, '1')));
      await expect(large).rejects.toMatchObject({ code: 'tooLarge' });
      await Promise.all(others);
    }
    // The batches were halved until it was alone; they grow again.
    for (let i = 0; i < 64; i++) await write(store, put('one', `${i}`));
    const batches = async (): Promise<number> =>
      Number(/lictor_store_batch_transactions_count (\d+)/.exec(await metrics.text())![1]);
    const before = await batches();
    await Promise.all(Array.from({ length: 120 }, (_, i) => write(store, put(`last${i}`, '1'))));
    expect((await batches()) - before).toBeLessThan(10);
  }, 60_000);
});

describeEtcd(CURRENT_ETCD, 'keys of the store', (file) => {
  it('that something else writes or removes end the store with a clear error, and are refused when it is opened again', async () => {
    const cluster = await start({ file });
    const store = await open(cluster.endpoints);
    // What another server writes comes by the watch, which is open then.
    const shown = await write(await open(cluster.endpoints), put('a', '1'));
    await eventually(() => expect(store.revision()).toBe(shown), WITHIN);
    const [entry] = (await cluster.keys('lictor/data/')).filter((key) => key.endsWith('/e/a'));
    await cluster.call('kv/deleterange', { key: Buffer.from(entry!).toString('base64') });
    await eventually(async () => {
      await expect(write(store, put('b', '1'))).rejects.toMatchObject({
        code: 'storeCorrupt',
        message: expect.stringMatching(/e\/a" was changed by something else/),
      });
    }, WITHIN);
    const watching = take(store.watch(EVERYTHING, store.revision(), new AbortController().signal), 1);
    await expect(watching).rejects.toMatchObject({ code: 'storeCorrupt' });
    await expect(open(cluster.endpoints)).rejects.toMatchObject({
      code: 'storeCorrupt',
      message: expect.stringMatching(/0 entries .* are there, where the servers left 1 entries/),
    });
  }, 60_000);

  it('that are no entry are named at opening', async () => {
    const cluster = await start({ file });
    await open(cluster.endpoints);
    const generation = (await cluster.keys('lictor/data/'))[0]!.split('/')[2];
    await cluster.put(`lictor/data/${generation}/e/odd`, 'short');
    await expect(open(cluster.endpoints)).rejects.toMatchObject({
      code: 'storeCorrupt',
      message: expect.stringMatching(/e\/odd" does not hold what this store writes there/),
    });
  }, 60_000);

  it('of a newer format are refused', async () => {
    const cluster = await start({ file });
    await cluster.put('lictor/root', JSON.stringify({ format: 3, storeId: 's', generation: 'g' }));
    await expect(open(cluster.endpoints)).rejects.toMatchObject({ code: 'storeVersion' });
  }, 60_000);

  it('outlive a restore that was cut short, of which the next restore removes all', async () => {
    const cluster = await start({ file });
    const store = await open(cluster.endpoints);
    const snapshotOf = (from: Store): AsyncIterable<Uint8Array> => from.snapshot(new AbortController().signal);
    for (let i = 0; i < 20; i++) await write(store, put(`k${i}`, Buffer.alloc(50_000, 'v')));
    const before = await content(store);
    // As a process would leave it that ends in the middle.
    await cluster.put('lictor/restoring/dead', '');
    await cluster.put('lictor/data/dead/e/k', '000000000000left');
    expect(await content(await open(cluster.endpoints))).toEqual(before);
    await store.restore(snapshotOf(store));
    expect(await content(store)).toEqual(before);
    const generations = new Set((await cluster.keys('lictor/data/')).map((key) => key.split('/')[2]));
    expect(generations.size).toBe(1);
    expect(await cluster.keys('lictor/restoring/')).toEqual([]);
  }, 60_000);

  it('are replaced for every engine by a restore in one of them, also while they write', async () => {
    const cluster = await start({ file });
    const [one, two] = [await open(cluster.endpoints), await open(cluster.endpoints)];
    await write(one, put('kept', '1'));
    const chunks: Uint8Array[] = [];
    for await (const chunk of one.snapshot(new AbortController().signal)) chunks.push(chunk);
    async function* stream(): AsyncGenerator<Uint8Array, void, void> {
      yield* chunks;
    }
    const writing = Array.from({ length: 40 }, async (_, i): Promise<CommitResult> => {
      await sleep(i);
      return two.commit({ compares: [], ops: [put(`w${i}`, '1')] });
    });
    await sleep(10);
    const restored = await one.restore(stream());
    const results = await Promise.all(writing);
    const later = results.flatMap(({ revision }, i) => (revision > restored ? [`w${i}=1`] : []));
    const expected = ['kept=1', ...later].sort();
    for (const store of [one, two]) {
      await eventually(
        () => store.revision() >= Math.max(restored, ...results.map(({ revision }) => revision)),
        WITHIN,
      );
      expect((await content(store)).sort()).toEqual(expected);
    }
  }, 60_000);
});

describeEtcd(CURRENT_ETCD, 'the watch on etcd', (file) => {
  it('is counted each time it is opened again', async () => {
    const cluster = await start({ file });
    const { proxy, endpoint } = await proxied(cluster);
    const metrics = new Metrics();
    const store = await open([endpoint], { metrics });
    proxy.breakConnections();
    await eventually(async () => {
      expect(await metrics.text()).toMatch(/lictor_store_watch_restarts_total\{reason="lost"\} [1-9]/);
    }, WITHIN);
    await write(store, put('a', '1'));
    expect(await metrics.text()).toMatch(/lictor_store_sync_seconds_count 1/);
  }, 60_000);
});
