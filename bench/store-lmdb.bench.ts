import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SystemClock } from '../core/clock.ts';
import { silentLogger } from '../core/log.ts';
import { SystemRandom } from '../core/random.ts';
import { openLmdbStore } from '../store/lmdb/open-lmdb-store.ts';
import type { Store } from '../store/store.ts';
import { median, show, syncsPerSecond, type Writing, writing } from './measure.ts';

/**
 * Durable commits in a second on the LMDB engine, by one writer and by 64, as a ratio to what the same disk does in
 * appends with fdatasync. The disk's speed changes from second to second on shared machines, so the three take turns and
 * the median of the rounds' ratios counts. One commit costs one sync of the journal; 64 writers share it.
 */
const SHORT = process.argv.includes('--short');
const ROUNDS = SHORT ? 3 : 7;
const ROUND_MS = SHORT ? 500 : 1500;
const KEYS = 10_000;
const VALUE = Buffer.alloc(300, 'v');

interface Round {
  readonly syncs: number;
  readonly one: Writing;
  readonly many: Writing;
}

const clock = new SystemClock();
const folder = join(dirname(fileURLToPath(import.meta.url)), '..', '.cache');

function key(n: number): string {
  return `instance/${n % KEYS}`;
}

async function fill(store: Store): Promise<void> {
  for (let i = 0; i < KEYS; i += 100) {
    const ops = Array.from({ length: 100 }, (_, j) => ({ kind: 'put' as const, key: key(i + j), value: VALUE }));
    await store.commit({ compares: [], ops });
  }
}

async function main(dir: string): Promise<void> {
  const open = (): Promise<Store> =>
    openLmdbStore({ dir: join(dir, 'store'), clock, log: silentLogger, random: new SystemRandom() });
  const rssBefore = process.memoryUsage.rss();
  let store = await open();
  await fill(store);
  await store.close();
  const opening = clock.monotonic();
  store = await open();
  const openedMs = clock.monotonic() - opening;
  const rss = process.memoryUsage.rss();
  const commit = (n: number) =>
    store.commit({ compares: [], ops: [{ kind: 'put', key: key(n * 7919), value: VALUE }] });
  const rounds: Round[] = [];
  for (let i = 0; i < ROUNDS; i++) {
    const syncs = syncsPerSecond(dir, VALUE, ROUND_MS);
    const [one, many] = [await writing(1, ROUND_MS, commit), await writing(64, ROUND_MS, commit)];
    rounds.push({ syncs, one, many });
  }
  await store.close();
  const of = (pick: (round: Round) => number): number => pick(median(rounds, pick));
  show({ name: 'disk append + fdatasync', value: of((r) => r.syncs), unit: 'syncs/s', bar: null });
  show({ name: 'store-lmdb 1 writer', value: of((r) => r.one.perSecond), unit: 'commits/s', bar: null });
  show({ name: 'store-lmdb 64 writers', value: of((r) => r.many.perSecond), unit: 'commits/s', bar: null });
  show({ name: 'store-lmdb 1 writer to disk', value: of((r) => r.one.perSecond / r.syncs), unit: 'ratio', bar: 0.6 });
  show({ name: 'store-lmdb 64 writers to disk', value: of((r) => r.many.perSecond / r.syncs), unit: 'ratio', bar: 5 });
  show({
    name: 'store-lmdb 64 writers CPU',
    value: of((r) => r.many.cpuPer1000),
    unit: 's/1000 commits',
    bar: null,
  });
  show({ name: 'store-lmdb open, 10,000 entries', value: openedMs, unit: 'ms', bar: 500, better: 'lower' });
  show({
    name: 'store-lmdb RSS, 10,000 entries',
    value: (rss - rssBefore) / 2 ** 20,
    unit: 'MiB',
    bar: 60,
    better: 'lower',
  });
}

mkdirSync(folder, { recursive: true });
const dir = mkdtempSync(join(folder, 'bench-store-'));
try {
  await main(dir);
} finally {
  rmSync(dir, { recursive: true, force: true });
}
