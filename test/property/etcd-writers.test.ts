import { SystemClock } from '../../core/clock.ts';
import { silentLogger } from '../../core/log.ts';
import { SeededRandom, SystemRandom } from '../../core/random.ts';
import { EVERYTHING, take } from '../../store/contract/shorthand.ts';
import { openEtcdStore } from '../../store/etcd/open-etcd-store.ts';
import { openMemoryStore } from '../../store/memory/memory-store.ts';
import type { CommitResult, Compare, Op, Revision, Store, StoreEvents, Txn } from '../../store/store.ts';
import { CURRENT_ETCD, describeEtcd } from '../support/etcd/binaries.ts';
import { EtcdCluster } from '../support/etcd/etcd-cluster.ts';

/*
 * Several processes' worth of engines write to one store at the same time. Their answers must be those of one store that
 * takes the transactions one after another in the order of their revisions: which is replayed on the memory engine.
 */
const RUNS = Number(process.env.LICTOR_STORE_RUNS ?? 6);
const ENGINES = 3;
const WRITERS = 4;
const COMMITS = 25;
const KEYS = ['a', 'b', 'b/1', 'b/2', 'c', 'd'];

interface Done {
  readonly txn: Txn;
  readonly result: CommitResult;
  /** The revision that its engine knew when it was called. */
  readonly knew: Revision;
}

class Writer {
  readonly #random: SeededRandom;
  readonly #store: Store;

  constructor(store: Store, seed: number) {
    this.#store = store;
    this.#random = new SeededRandom(seed);
  }

  async write(): Promise<Done[]> {
    const done: Done[] = [];
    for (let i = 0; i < COMMITS; i++) {
      const knew = this.#store.revision();
      const txn = await this.#txn();
      done.push({ txn, knew, result: await this.#store.commit(txn) });
    }
    return done;
  }

  /** Compares with what it has just read, so that most would hold if nobody else wrote. */
  async #txn(): Promise<Txn> {
    const { entries, revision } = await this.#store.read(EVERYTHING);
    const key = this.#of(KEYS);
    const modRevision = entries.find((entry) => entry.key === key)?.modRevision ?? 0;
    const compares: Compare[] = [
      [],
      [{ kind: 'key' as const, key, modRevision }],
      [{ kind: 'range' as const, range: { start: 'b', end: 'd' }, maxModRevision: revision }],
    ][this.#below(3)]!;
    const put: Op = { kind: 'put', key, value: Buffer.from(`${this.#below(1e9)}`) };
    const other: Op = [
      { kind: 'put' as const, key: `x${this.#below(9)}`, value: Buffer.from('x') },
      { kind: 'delete' as const, key: `x${this.#below(9)}` },
      { kind: 'deleteRange' as const, range: { start: 'x2', end: 'x6' } },
    ][this.#below(3)]!;
    return { compares, ops: [put, other] };
  }

  #below(n: number): number {
    return Math.floor(this.#random.next() * n);
  }

  #of<T>(items: readonly T[]): T {
    return items[this.#below(items.length)]!;
  }
}

/** Whether the compare holds in the model as it was at a revision. */
async function holdsAt(model: Store, compare: Compare, at: Revision): Promise<boolean> {
  if (compare.kind === 'range') {
    const { entries } = await model.read(compare.range, at);
    return entries.every((entry) => entry.modRevision <= compare.maxModRevision);
  }
  const { entries } = await model.read({ start: compare.key, end: `${compare.key}\u0001` }, at);
  return (entries[0]?.modRevision ?? 0) === compare.modRevision;
}

function plain(events: readonly StoreEvents[]): unknown {
  return events.map(({ revision, changes }) => [
    revision,
    changes.map((change) =>
      change.kind === 'put'
        ? [change.entry.key, Buffer.from(change.entry.value).toString(), change.entry.createRevision]
        : [change.key],
    ),
  ]);
}

describeEtcd(CURRENT_ETCD, 'writers of several etcd engines', (file) => {
  let etcd: EtcdCluster;
  beforeAll(async () => {
    etcd = await EtcdCluster.start({ file });
  }, 120_000);
  afterAll(() => etcd.stop());

  it.each(Array.from({ length: RUNS }, (_, i) => i + 1))(
    'get the answers of one store that takes them one after another, seed %d',
    async (seed) => {
      const deps = { clock: new SystemClock(), log: silentLogger, random: new SystemRandom() };
      const open = (): Promise<Store> => openEtcdStore({ endpoints: etcd.endpoints, prefix: `w${seed}/`, ...deps });
      const stores = await Promise.all(Array.from({ length: ENGINES }, open));
      const writers = stores.flatMap((store, i) =>
        Array.from({ length: WRITERS }, (_, j) => new Writer(store, seed * 1000 + i * 100 + j)),
      );
      const done = (await Promise.all(writers.map((writer) => writer.write()))).flat();

      const model = openMemoryStore({ history: { maxRevisions: 1e6, maxBytes: 1e9 } });
      const good = done.filter(({ result }) => result.ok).sort((a, b) => a.result.revision - b.result.revision);
      for (const { txn, result } of good) expect(await model.commit(txn)).toEqual(result);
      expect(good.length).toBeGreaterThan(writers.length);
      expect(done.length).toBeGreaterThan(good.length);
      for (const { txn, result } of done) {
        if (result.ok) continue;
        const held = await Promise.all(txn.compares.map((compare) => holdsAt(model, compare, result.revision)));
        expect(held.indexOf(false)).toBe(result.failedCompare);
      }
      for (const { result, knew } of done) expect(result.revision).toBeGreaterThanOrEqual(knew);

      const never = new AbortController().signal;
      const expected = plain(await take(model.watch(EVERYTHING, 0, never), model.revision()));
      for (const store of stores) {
        expect(plain(await take(store.watch(EVERYTHING, 0, never), model.revision()))).toEqual(expected);
        expect((await store.read(EVERYTHING)).entries.map((entry) => [entry.key, entry.modRevision])).toEqual(
          (await model.read(EVERYTHING)).entries.map((entry) => [entry.key, entry.modRevision]),
        );
        await store.close();
      }
    },
    120_000,
  );
});
