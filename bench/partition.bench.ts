import { setTimeout as after } from 'node:timers/promises';
import { INSTALLED_ETCD } from '../test/support/etcd/binaries.ts';
import { ETCD_FAULTS, SPLITS, type Split, SplitCluster } from '../test/support/etcd/split-cluster.ts';
import { CAN_HAVE_NETWORK, NETWORK_NEEDS } from '../test/support/network/broken-network.ts';
import type { AgentProcess } from '../test/support/processes/lictor.ts';
import { median } from './measure.ts';
import type { Figure } from './run.ts';

/**
 * Three servers over three etcds, each on a host of its own, of which the leader is cut off in several ways. Three clients
 * begin at once: one writes at another server until that is acknowledged, one writes once at the leader, and a little
 * later, when the leader knows, another one. Then all is mended.
 */
const SHORT = process.argv.includes('--short');
const ROUNDS = SHORT ? 1 : 3;
/** So long that TCP pauses for longer than the bar between two attempts. */
const CUT_MS = 14_000;
/** Until a split has taken hold of everything; counted with what follows. */
const WHOLE_MS = 100;
const KNOWS_MS = 3000;
const GIVE_UP_MS = 60_000;

interface Times {
  /** Until another server acknowledges a write. */
  readonly othersMs: number;
  /** How long the leader holds a write that comes at the moment of the split. */
  readonly firstMs: number;
  readonly laterMs: number;
  /** From mending until the leader of before takes writes. */
  readonly backMs: number;
}

let puts = 0;

/** Puts a value of its own: one that is there already would be acknowledged without etcd. */
async function put(server: AgentProcess, key: string): Promise<boolean> {
  const options = { method: 'PUT', body: `${++puts}`, signal: AbortSignal.timeout(GIVE_UP_MS) };
  const response = await fetch(`${server.url}/v1/kv/${key}`, options);
  return (await response.text()) === 'true';
}

/** Milliseconds until a write is acknowledged. */
async function untilWritten(server: AgentProcess): Promise<number> {
  const begun = performance.now();
  while (!(await put(server, 'again'))) {
    if (performance.now() - begun > GIVE_UP_MS) throw new Error(`no writes for ${GIVE_UP_MS} ms`);
  }
  return performance.now() - begun;
}

/** Milliseconds until one write is answered, whatever the answer. */
async function untilAnswered(server: AgentProcess): Promise<number> {
  const begun = performance.now();
  await put(server, 'held');
  return performance.now() - begun;
}

async function round(cluster: SplitCluster, split: Split): Promise<Times> {
  for (const server of cluster.servers) await untilWritten(server);
  const at = await cluster.on.leader();
  const leader = cluster.servers[at]!;
  const other = cluster.servers[cluster.on.others(at)[0]!]!;
  const mend = await split(cluster);
  const over = after(CUT_MS);
  await after(WHOLE_MS);
  const [othersMs, firstMs, laterMs] = await Promise.all([
    untilWritten(other).then((ms) => ms + WHOLE_MS),
    untilAnswered(leader),
    after(KNOWS_MS).then(() => untilAnswered(leader)),
  ]);
  await over;
  await mend();
  return { othersMs, firstMs, laterMs, backMs: await untilWritten(leader) };
}

/** An etcd that leads and is deaf goes on calling the others for an election timeout, and only then do they begin to wait. */
function othersBar(name: string): number {
  return name.includes('hear nobody') ? 5000 : 3000;
}

function figuresOf(name: string, all: readonly Times[]): Figure[] {
  const middle = (of: (times: Times) => number) => of(median(all, of));
  return [
    { name: `${name}: another server writes`, value: middle((times) => times.othersMs), bar: othersBar(name) },
    { name: `${name}: it answers a write of that moment`, value: middle((times) => times.firstMs), bar: 7500 },
    { name: `${name}: it answers a write of 3 s later`, value: middle((times) => times.laterMs), bar: 5000 },
    { name: `${name}: mended, it writes`, value: middle((times) => times.backMs), bar: 5000 },
  ].map((figure) => ({ ...figure, unit: 'ms', better: 'lower' as const }));
}

async function main(): Promise<void> {
  if (!INSTALLED_ETCD.file) throw new Error(`etcd is missing: ${INSTALLED_ETCD.install}`);
  if (!CAN_HAVE_NETWORK) throw new Error(`this bench runs ${NETWORK_NEEDS}`);
  const cluster = await SplitCluster.start(INSTALLED_ETCD.file);
  try {
    for (const [name, split] of Object.entries({ ...SPLITS, ...ETCD_FAULTS })) {
      const all: Times[] = [];
      for (let n = 0; n < ROUNDS; n++) all.push(await round(cluster, split));
      for (const figure of figuresOf(name, all)) console.log(JSON.stringify(figure));
    }
  } finally {
    await cluster.stop();
  }
}

await main();
