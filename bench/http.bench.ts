import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Answer } from './http-server.ts';
import { call, drive, type Load, poolOf, registration, sleep, wrk, wrkRegistrations } from './load.ts';
import { median, show, syncsPerSecond } from './measure.ts';
import { ServerProcess } from './server-process.ts';

/**
 * The HTTP API of one server process on core 0, asked from the other core over loopback: durable registrations by 64
 * clients and by one, then health reads of services with ten instances, with and without changes going on. Beside it, in
 * turns, a bare node:http server that sends one such answer to all, which its processor's cache holds, and one that sends
 * to each URL the same bytes as the server.
 */
const SHORT = process.argv.includes('--short');
const SHAPE = { services: SHORT ? 1_000 : 5_000, nodes: 500 };
const INSTANCES = SHAPE.services * 10;
/** Short turns, so that a busy neighbour meets all servers alike. */
const READ_ROUNDS = SHORT ? 3 : 9;
const READ_SECONDS = SHORT ? 1 : 2;
const WRITE_SECONDS = SHORT ? 3 : 8;
const CHANGES_PER_SECOND = 50;
const PATH = '/v1/health/service/svc-{n}?passing';

async function writes(port: number, folder: string): Promise<void> {
  // Who has just started compiles first.
  const load = (connections: number, seconds: number) =>
    wrkRegistrations(port, { connections, seconds, tag: String(connections) });
  await load(32, SHORT ? 2 : 4);
  const many = await load(64, WRITE_SECONDS);
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
  const one = await load(1, WRITE_SECONDS);
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

/** What the server answers to each of the paths, as a bare server sends it. */
async function answersOf(port: number): Promise<Answer[]> {
  const pool = poolOf(port, 8);
  const answers: Answer[] = [];
  for (let n = 0; n < SHAPE.services; n++) {
    const url = PATH.replace('{n}', String(n));
    const answer = await pool.request({ path: url, method: 'GET' });
    const { date: _, connection: __, 'keep-alive': ___, ...headers } = answer.headers as Record<string, string>;
    answers.push({ url, headers, body: await answer.body.text() });
  }
  await pool.destroy();
  return answers;
}

interface Read extends Load {
  /** Of the server's processor, for each answer. */
  readonly cpuMicroseconds: number;
}

async function read(server: ServerProcess, seconds = READ_SECONDS): Promise<Read> {
  const before = (await server.usage()).cpuSeconds;
  const load = await wrk(server.port, PATH, SHAPE.services, seconds);
  const used = (await server.usage()).cpuSeconds - before;
  return { ...load, cpuMicroseconds: (used / (load.perSecond * seconds)) * 1e6 };
}

async function reads(lictor: ServerProcess, folder: string): Promise<void> {
  const answers = await answersOf(lictor.port);
  writeFileSync(join(folder, 'body'), answers[7]!.body);
  writeFileSync(join(folder, 'answers'), JSON.stringify(answers));
  const bare = await ServerProcess.start('bare', join(folder, 'body'));
  const same = await ServerProcess.start('same', join(folder, 'answers'));
  for (const server of [lictor, bare, same]) await read(server);
  const rounds: Readonly<Record<'limit' | 'ours' | 'twin' | 'changing', Read>>[] = [];
  for (let round = 0; round < READ_ROUNDS; round++) {
    const limit = await read(bare);
    const ours = await read(lictor);
    const twin = await read(same);
    const changing = await withChanges(lictor.port, () => read(lictor));
    rounds.push({ limit, twin, ours, changing });
  }
  await bare.stop();
  await same.stop();
  type Round = (typeof rounds)[number];
  const middle = (of: (round: Round) => number) => of(median(rounds, of));
  show({ name: 'bare node:http, one answer', value: middle((r) => r.limit.perSecond), unit: '/s', bar: null });
  show({ name: 'bare node:http, the same answers', value: middle((r) => r.twin.perSecond), unit: '/s', bar: null });
  show({ name: 'health reads of 10 instances', value: middle((r) => r.ours.perSecond), unit: '/s', bar: null });
  const ratio = (name: string, of: (round: Round) => number, bar: number | null) =>
    show({ name, value: middle(of), unit: 'ratio', bar, better: 'higher' });
  ratio('health reads to bare node:http with one answer', (r) => r.ours.perSecond / r.limit.perSecond, 0.7);
  ratio(`the same with ${CHANGES_PER_SECOND} changes a second`, (r) => r.changing.perSecond / r.limit.perSecond, 0.6);
  ratio('health reads to bare node:http with the same answers', (r) => r.ours.perSecond / r.twin.perSecond, null);
  ratio(
    'processor time of bare node:http with one answer to that of a health read',
    (r) => r.limit.cpuMicroseconds / r.ours.cpuMicroseconds,
    null,
  );
  const bareP99Ms = middle((r) => r.limit.p99Ms);
  // The bar of 10 ms is for a machine of its own: where the bare server is slower than that, it is the measure.
  const p99Bar = Math.max(10, bareP99Ms * 2);
  show({ name: 'health reads, p99', value: middle((r) => r.ours.p99Ms), unit: 'ms', bar: p99Bar, better: 'lower' });
  show({ name: 'bare node:http, p99', value: bareP99Ms, unit: 'ms', bar: null });
}

const folder = mkdtempSync(join(dirname(fileURLToPath(import.meta.url)), '..', '.cache', 'bench-http-'));
try {
  const lictor = await ServerProcess.start('lictor', join(folder, 'store'));
  await writes(lictor.port, folder);
  await fill(lictor.port);
  await reads(lictor, folder);
  await lictor.stop();
} finally {
  rmSync(folder, { recursive: true, force: true });
}
