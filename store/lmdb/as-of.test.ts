import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SystemClock } from '../../core/clock.ts';
import { silentLogger } from '../../core/log.ts';
import { SeededRandom, SystemRandom } from '../../core/random.ts';
import { EVERYTHING } from '../contract/shorthand.ts';
import { openMemoryStore } from '../memory/memory-store.ts';
import type { Compare, Key, Op, Revision, Store, Txn } from '../store.ts';
import { openLmdbStore } from './open-lmdb-store.ts';

const KEYS = ['a', 'b', 'c', 'd', 'e', 'f'];
const RANGE = { start: 'b', end: 'd' };
const ROUNDS = 250;
/** Transactions that are committed together, and so may share a batch. */
const TOGETHER = 6;
/** Small, so that changes go over into LMDB every few rounds. */
const JOURNAL_BYTES = 64 * 1024;
const VALUE = Buffer.alloc(1500, 'v');

/** What a follower of the store knew at some revision. */
interface Knowledge {
  readonly revision: Revision;
  readonly modRevisions: ReadonlyMap<Key, Revision>;
}

/** Transactions by writers whose knowledge is of different ages. */
class Writers {
  readonly #random: SeededRandom;
  readonly #knowledge: Knowledge[] = [];

  constructor(seed: number) {
    this.#random = new SeededRandom(seed);
  }

  async learn(model: Store): Promise<void> {
    const { entries, revision } = await model.read(EVERYTHING);
    this.#knowledge.push({ revision, modRevisions: new Map(entries.map((one) => [one.key, one.modRevision])) });
    if (this.#knowledge.length > 8) this.#knowledge.shift();
  }

  txn(): Txn {
    const known = this.#oneOf(this.#knowledge);
    const keys = KEYS.filter(() => this.#random.next() < 0.3);
    const compares: Compare[] = keys.map((key) => ({
      kind: 'key',
      key,
      modRevision: known.modRevisions.get(key) ?? 0,
    }));
    if (this.#random.next() < 0.2) compares.push({ kind: 'range', range: RANGE, maxModRevision: known.revision });
    return { compares, ops: this.#ops(keys), asOf: known.revision };
  }

  #ops(compared: readonly Key[]): Op[] {
    const kind = this.#random.next();
    if (kind < 0.05) return [{ kind: 'deleteRange', range: RANGE }];
    return (kind < 0.8 ? compared : [this.#oneOf(KEYS)]).map((key) => this.#op(key));
  }

  #op(key: Key): Op {
    if (this.#random.next() < 0.3) return { kind: 'delete', key };
    return { kind: 'put', key, value: VALUE };
  }

  #oneOf<T>(all: readonly T[]): T {
    return all[Math.floor(this.#random.next() * all.length)]!;
  }
}

/** The entries without their values. */
async function revisionsOf(store: Store): Promise<unknown[]> {
  const { entries } = await store.read(EVERYTHING);
  return entries.map(({ key, createRevision, modRevision }) => ({ key, createRevision, modRevision }));
}

describe('lmdb store with transactions that say since when they know', () => {
  let dir = '';
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'lictor-as-of-'));
  });
  afterEach(() => {
    rmSync(dir, { recursive: true, force: true });
  });

  it.each([1, 2, 3])('answers as if it had looked at everything (seed %i)', async (seed) => {
    const model = openMemoryStore();
    const deps = { clock: new SystemClock(), log: silentLogger, random: new SystemRandom() };
    const limits = { maxTxnBytes: 16 * 1024 };
    const store = await openLmdbStore({ ...deps, dir, limits, journalBytes: JOURNAL_BYTES });
    const writers = new Writers(seed);
    for (let round = 0; round < ROUNDS; round++) {
      await writers.learn(model);
      const txns = Array.from({ length: TOGETHER }, () => writers.txn());
      const wanted = [];
      for (const { compares, ops } of txns) wanted.push(await model.commit({ compares, ops }));
      expect(await Promise.all(txns.map((txn) => store.commit(txn)))).toEqual(wanted);
    }
    expect(await revisionsOf(store)).toEqual(await revisionsOf(model));
    await store.close();
  });

  it.each([undefined, 99, NaN])('looks at everything where they do not say so, or cannot know (%s)', async (asOf) => {
    const store = await openLmdbStore({ clock: new SystemClock(), log: silentLogger, random: new SystemRandom(), dir });
    await store.commit({ compares: [], ops: [{ kind: 'put', key: 'a', value: VALUE }] });
    const compares = [{ kind: 'key' as const, key: 'b', modRevision: 1 }];
    const txn = { compares, ops: [], ...(asOf === undefined ? {} : { asOf }) };
    expect(await store.commit(txn)).toMatchObject({ ok: false, failedCompare: 0 });
    await store.close();
  });
});
