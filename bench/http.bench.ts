import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { call, drive, poolOf, registration, sleep, wrk, wrkRegistrations } from './load.ts';
import { show, syncsPerSecond } from './measure.ts';
import { ServerProcess } from './server-process.ts';

/**
 * The HTTP API of one server process on core 0, asked from the other core over loopback: durable registrations by 64
 * clients and by one, then health reads of services with ten instances, with and without changes going on, beside a bare
 * node:http server that sends the same bytes in the same run.
 */
const SHORT = process.argv.includes('--short');
const SHAPE = { services: SHORT ? 1_000 : 5_000, nodes: 500 };
const INSTANCES = SHAPE.services * 10;
const READ_SECONDS = SHORT ? 3 : 8;
const WRITE_SECONDS = SHORT ? 3 : 8;
const CHANGES_PER_SECOND = 50;
const PATH = '/v1/health/service/svc-{n}?passing';

async function writes(port: number, folder: string): Promise<void> {
  // Who has just started compiles first.
  await wrkRegistrations(port, 32, SHORT ? 2 : 4);
  const many = await wrkRegistrations(port, 64, WRITE_SECONDS);
  show({
    name: 'durable registrations, 64 writers',
    value: many.perSecond,
    unit: '/s',
    // For a machine of its own; a busy one is not measured against it.
    bar: SHORT ? null : 10_000,
    better: 'higher',
  });
  show({ name: 'durable registrations, 64 writers, p99', value: many.p99Ms, unit: 'ms', bar: null });
  const syncs = syncsPerSecond(folder, Buffer.alloc(1024, 'v'));
  const one = await wrkRegistrations(port, 1, WRITE_SECONDS);
  show({ name: 'disk append + fdatasync', value: syncs, unit: 'syncs/s', bar: null });
  show({ name: 'durable registrations, 1 writer', value: one.perSecond, unit: '/s', bar: null });
  show({
    name: 'durable registrations, 1 writer, to the lower of 1,500/s and 80 % of the disk',
    value: one.perSecond / Math.min(1500, syncs * 0.8),
    unit: 'ratio',
    // Beside the sync there is the processor's part, which a busy machine stretches: shown in the short form only.
    bar: SHORT ? null : 1,
    better: 'higher',
  });
}

/** Changes ports of random instances while `during` runs. */
async function withChanges<T>(port: number, during: () => Promise<T>): Promise<T> {
  const pool = poolOf(port, 4);
  let on = true;
  const changing = (async () => {
    for (let n = 0; on; n++) {
      const body = registration((n * 7919) % INSTANCES, SHAPE) as { Service: { Port: number } };
      body.Service.Port = 9000 + (n % 1000);
      await call(pool, '/v1/catalog/register', { ...body, SkipNodeUpdate: true });
      await sleep(1000 / CHANGES_PER_SECOND);
    }
  })();
  try {
    return await during();
  } finally {
    on = false;
    await changing;
    await pool.destroy();
  }
}

async function fill(port: number): Promise<void> {
  const pool = poolOf(port, 64);
  let left = INSTANCES;
  await drive(
    64,
    () => left-- > 0,
    (n) => call(pool, '/v1/catalog/register', registration(n, SHAPE)),
  );
  await pool.destroy();
}

async function reads(port: number, folder: string): Promise<void> {
  const pool = poolOf(port, 1);
  const { text } = await call(pool, PATH.replace('{n}', '7'));
  await pool.destroy();
  writeFileSync(join(folder, 'body'), text());
  const bare = await ServerProcess.start('bare', join(folder, 'body'));
  await wrk(port, PATH, SHAPE.services, 2);
  await wrk(bare.port, PATH, SHAPE.services, 1);
  // The two take turns, so that a busy neighbour meets both.
  const rounds = [];
  for (let round = 0; round < (SHORT ? 1 : 3); round++) {
    const limit = await wrk(bare.port, PATH, SHAPE.services, READ_SECONDS);
    const ours = await wrk(port, PATH, SHAPE.services, READ_SECONDS);
    const changing = await withChanges(port, () => wrk(port, PATH, SHAPE.services, READ_SECONDS));
    rounds.push({ limit, ours, changing });
  }
  await bare.stop();
  rounds.sort((a, b) => a.ours.perSecond / a.limit.perSecond - b.ours.perSecond / b.limit.perSecond);
  const { limit, ours, changing } = rounds[rounds.length >> 1]!;
  show({ name: 'bare node:http, the same bytes', value: limit.perSecond, unit: '/s', bar: null });
  show({ name: 'health reads of 10 instances', value: ours.perSecond, unit: '/s', bar: null });
  const ratio = (name: string, value: number, bar: number) =>
    show({ name, value, unit: 'ratio', bar, better: 'higher' });
  ratio('health reads to bare node:http', ours.perSecond / limit.perSecond, 0.7);
  ratio(`the same with ${CHANGES_PER_SECOND} changes a second`, changing.perSecond / limit.perSecond, 0.6);
  // The bar of 10 ms is for a machine of its own: where the bare server is slower than that, it is the measure.
  const p99Bar = Math.max(10, limit.p99Ms * 2);
  show({ name: 'health reads, p99', value: ours.p99Ms, unit: 'ms', bar: p99Bar, better: 'lower' });
  show({ name: 'bare node:http, p99', value: limit.p99Ms, unit: 'ms', bar: null });
}

const folder = mkdtempSync(join(dirname(fileURLToPath(import.meta.url)), '..', '.cache', 'bench-http-'));
try {
  const lictor = await ServerProcess.start('lictor', join(folder, 'store'));
  await writes(lictor.port, folder);
  await fill(lictor.port);
  await reads(lictor.port, folder);
  await lictor.stop();
} finally {
  rmSync(folder, { recursive: true, force: true });
}
