import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Pool } from 'undici';
import { INSTALLED_ETCD } from '../test/support/etcd/binaries.ts';
import { EtcdCluster } from '../test/support/etcd/etcd-cluster.ts';
import { startServer } from '../test/support/processes/lictor.ts';
import { call, drive, poolOf, sleep } from './load.ts';
import { show } from './measure.ts';
import { ServerProcess } from './server-process.ts';

/**
 * 10,000 sessions with a time to live of a minute, kept by one server in a process of its own and by three servers on etcd:
 * the processor time that they cost above the same server without them, while nothing is due, and while each is renewed
 * every 30 s, one request after the other, at all servers in turn; beside it what as many requests cost a bare node:http
 * server. Then, in one server, as many end at once.
 */
const SHORT = process.argv.includes('--short');
const SESSIONS = 10_000;
const MANY_KEYS = 5000;
const TTL_S = 60;
/** Consul's clients renew at half the time to live. */
const RENEW_EVERY_S = 30;
const WINDOW_MS = SHORT ? 6_000 : 12_000;
const WARM_MS = 3_000;
/** A session lives twice its time to live, of which this is the shortest. */
const SHORTEST_TTL_S = 10;

/** Servers, and the processor time of each since its start. */
interface Bench {
  readonly pools: readonly Pool[];
  readonly cpuSeconds: () => Promise<number[]>;
  /** Which of them leads; 0 where there is one. */
  readonly leader: () => Promise<number>;
}

async function create(pools: readonly Pool[], ttl: string): Promise<string[]> {
  const ids: string[] = [];
  let left = SESSIONS;
  await drive(
    64,
    () => left-- > 0,
    async (n) => {
      const body = { Node: 'clients', NodeChecks: [], TTL: ttl };
      const { text } = await call(pools[n % pools.length]!, '/v1/session/create', body);
      ids.push((JSON.parse(text()) as { ID: string }).ID);
    },
  );
  return ids;
}

/** Per cent of a core that each server used during `work`. */
async function used({ cpuSeconds }: Bench, work: () => Promise<unknown>): Promise<number[]> {
  const before = await cpuSeconds();
  const begun = performance.now();
  await work();
  const seconds = (performance.now() - begun) / 1000;
  return (await cpuSeconds()).map((after, n) => ((after - before[n]!) / seconds) * 100);
}

/** Renews one after the other at the rate at which all are renewed in time. Gives how many. */
async function renew({ pools }: Bench, ids: readonly string[], forMs: number): Promise<number> {
  const everyMs = (RENEW_EVERY_S * 1000) / ids.length;
  const begun = performance.now();
  const open = new Set<Promise<unknown>>();
  let sent = 0;
  while (performance.now() - begun < forMs) {
    for (; sent * everyMs < performance.now() - begun; sent++) {
      const path = `/v1/session/renew/${ids[sent % ids.length]}`;
      const one = call(pools[sent % pools.length]!, path, {}).finally(() => open.delete(one));
      open.add(one);
    }
    await sleep(1);
  }
  await Promise.all(open);
  return sent;
}

/** Per cent of a core that a server needs which does nothing but answer as many requests. */
async function bareAnswers(folder: string): Promise<number> {
  writeFileSync(join(folder, 'body'), Buffer.alloc(300, 'x'));
  const server = await ServerProcess.start('bare', join(folder, 'body'));
  const pools = [poolOf(server.port, 64)];
  const bench = { pools, cpuSeconds: async () => [(await server.usage()).cpuSeconds], leader: async () => 0 };
  const ids = Array.from({ length: SESSIONS }, (_, n) => String(n));
  await renew(bench, ids, WARM_MS);
  const [percent] = await used(bench, () => renew(bench, ids, WINDOW_MS));
  await pools[0]!.destroy();
  await server.stop();
  return percent!;
}

async function keep(name: string, bench: Bench, bare: number): Promise<void> {
  await call(bench.pools[0]!, '/v1/catalog/register', { Node: 'clients', Address: '10.0.0.1' });
  // What has just been compiled and collected is not to be counted.
  await create(bench.pools, `${TTL_S}s`).then((ids) => renew(bench, ids, WARM_MS).then(() => destroy(bench, ids)));
  await sleep(WARM_MS);
  const without = await used(bench, () => sleep(WINDOW_MS));
  const ids = await create(bench.pools, `${TTL_S}s`);
  await sleep(WARM_MS);
  const idle = await used(bench, () => sleep(WINDOW_MS));
  const renewed = await used(bench, () => renew(bench, ids, WINDOW_MS));
  const leader = await bench.leader();
  const more = (percents: number[]) => percents.map((percent, n) => Math.max(0, percent - without[n]!));
  const unit = '% of a core';
  const title = `${SESSIONS} sessions with TTL, ${name}`;
  show({ name: `the same without sessions, ${name}`, value: without[leader]!, unit, bar: null });
  show({ name: `${title}, none due`, value: more(idle)[leader]!, unit, bar: 5, better: 'lower' });
  // 5 % is for a machine of its own: where a bare server needs more than half of that, it is the measure.
  const bar = Math.max(5, bare * 2);
  const rate = `${Math.round(ids.length / RENEW_EVERY_S)} renewals a second`;
  show({ name: `as many answers of a bare node:http beside ${name}`, value: bare, unit, bar: null });
  show({ name: `${title}, ${rate}`, value: more(renewed)[leader]!, unit, bar, better: 'lower' });
  if (bench.pools.length === 1) return;
  const others = Math.max(...more(renewed).filter((_, n) => n !== leader));
  show({
    name: `the busier of the others, which hand on ${rate} in three`,
    value: others,
    unit,
    bar,
    better: 'lower',
  });
}

async function destroy({ pools }: Bench, ids: readonly string[]): Promise<void> {
  let next = 0;
  await drive(
    64,
    () => next < ids.length,
    (n) => {
      next = n + 1;
      const id = ids[n];
      return id === undefined ? Promise.resolve() : call(pools[n % pools.length]!, `/v1/session/destroy/${id}`, {});
    },
  );
}

async function modifyIndex(pool: Pool, key: string): Promise<number> {
  await call(pool, `/v1/kv/${key}`, 'x');
  return (JSON.parse((await call(pool, `/v1/kv/${key}`)).text()) as [{ ModifyIndex: number }])[0].ModifyIndex;
}

/** What 1,000 renewals write, and how long after its time the last of 10,000 sessions is gone that end at once. */
async function endings(bench: Bench): Promise<void> {
  const pool = bench.pools[0]!;
  const begun = performance.now();
  const ids = await create(bench.pools, `${SHORTEST_TTL_S}s`);
  const before = await modifyIndex(pool, 'before');
  for (const id of ids.slice(0, 1000)) await call(pool, `/v1/session/renew/${id}`, {});
  const written = (await modifyIndex(pool, 'after')) - before - 1;
  show({ name: 'commits by 1,000 renewals', value: written, unit: 'commits', bar: 0, better: 'lower' });
  const lastDueMs = performance.now() + 2 * SHORTEST_TTL_S * 1000;
  await sleep(begun + 2 * SHORTEST_TTL_S * 1000 - 500 - performance.now());
  const left = async () => {
    const sessions = JSON.parse((await call(pool, '/v1/session/node/clients')).text()) as { TTL: string }[];
    return sessions.filter(({ TTL }) => TTL === `${SHORTEST_TTL_S}s`).length;
  };
  if ((await left()) !== SESSIONS) throw new Error('sessions have ended before their time');
  while ((await left()) > 0) await sleep(100);
  const lateMs = performance.now() - lastDueMs;
  const name = `last of ${SESSIONS} sessions that end at once, after its time`;
  show({ name, value: Math.max(0, lateMs), unit: 'ms', bar: null });
}

/** How long the end of a session with many keys takes, and what it does to a writer of other keys. */
async function manyKeys(name: string, { pools }: Bench): Promise<void> {
  const pool = pools[0]!;
  const content = { Node: 'clients', NodeChecks: [] };
  const { ID } = JSON.parse((await call(pool, '/v1/session/create', content)).text()) as { ID: string };
  for (let at = 0; at < MANY_KEYS; at += 50) {
    const lock = (n: number) => ({ KV: { Verb: 'lock', Key: `many/${at + n}`, Session: ID, Value: 'dg==' } });
    await call(
      pool,
      '/v1/txn',
      Array.from({ length: 50 }, (_, n) => lock(n)),
    );
  }
  const writes = async () => {
    const until = performance.now() + WINDOW_MS / 4;
    return (
      await drive(
        1,
        () => performance.now() < until,
        () => call(pools.at(-1)!, '/v1/kv/other', 'x'),
      )
    ).p99Ms;
  };
  const before = await writes();
  const during = writes();
  const begun = performance.now();
  await call(pool, `/v1/session/destroy/${ID}`, {});
  const title = `a session with ${MANY_KEYS} keys ends, ${name}`;
  show({ name: title, value: performance.now() - begun, unit: 'ms', bar: null });
  show({ name: `writes of another key before, p99, ${name}`, value: before, unit: 'ms', bar: null });
  show({ name: `writes of another key meanwhile, p99, ${name}`, value: await during, unit: 'ms', bar: null });
}

async function oneServer(folder: string): Promise<void> {
  const server = await ServerProcess.start('lictor', join(folder, 'store'));
  const bench = {
    pools: [poolOf(server.port, 64)],
    cpuSeconds: async () => [(await server.usage()).cpuSeconds],
    leader: async () => 0,
  };
  await keep('one server', bench, await bareAnswers(folder));
  await manyKeys('one server', bench);
  await endings(bench);
  await bench.pools[0]!.destroy();
  await server.stop();
}

async function threeServers(folder: string): Promise<void> {
  if (!INSTALLED_ETCD.file) throw new Error(`etcd is missing: ${INSTALLED_ETCD.install}`);
  const etcd = await EtcdCluster.start({ file: INSTALLED_ETCD.file, members: 3 });
  const args = [`-etcd-endpoints=${etcd.endpoints.join(',')}`, '-log-level=error'];
  const servers = await Promise.all([1, 2, 3].map((n) => startServer({ node: `server-${n}`, args })));
  const pools = servers.map(({ httpPort }) => poolOf(httpPort, 32));
  const leader = async () => {
    const address = await servers[0]!.get<string>('/v1/status/leader');
    return servers.findIndex(({ serverPort }) => address.endsWith(`:${serverPort}`));
  };
  const cpuSeconds = async () => servers.map(({ process }) => process.cpuSeconds());
  try {
    const bench = { pools, cpuSeconds, leader };
    await keep('the leader of three on etcd', bench, await bareAnswers(folder));
    await manyKeys('three on etcd', bench);
  } finally {
    await Promise.all(pools.map((pool) => pool.destroy()));
    await Promise.all(servers.map((server) => server.stop()));
    await etcd.stop();
  }
}

const folder = mkdtempSync(join(dirname(fileURLToPath(import.meta.url)), '..', '.cache', 'bench-sessions-'));
try {
  await oneServer(folder);
  await threeServers(folder);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
