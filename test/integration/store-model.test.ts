import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { crc32 } from 'node:zlib';
import { SystemClock } from '../../core/clock.ts';
import { silentLogger } from '../../core/log.ts';
import { SeededRandom, SystemRandom } from '../../core/random.ts';
import { EVERYTHING, take } from '../../store/contract/shorthand.ts';
import { openEtcdStore } from '../../store/etcd/open-etcd-store.ts';
import { openLmdbStore } from '../../store/lmdb/open-lmdb-store.ts';
import { openMemoryStore } from '../../store/memory/memory-store.ts';
import type { Compare, KeyRange, Op, Store, StoreEntry, StoreEvents, Txn } from '../../store/store.ts';
import { CURRENT_ETCD, describeEtcd, INSTALLED_ETCD } from '../support/etcd/binaries.ts';
import { EtcdCluster } from '../support/etcd/etcd-cluster.ts';

/*
 * The same random operations on the memory engine, which is the model, and on another: every answer must be equal, also
 * after the other was closed and opened again.
 */
const RUNS = Number(process.env.LICTOR_STORE_RUNS ?? 12);
const STEPS = 60;
const history = { maxRevisions: 20 };

/** Few keys, so that operations meet; with prefixes of each other, and an order that UTF-16 gets wrong. */
const KEYS = [
  'a',
  'a\u0001',
  'aa',
  'ab',
  'b',
  'b/ä',
  'b/\uff5e',
  'b/\u{1F600}',
  'c',
  `d${'x'.repeat(1400)}`,
  '\u{10FFFE}',
];
const BOUNDS = ['', ...KEYS, '\u{10FFFF}'];

class Dice {
  readonly #random: SeededRandom;

  constructor(seed: number) {
    this.#random = new SeededRandom(seed);
  }
  below(n: number): number {
    return Math.floor(this.#random.next() * n);
  }
  of<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!;
  }
  some<T>(most: number, make: () => T): T[] {
    return Array.from({ length: this.below(most + 1) }, make);
  }
}

function randomRange(dice: Dice): KeyRange {
  return { start: dice.of(BOUNDS), end: dice.of(BOUNDS) };
}

function randomCompare(dice: Dice, newest: number): Compare {
  // Mostly what may well hold, so that enough transactions get through.
  const revision = dice.of([0, newest, newest, Math.max(0, newest - dice.below(10))]);
  return dice.below(2) === 0
    ? { kind: 'key', key: dice.of(KEYS), modRevision: revision }
    : { kind: 'range', range: randomRange(dice), maxModRevision: revision };
}

function randomOp(dice: Dice): Op {
  const kind = dice.below(10);
  if (kind < 6) {
    // Inside a page, and on pages of its own.
    return {
      kind: 'put',
      key: dice.of(KEYS),
      value: Buffer.alloc(dice.of([0, 10, 500, 3000, 20_000]), dice.below(256)),
    };
  }
  return kind < 8 ? { kind: 'delete', key: dice.of(KEYS) } : { kind: 'deleteRange', range: randomRange(dice) };
}

function randomTxn(dice: Dice, newest: number): Txn {
  const compares = dice.below(3) === 0 ? dice.some(2, () => randomCompare(dice, newest)) : [];
  return { compares, ops: dice.some(4, () => randomOp(dice)) };
}

/** What a call gave, in a form that compares equal whatever the engine's kind of byte array, and prints short. */
async function outcome(call: Promise<unknown>): Promise<unknown> {
  return plain(await call.catch((error: { code: string }) => ({ code: error.code })));
}

function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return `${value.byteLength} bytes, CRC ${crc32(value)}`;
  if (value instanceof Error) return { code: (value as Error & { code?: string }).code };
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  // An engine may make one object of a put and its entry.
  if ('entry' in value) return entryOf(value.entry as StoreEntry);
  if ('modRevision' in value && 'value' in value) return entryOf(value as StoreEntry);
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, plain(part)]));
}

function entryOf({ key, value, createRevision, modRevision }: StoreEntry): object {
  return { key, value: plain(value), createRevision, modRevision };
}

async function events(store: Store, after: number): Promise<StoreEvents[]> {
  return take(store.watch(EVERYTHING, after, new AbortController().signal), store.revision() - after);
}

/** Compares an engine, opened by folder, with the model. */
function describeModel(openEngine: (dir: string) => Promise<Store>): void {
  let dir = '';
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'lictor-model-'));
  });
  afterEach(async () => {
    await rm(dir, { recursive: true, force: true });
  });

  it.each(Array.from({ length: RUNS }, (_, i) => i + 1))(
    'gives the same answers to random operations, seed %d',
    async (seed) => {
      const dice = new Dice(seed);
      const model = openMemoryStore({ history });
      let engine = await openEngine(dir);
      /** The oldest revision that both can watch from. */
      let floor = 0;
      const same = async (call: (store: Store) => Promise<unknown>): Promise<void> => {
        const [expected, actual] = [await outcome(call(model)), await outcome(call(engine))];
        expect(actual).toEqual(expected);
      };
      for (let step = 0; step < STEPS; step++) {
        const action = dice.below(20);
        if (action < 12) {
          const newest = model.revision();
          const txns = dice.some(8, () => randomTxn(dice, newest));
          await same((store) => Promise.allSettled(txns.map((txn) => store.commit(txn))));
        } else if (action < 16) {
          const range = randomRange(dice);
          await same((store) => store.read(range));
        } else if (action < 18) {
          const after = floor + dice.below(model.revision() - floor + 1);
          await same((store) => events(store, after));
        } else if (action === 18) {
          await engine.close();
          engine = await openEngine(dir);
          floor = engine.revision();
        } else {
          const signal = new AbortController().signal;
          const chunks: Uint8Array[] = [];
          for await (const chunk of dice.of([model, engine]).snapshot(signal)) chunks.push(chunk);
          async function* stream(): AsyncGenerator<Uint8Array, void, void> {
            yield* chunks;
          }
          await same((store) => store.restore(stream()));
          floor = model.revision();
        }
        expect(engine.revision()).toBe(model.revision());
      }
      await same((store) => store.read(EVERYTHING));
      await engine.close();
    },
    60_000,
  );
}

const deps = { history, clock: new SystemClock(), log: silentLogger, random: new SystemRandom() };

describe('LMDB and the memory model', () => {
  describeModel((dir) => openLmdbStore({ dir, ...deps }));
});

describe.each([INSTALLED_ETCD, CURRENT_ETCD])('$name and the memory model', (binary) => {
  describeEtcd(binary, 'over its gRPC API', (file) => {
    let etcd: EtcdCluster;
    beforeAll(async () => {
      etcd = await EtcdCluster.start({ file });
    }, 120_000);
    afterAll(() => etcd.stop());

    describeModel((dir) => openEtcdStore({ endpoints: etcd.endpoints, prefix: `${basename(dir)}/`, ...deps }));
  });
});
