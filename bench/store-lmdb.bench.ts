import { closeSync, fdatasyncSync, mkdirSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SystemClock } from '../core/clock.ts';
import { silentLogger } from '../core/log.ts';
import { SystemRandom } from '../core/random.ts';
import { openLmdbStore } from '../store/lmdb/open-lmdb-store.ts';
import type { Store } from '../store/store.ts';
import type { Figure } from './run.ts';

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

interface Writing {
  readonly perSecond: number;
  /** Seconds of processor time. */
  readonly cpuPer1000: number;
}

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

/** Appends of a record's size, each with its own fdatasync. */
function syncsPerSecond(file: number): number {
  const start = clock.monotonic();
  let count = 0;
  while (clock.monotonic() - start < ROUND_MS) {
    writeSync(file, VALUE);
    fdatasyncSync(file);
    count++;
  }
  return (count / (clock.monotonic() - start)) * 1000;
}

async function commitsPerSecond(store: Store, writers: number): Promise<Writing> {
  const start = clock.monotonic();
  const cpu = process.cpuUsage();
  let count = 0;
  const writer = async (): Promise<void> => {
    while (clock.monotonic() - start < ROUND_MS) {
      await store.commit({ compares: [], ops: [{ kind: 'put', key: key(count * 7919), value: VALUE }] });
      count++;
    }
  };
  await Promise.all(Array.from({ length: writers }, writer));
  const { user, system } = process.cpuUsage(cpu);
  return {
    perSecond: (count / (clock.monotonic() - start)) * 1000,
    cpuPer1000: (user + system) / 1e6 / (count / 1000),
  };
}

async function fill(store: Store): Promise<void> {
  for (let i = 0; i < KEYS; i += 100) {
    const ops = Array.from({ length: 100 }, (_, j) => ({ kind: 'put' as const, key: key(i + j), value: VALUE }));
    await store.commit({ compares: [], ops });
  }
}

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[values.length >> 1]!;
}

function print(figure: Figure): void {
  const ok =
    figure.bar === null || (figure.better === 'lower' ? figure.value <= figure.bar : figure.value >= figure.bar);
  console.log(JSON.stringify({ ...figure, ok }));
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
  const file = openSync(join(dir, 'appended'), 'w');
  const rounds: Round[] = [];
  for (let i = 0; i < ROUNDS; i++) {
    const syncs = syncsPerSecond(file);
    const [one, many] = [await commitsPerSecond(store, 1), await commitsPerSecond(store, 64)];
    rounds.push({ syncs, one, many });
  }
  closeSync(file);
  await store.close();
  const of = (pick: (round: Round) => number): number => median(rounds.map(pick));
  print({ name: 'disk append + fdatasync', value: of((r) => r.syncs), unit: 'syncs/s', bar: null });
  print({ name: 'store-lmdb 1 writer', value: of((r) => r.one.perSecond), unit: 'commits/s', bar: null });
  print({ name: 'store-lmdb 64 writers', value: of((r) => r.many.perSecond), unit: 'commits/s', bar: null });
  print({ name: 'store-lmdb 1 writer to disk', value: of((r) => r.one.perSecond / r.syncs), unit: 'ratio', bar: 0.6 });
  print({ name: 'store-lmdb 64 writers to disk', value: of((r) => r.many.perSecond / r.syncs), unit: 'ratio', bar: 5 });
  print({
    name: 'store-lmdb 64 writers CPU',
    value: of((r) => r.many.cpuPer1000),
    unit: 's/1000 commits',
    bar: null,
  });
  print({ name: 'store-lmdb open, 10,000 entries', value: openedMs, unit: 'ms', bar: 500, better: 'lower' });
  print({
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
