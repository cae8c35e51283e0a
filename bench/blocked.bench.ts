import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { call, percentile, poolOf, registration, sleep, WaitingClients } from './load.ts';
import { median, show } from './measure.ts';
import { ServerProcess } from './server-process.ts';

/**
 * Many blocked queries of one service: the memory of each, the processor while other services change, and how long a
 * change takes to wake them all, in turns with a bare node:http server that holds as many requests and sends the same body.
 */
const SHORT = process.argv.includes('--short');
const CLIENTS = SHORT ? 2_000 : 10_000;
const SHAPE = { services: 200, nodes: 100 };
const CHANGES_PER_SECOND = 100;
const CHANGE_SECONDS = SHORT ? 3 : 10;
/** The two take turns, so that a busy neighbour meets both. */
const ROUNDS = SHORT ? 1 : 5;

const folder = mkdtempSync(join(dirname(fileURLToPath(import.meta.url)), '..', '.cache', 'bench-blocked-'));

interface Woken {
  readonly bytesEach: number;
  readonly p99Ms: number;
}

async function woken(
  server: ServerProcess,
  path: string,
  change: () => Promise<unknown>,
  meanwhile: (done: () => number) => Promise<void>,
): Promise<Woken> {
  const clients = new WaitingClients(server.port);
  const before = (await server.usage()).rssBytes;
  await clients.open(CLIENTS);
  const asked = clients.ask(path);
  await sleep(SHORT ? 1500 : 4000);
  const after = (await server.usage()).rssBytes;
  await meanwhile(asked.done);
  const start = performance.now();
  await change();
  const times = await asked.answered(start);
  clients.close();
  return { bytesEach: (after - before) / CLIENTS, p99Ms: percentile(times, 0.99) };
}

/** Changes of other services: none may wake anybody. */
async function unrelated(server: ServerProcess, done: () => number): Promise<void> {
  const pool = poolOf(server.port, 8);
  const before = await server.usage();
  const start = performance.now();
  for (let n = 0; n < CHANGES_PER_SECOND * CHANGE_SECONDS; n++) {
    const other = 2 + (n % (SHAPE.services - 2));
    const body = registration(other, SHAPE) as { Service: { Port: number } };
    body.Service.Port = 9000 + (n % 1000);
    await call(pool, '/v1/catalog/register', { ...body, SkipNodeUpdate: true });
    await sleep(Math.max(0, start + ((n + 1) * 1000) / CHANGES_PER_SECOND - performance.now()));
  }
  const used = (await server.usage()).cpuSeconds - before.cpuSeconds;
  await pool.destroy();
  const share = used / ((performance.now() - start) / 1000);
  show({
    name: 'processor for 100 changes a second to others',
    value: share * 100,
    unit: '%',
    bar: 20,
    better: 'lower',
  });
  show({ name: 'queries woken by them', value: done(), unit: 'queries', bar: 0, better: 'lower' });
}

const PATH = '/v1/health/service/svc-1?passing';

try {
  const server = await ServerProcess.start('lictor', join(folder, 'store'));
  const pool = poolOf(server.port, 8);
  for (let n = 0; n < SHAPE.services * 3; n++) await call(pool, '/v1/catalog/register', registration(n, SHAPE));
  writeFileSync(join(folder, 'body'), (await call(pool, PATH)).text());
  const bare = await ServerProcess.start('parked', join(folder, 'body'));
  const barePool = poolOf(bare.port, 1);
  const rounds: { readonly ours: Woken; readonly limit: Woken }[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const { index } = await call(pool, PATH);
    const changed = { ...registration(1, SHAPE), SkipNodeUpdate: true } as unknown as { Service: { Port: number } };
    changed.Service.Port = 1 + round;
    const ours = await woken(
      server,
      `${PATH}&index=${index}&wait=290s`,
      () => call(pool, '/v1/catalog/register', changed),
      (done) => (round === 0 ? unrelated(server, done) : Promise.resolve()),
    );
    const limit = await woken(
      bare,
      '/',
      () => call(barePool, '/', {}),
      async () => {},
    );
    rounds.push({ ours, limit });
  }
  await pool.destroy();
  await server.stop();
  await barePool.destroy();
  await bare.stop();
  const each = (name: string, value: number, bar: number | null) =>
    show({ name, value: value / 1024, unit: 'KiB', bar, better: 'lower' });
  // Later ones find the memory of those before them.
  const [first] = rounds;
  each(`RSS of each of ${CLIENTS} blocked queries`, first!.ours.bytesEach, 25);
  each('RSS of each request that a bare node:http holds', first!.limit.bytesEach, null);
  const ratioOf = ({ ours, limit }: (typeof rounds)[number]) => ours.p99Ms / limit.p99Ms;
  const middle = median(rounds, ratioOf);
  show({ name: 'waking all, p99', value: middle.ours.p99Ms, unit: 'ms', bar: null });
  show({ name: 'waking all, p99, to bare node:http', value: ratioOf(middle), unit: 'ratio', bar: 2, better: 'lower' });
} finally {
  rmSync(folder, { recursive: true, force: true });
}
