import { INSTALLED_ETCD } from '../test/support/etcd/binaries.ts';
import { ServersOnEtcd } from '../test/support/etcd/servers-on-etcd.ts';
import type { AgentProcess } from '../test/support/processes/lictor.ts';
import type { Figure } from './run.ts';

/**
 * Three servers over three etcds: the leader is killed with SIGKILL, and a client of another server writes until it is
 * acknowledged again; meanwhile it reads with ?stale.
 */
const SHORT = process.argv.includes('--short');
const ROUNDS = SHORT ? 3 : 10;

async function put(server: AgentProcess, key: string): Promise<boolean> {
  const options = { method: 'PUT', body: 'x', signal: AbortSignal.timeout(10_000) };
  const response = await fetch(`${server.url}/v1/kv/${key}`, options).catch(() => undefined);
  return response !== undefined && (await response.text()) === 'true';
}

async function round(cluster: ServersOnEtcd): Promise<{ writesMs: number; staleFailures: number }> {
  const at = await cluster.leader();
  const leader = cluster.servers[at]!;
  const other = cluster.servers[cluster.others(at)[0]!];
  if (!(await put(other!, 'before'))) throw new Error('the leader takes no writes');
  let staleFailures = 0;
  let reading = true;
  const reads = (async () => {
    while (reading) {
      const answer = await fetch(`${other!.url}/v1/catalog/nodes?stale`).catch(() => undefined);
      await answer?.text();
      if (answer?.status !== 200) staleFailures++;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  })();
  await leader.kill();
  const begun = performance.now();
  while (!(await put(other!, 'after'))) {
    if (performance.now() - begun > 60_000) throw new Error('no writes for a minute');
  }
  const writesMs = performance.now() - begun;
  reading = false;
  await reads;
  await leader.restart();
  return { writesMs, staleFailures };
}

async function main(): Promise<void> {
  if (!INSTALLED_ETCD.file) throw new Error(`etcd is missing: ${INSTALLED_ETCD.install}`);
  const cluster = await ServersOnEtcd.start({ file: INSTALLED_ETCD.file });
  try {
    const times: number[] = [];
    let failures = 0;
    for (let n = 0; n < ROUNDS; n++) {
      const { writesMs, staleFailures } = await round(cluster);
      times.push(writesMs);
      failures += staleFailures;
    }
    times.sort((a, b) => a - b);
    const figures: Figure[] = [
      {
        name: 'leader killed: writes at another server again, median',
        value: times[times.length >> 1]!,
        unit: 'ms',
        bar: 3000,
        better: 'lower',
      },
      { name: 'the same, slowest', value: times.at(-1)!, unit: 'ms', bar: null },
      { name: 'stale reads that failed meanwhile', value: failures, unit: 'reads', bar: 0, better: 'lower' },
    ];
    for (const figure of figures) console.log(JSON.stringify(figure));
  } finally {
    await cluster.stop();
  }
}

await main();
