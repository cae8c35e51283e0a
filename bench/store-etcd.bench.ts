import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as grpc from '@grpc/grpc-js';
import { SystemClock } from '../core/clock.ts';
import { silentLogger } from '../core/log.ts';
import { SystemRandom } from '../core/random.ts';
import { parseEndpoints } from '../store/etcd/endpoints.ts';
import { DEFAULT_TIMEOUTS, EtcdClient } from '../store/etcd/etcd-client.ts';
import { openEtcdStore } from '../store/etcd/open-etcd-store.ts';
import { prefixRange, type Store } from '../store/store.ts';
import { CURRENT_ETCD, INSTALLED_ETCD } from '../test/support/etcd/binaries.ts';
import { EtcdCluster } from '../test/support/etcd/etcd-cluster.ts';
import type { Figure } from './run.ts';

/**
 * Durable commits in a second on the etcd engine, by one writer and by 64, as a ratio to plain puts into the same etcd
 * over the same client library, one call each. The machine's speed changes from second to second, so they take turns and
 * the median of the rounds' ratios counts.
 */
const SHORT = process.argv.includes('--short');
const ROUNDS = SHORT ? 3 : 7;
const ROUND_MS = SHORT ? 700 : 2000;
const KEYS = 10_000;
const VALUE = Buffer.alloc(300, 'v');

interface Writing {
  readonly perSecond: number;
  /** Seconds of this process's time. */
  readonly cpuPer1000: number;
}

const clock = new SystemClock();

function key(n: number): string {
  return `instance/${(n * 7919) % KEYS}`;
}

async function writing(writers: number, write: (n: number) => Promise<unknown>): Promise<Writing> {
  const start = clock.monotonic();
  const cpu = process.cpuUsage();
  let started = 0;
  let count = 0;
  const writer = async (): Promise<void> => {
    while (clock.monotonic() - start < ROUND_MS) {
      await write(started++);
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

function commit(store: Store): (n: number) => Promise<unknown> {
  return (n) => store.commit({ compares: [], ops: [{ kind: 'put', key: key(n), value: VALUE }] });
}

function plainPut(client: EtcdClient): (n: number) => Promise<unknown> {
  return (n) => {
    const put = { kind: 'put' as const, key: Buffer.from(`plain/${key(n)}`), value: [VALUE] };
    return client.txn({ compares: [], success: [put], failure: [] });
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
  console.log(JSON.stringify(figure));
}

async function main(etcd: EtcdCluster): Promise<void> {
  const open = (): Promise<Store> =>
    openEtcdStore({ endpoints: etcd.endpoints, clock, log: silentLogger, random: new SystemRandom() });
  const rssBefore = process.memoryUsage.rss();
  let store = await open();
  await fill(store);
  await store.close();
  const opening = clock.monotonic();
  store = await open();
  const openedMs = clock.monotonic() - opening;
  const rss = process.memoryUsage.rss();
  const reading = clock.monotonic();
  const { entries } = await store.read(prefixRange(''));
  const readMs = clock.monotonic() - reading;
  if (entries.length !== KEYS) throw new Error(`${entries.length} entries`);
  const client = new EtcdClient(
    { grpc, clock },
    { endpoints: parseEndpoints(etcd.endpoints, false), timeouts: DEFAULT_TIMEOUTS },
  );
  const rounds: { plainOne: Writing; one: Writing; plainMany: Writing; many: Writing }[] = [];
  for (let i = 0; i < ROUNDS; i++) {
    rounds.push({
      plainOne: await writing(1, plainPut(client)),
      one: await writing(1, commit(store)),
      plainMany: await writing(64, plainPut(client)),
      many: await writing(64, commit(store)),
    });
  }
  client.close();
  await store.close();
  const of = (pick: (round: (typeof rounds)[number]) => number): number => median(rounds.map(pick));
  const show = (name: string, value: number, unit: string): void => print({ name, value, unit, bar: null });
  show(
    'etcd plain puts, 1 writer',
    of((r) => r.plainOne.perSecond),
    'puts/s',
  );
  show(
    'etcd plain puts, 64 writers',
    of((r) => r.plainMany.perSecond),
    'puts/s',
  );
  show(
    'store-etcd 1 writer',
    of((r) => r.one.perSecond),
    'commits/s',
  );
  show(
    'store-etcd 64 writers',
    of((r) => r.many.perSecond),
    'commits/s',
  );
  const toOne = of((r) => r.one.perSecond / r.plainOne.perSecond);
  const toMany = of((r) => r.many.perSecond / r.plainMany.perSecond);
  print({ name: 'store-etcd 1 writer to plain puts', value: toOne, unit: 'ratio', bar: 0.67 });
  print({ name: 'store-etcd 64 writers to plain puts', value: toMany, unit: 'ratio', bar: 4 });
  show(
    'etcd plain puts, 64 writers CPU',
    of((r) => r.plainMany.cpuPer1000),
    's/1000 puts',
  );
  show(
    'store-etcd 64 writers CPU',
    of((r) => r.many.cpuPer1000),
    's/1000 commits',
  );
  print({ name: 'store-etcd open, 10,000 entries', value: openedMs, unit: 'ms', bar: 1000, better: 'lower' });
  print({ name: 'store-etcd read, 10,000 entries', value: readMs, unit: 'ms', bar: 1000, better: 'lower' });
  const grownMiB = (rss - rssBefore) / 2 ** 20;
  print({ name: 'store-etcd RSS, 10,000 entries', value: grownMiB, unit: 'MiB', bar: 80, better: 'lower' });
}

const file = CURRENT_ETCD.file ?? INSTALLED_ETCD.file;
if (file === undefined) {
  console.log(`skipped: no etcd; ${CURRENT_ETCD.install}`);
  process.exit(process.env.LICTOR_REQUIRE_REAL === '1' ? 1 : 0);
}
// On a disk: a sync must cost what it costs.
const cache = join(dirname(fileURLToPath(import.meta.url)), '..', '.cache');
mkdirSync(cache, { recursive: true });
const folder = mkdtempSync(join(cache, 'bench-etcd-'));
const etcd = await EtcdCluster.start({ file, folder });
try {
  await main(etcd);
} finally {
  await etcd.stop();
  rmSync(folder, { recursive: true, force: true });
}
