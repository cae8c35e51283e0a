import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Pool } from 'undici';
import { findProgram } from '../test/support/require-real.ts';
import type { Figure } from './run.ts';

/**
 * The HTTP API of one server process on core 0, asked from the other core over loopback: registrations by 32 clients
 * onto LMDB, then health reads of services with three instances, beside a bare node:http server with a ready body of
 * the same size in the same run; and how long it takes to wake 1,000 blocked queries of one service.
 */
const SHORT = process.argv.includes('--short');
const SERVICES = SHORT ? 1_000 : 3_400;
const INSTANCES = 3;
const READ_SECONDS = SHORT ? 2 : 6;
const CLIENTS = 32;
const BLOCKED = 1_000;
const HERE = dirname(fileURLToPath(import.meta.url));
const TASKSET = findProgram('taskset');

class Server {
  readonly #child: ChildProcess;
  readonly #lines: Interface;
  readonly #queue: string[] = [];
  readonly #waiting: ((line: string) => void)[] = [];

  constructor(mode: string, folder: string) {
    const words = [
      process.execPath,
      '--disable-warning=ExperimentalWarning',
      join(HERE, 'http-server.ts'),
      mode,
      folder,
    ];
    if (TASKSET) words.unshift(TASKSET, '-c', '0');
    this.#child = spawn(words[0]!, words.slice(1), { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#lines = createInterface({ input: this.#child.stdout! });
    this.#lines.on('line', (line) => {
      const waiting = this.#waiting.shift();
      if (waiting) waiting(line);
      else this.#queue.push(line);
    });
  }

  line(): Promise<string> {
    const ready = this.#queue.shift();
    return ready === undefined ? new Promise((resolve) => this.#waiting.push(resolve)) : Promise.resolve(ready);
  }

  async usage(): Promise<{ cpuSeconds: number; rssBytes: number }> {
    this.#child.stdin!.write('\n');
    const [cpu, rss] = (await this.line()).split(' ');
    return { cpuSeconds: Number(cpu) / 1e6, rssBytes: Number(rss) };
  }

  async stop(): Promise<void> {
    const gone = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.stdin!.end();
    await gone;
  }
}

function show(figure: Figure): void {
  console.log(JSON.stringify(figure));
}

async function call(pool: Pool, path: string, body?: unknown): Promise<{ index: string; bytes: number }> {
  const answer = await pool.request({
    path,
    method: body ? 'PUT' : 'GET',
    ...(body ? { body: JSON.stringify(body) } : {}),
    headersTimeout: 60_000,
  });
  const { byteLength } = await answer.body.arrayBuffer();
  if (answer.statusCode !== 200) throw new Error(`${path}: status ${answer.statusCode}`);
  return { index: String(answer.headers['x-consul-index']), bytes: byteLength };
}

/** Runs `one` by `clients` clients until `more` says stop; gives how many were done and how long the slowest hundredth took. */
async function drive(clients: number, more: () => boolean, one: (n: number) => Promise<unknown>) {
  const times: number[] = [];
  let next = 0;
  const start = performance.now();
  await Promise.all(
    Array.from({ length: clients }, async () => {
      while (more()) {
        const began = performance.now();
        await one(next++);
        times.push(performance.now() - began);
      }
    }),
  );
  const seconds = (performance.now() - start) / 1000;
  times.sort((a, b) => a - b);
  return {
    perSecond: times.length / seconds,
    seconds,
    count: times.length,
    p99Ms: times[Math.floor(times.length * 0.99)]!,
  };
}

function registration(n: number): object {
  const service = Math.floor(n / INSTANCES);
  return {
    Node: `node-${n % 200}`,
    Address: `10.0.${Math.floor((n % 200) / 250)}.${n % 200}`,
    SkipNodeUpdate: n >= 200,
    Service: { ID: `svc-${service}-${n % INSTANCES}`, Service: `svc-${service}`, Port: 8080, Tags: ['v1'] },
    Check: { CheckID: `c-${n}`, Name: 'alive', Status: 'passing', ServiceID: `svc-${service}-${n % INSTANCES}` },
  };
}

async function reads(pool: Pool, path: (n: number) => string): Promise<number> {
  const until = performance.now() + READ_SECONDS * 1000;
  return (
    await drive(
      CLIENTS,
      () => performance.now() < until,
      (n) => call(pool, path(n)),
    )
  ).perSecond;
}

async function wakeAll(port: string): Promise<number> {
  const pool = new Pool(`http://127.0.0.1:${port}`, { connections: BLOCKED + 1 });
  const { index } = await call(pool, '/v1/health/service/svc-1');
  const blocked = Array.from({ length: BLOCKED }, () => call(pool, `/v1/health/service/svc-1?index=${index}&wait=50s`));
  await new Promise((resolve) => setTimeout(resolve, 1000));
  const start = performance.now();
  await call(pool, '/v1/catalog/register', {
    ...registration(3),
    Service: { ID: 'svc-1-0', Service: 'svc-1', Port: 9 },
  });
  await Promise.all(blocked);
  const ms = performance.now() - start;
  await pool.destroy();
  return ms;
}

const folder = mkdtempSync(join(tmpdir(), 'http-bench-'));
try {
  const lictor = new Server('lictor', folder);
  const port = await lictor.line();
  const pool = new Pool(`http://127.0.0.1:${port}`, { connections: CLIENTS });
  const before = await lictor.usage();
  const total = SERVICES * INSTANCES;
  let left = total;
  const writes = await drive(
    CLIENTS,
    () => left-- > 0,
    (n) => call(pool, '/v1/catalog/register', registration(n)),
  );
  const after = await lictor.usage();
  show({
    name: `registrations on LMDB, ${CLIENTS} clients`,
    value: writes.perSecond,
    unit: '/s',
    bar: null,
  });
  show({ name: 'registrations p99', value: writes.p99Ms, unit: 'ms', bar: null });
  show({
    name: 'registrations CPU',
    value: (after.cpuSeconds - before.cpuSeconds) / (total / 1000),
    unit: 's per 1,000',
    bar: null,
  });
  show({ name: `RSS with ${total} instances and checks`, value: after.rssBytes / 2 ** 20, unit: 'MB', bar: null });
  await reads(pool, (n) => `/v1/health/service/svc-${n % SERVICES}`);
  const ours = await reads(pool, (n) => `/v1/health/service/svc-${n % SERVICES}`);
  const wakeMs = await wakeAll(port);
  await pool.destroy();
  await lictor.stop();

  const bare = new Server('bare', folder);
  const barePool = new Pool(`http://127.0.0.1:${await bare.line()}`, { connections: CLIENTS });
  await reads(barePool, () => '/');
  const limit = await reads(barePool, () => '/');
  await barePool.destroy();
  await bare.stop();
  show({ name: 'health reads of 3 instances', value: ours, unit: '/s', bar: null });
  show({
    name: 'health reads against a bare node:http',
    value: ours / limit,
    unit: 'ratio',
    bar: 0.6,
    better: 'higher',
  });
  show({ name: `waking ${BLOCKED} blocked queries`, value: wakeMs, unit: 'ms', bar: 1000, better: 'lower' });
} finally {
  rmSync(folder, { recursive: true, force: true });
}
