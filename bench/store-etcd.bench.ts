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
import { median, show, type Writing, writing } from './measure.ts';

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

const clock = new SystemClock();

function key(n: number): string {
  return `instance/${(n * 7919) % KEYS}`;
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
      plainOne: await writing(1, ROUND_MS, plainPut(client)),
      one: await writing(1, ROUND_MS, commit(store)),
      plainMany: await writing(64, ROUND_MS, plainPut(client)),
      many: await writing(64, ROUND_MS, commit(store)),
    });
  }
  client.close();
  await store.close();
  const of = (pick: (round: (typeof rounds)[number]) => number): number => pick(median(rounds, pick));
  const tell = (name: string, value: number, unit: string): void => show({ name, value, unit, bar: null });
  tell(
    'etcd plain puts, 1 writer',
    of((r) => r.plainOne.perSecond),
    'puts/s',
  );
  tell(
    'etcd plain puts, 64 writers',
    of((r) => r.plainMany.perSecond),
    'puts/s',
  );
  tell(
    'store-etcd 1 writer',
    of((r) => r.one.perSecond),
    'commits/s',
  );
  tell(
    'store-etcd 64 writers',
    of((r) => r.many.perSecond),
    'commits/s',
  );
  const toOne = of((r) => r.one.perSecond / r.plainOne.perSecond);
  const toMany = of((r) => r.many.perSecond / r.plainMany.perSecond);
  show({ name: 'store-etcd 1 writer to plain puts', value: toOne, unit: 'ratio', bar: 0.67 });
  show({ name: 'store-etcd 64 writers to plain puts', value: toMany, unit: 'ratio', bar: 4 });
  tell(
    'etcd plain puts, 64 writers CPU',
    of((r) => r.plainMany.cpuPer1000),
    's/1000 puts',
  );
  tell(
    'store-etcd 64 writers CPU',
    of((r) => r.many.cpuPer1000),
    's/1000 commits',
  );
  show({ name: 'store-etcd open, 10,000 entries', value: openedMs, unit: 'ms', bar: 1000, better: 'lower' });
  show({ name: 'store-etcd read, 10,000 entries', value: readMs, unit: 'ms', bar: 1000, better: 'lower' });
  const grownMiB = (rss - rssBefore) / 2 ** 20;
  show({ name: 'store-etcd RSS, 10,000 entries', value: grownMiB, unit: 'MiB', bar: 80, better: 'lower' });
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
