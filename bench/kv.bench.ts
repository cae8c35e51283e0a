import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Pool } from 'undici';
import { call, drive, poolOf, wrk } from './load.ts';
import { median, show, syncsPerSecond } from './measure.ts';
import { ServerProcess } from './server-process.ts';

/**
 * Keys over HTTP, of one server process on core 0, asked from the other core over loopback: durable writes by 64 clients and
 * by one beside what the same disk does in appends with fdatasync, then reads beside a bare node:http server that sends the
 * same bytes in the same run. The disk and the neighbours change from second to second: each pair takes turns.
 */
const SHORT = process.argv.includes('--short');
const KEYS = SHORT ? 2_000 : 10_000;
/** One round alone may meet a busy neighbour. */
const ROUNDS = 3;
const SECONDS = SHORT ? 2 : 5;
const VALUE = Buffer.alloc(300, 'v');
const PATH = '/v1/kv/bench/{n}';

async function put(pool: Pool, key: number, value: string): Promise<void> {
  const answer = await pool.request({ path: PATH.replace('{n}', String(key)), method: 'PUT', body: value });
  const text = await answer.body.text();
  if (answer.statusCode !== 200 || text.trim() !== 'true') throw new Error(`key ${key}: ${answer.statusCode} ${text}`);
}

async function writes(port: number, folder: string): Promise<void> {
  const [one, many] = [poolOf(port, 1), poolOf(port, 64)];
  let left = KEYS;
  await drive(
    64,
    () => left-- > 0,
    (n) => put(many, n, VALUE.toString()),
  );
  const during = async (pool: Pool, clients: number) => {
    const until = performance.now() + SECONDS * 1000;
    return drive(
      clients,
      () => performance.now() < until,
      (n) => put(pool, (n * 7919) % KEYS, `${n}${VALUE}`),
    );
  };
  const rounds = [];
  for (let round = 0; round < ROUNDS; round++) {
    rounds.push({ syncs: syncsPerSecond(folder, VALUE), one: await during(one, 1), many: await during(many, 64) });
  }
  await Promise.all([one.destroy(), many.destroy()]);
  const of = median(rounds, (round) => round.many.perSecond / round.syncs);
  show({ name: 'disk append + fdatasync', value: of.syncs, unit: 'syncs/s', bar: null });
  show({ name: 'durable keys, 64 writers', value: of.many.perSecond, unit: '/s', bar: null });
  show({ name: 'durable keys, 64 writers, p99', value: of.many.p99Ms, unit: 'ms', bar: null });
  show({
    name: 'durable keys, 64 writers, to the lower of 3,000/s and the disk',
    value: of.many.perSecond / Math.min(3000, of.syncs),
    unit: 'ratio',
    bar: 1,
    better: 'higher',
  });
  show({ name: 'durable keys, 1 writer', value: of.one.perSecond, unit: '/s', bar: null });
  show({
    name: 'durable keys, 1 writer, to the lower of 1,500/s and 80 % of the disk',
    value: of.one.perSecond / Math.min(1500, of.syncs * 0.8),
    unit: 'ratio',
    // Beside the sync there is the processor's part, which a busy machine stretches: shown in the short form only.
    bar: SHORT ? null : 1,
    better: 'higher',
  });
}

async function reads(port: number, folder: string): Promise<void> {
  const pool = poolOf(port, 1);
  const { text } = await call(pool, PATH.replace('{n}', '7'));
  await pool.destroy();
  writeFileSync(join(folder, 'body'), text());
  const bare = await ServerProcess.start('bare', join(folder, 'body'));
  await wrk(port, PATH, KEYS, 1);
  await wrk(bare.port, PATH, KEYS, 1);
  const rounds = [];
  for (let round = 0; round < ROUNDS; round++) {
    rounds.push({ limit: await wrk(bare.port, PATH, KEYS, SECONDS), ours: await wrk(port, PATH, KEYS, SECONDS) });
  }
  await bare.stop();
  const { limit, ours } = median(rounds, (round) => round.ours.perSecond / round.limit.perSecond);
  show({ name: 'bare node:http, the same bytes', value: limit.perSecond, unit: '/s', bar: null });
  show({ name: 'reads of a key', value: ours.perSecond, unit: '/s', bar: null });
  show({
    name: 'reads of a key to bare node:http',
    value: ours.perSecond / limit.perSecond,
    unit: 'ratio',
    bar: 0.6,
    better: 'higher',
  });
  // The bar of 10 ms is for a machine of its own: where the bare server is slower than that, it is the measure.
  const p99Bar = Math.max(10, limit.p99Ms * 2);
  show({ name: 'reads of a key, p99', value: ours.p99Ms, unit: 'ms', bar: p99Bar, better: 'lower' });
}

const folder = mkdtempSync(join(dirname(fileURLToPath(import.meta.url)), '..', '.cache', 'bench-kv-'));
try {
  const lictor = await ServerProcess.start('lictor', join(folder, 'store'));
  await writes(lictor.port, folder);
  await reads(lictor.port, folder);
  await lictor.stop();
} finally {
  rmSync(folder, { recursive: true, force: true });
}
