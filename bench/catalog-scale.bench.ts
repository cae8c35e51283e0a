import { mkdtempSync, openAsBlob, rmSync } from 'node:fs';
import { stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { call, drive, poolOf, registration, sleep } from './load.ts';
import { show } from './measure.ts';
import { ServerProcess } from './server-process.ts';

/**
 * A catalog of 100,000 instances with a check each on 1,000 nodes: memory, the time from the start of a process to its
 * first right answer, the list of services, and what saving and restoring all of it takes.
 */
const SHORT = process.argv.includes('--short');
const INSTANCES = SHORT ? 20_000 : 100_000;
const SHAPE = { services: 5_000, nodes: 1_000 };
const LISTS = SHORT ? 100 : 300;

/** How much memory the server takes more at the most while something is done, in MiB; the memory, and how long it takes. */
async function measured(server: ServerProcess, work: () => Promise<void>): Promise<{ grown: number; seconds: number }> {
  const before = (await server.usage()).rssBytes;
  let most = before;
  let working = true;
  const watching = (async () => {
    while (working) {
      most = Math.max(most, (await server.usage()).rssBytes);
      await sleep(20);
    }
  })();
  const start = performance.now();
  await work();
  const seconds = (performance.now() - start) / 1000;
  working = false;
  await watching;
  return { grown: (most - before) / 2 ** 20, seconds };
}

/** Saves an archive to a file, then restores it. */
async function showSnapshot(server: ServerProcess, file: string): Promise<void> {
  const url = `http://127.0.0.1:${server.port}/v1/snapshot`;
  const saving = await measured(server, async () => {
    const answer = await fetch(url);
    if (answer.status !== 200) throw new Error(`snapshot: status ${answer.status}`);
    await writeFile(file, answer.body!);
  });
  const { size } = await stat(file);
  show({ name: `a saved snapshot, ${INSTANCES} instances`, value: size / 2 ** 20, unit: 'MiB', bar: null });
  show({ name: 'saving it', value: saving.seconds, unit: 's', bar: null });
  show({ name: 'RSS while a snapshot is saved, more', value: saving.grown, unit: 'MiB', bar: 64, better: 'lower' });
  const restoring = await measured(server, async () => {
    const answer = await fetch(url, { method: 'PUT', body: await openAsBlob(file) });
    if (answer.status !== 200) throw new Error(`restore: status ${answer.status} ${await answer.text()}`);
  });
  show({ name: 'restoring it', value: restoring.seconds, unit: 's', bar: null });
  show({ name: 'RSS while it is restored, more', value: restoring.grown, unit: 'MiB', bar: null });
  await assertWhole(server);
}

/** @throws Error when the server does not know every instance of a service. */
async function assertWhole(server: ServerProcess): Promise<void> {
  const pool = poolOf(server.port, 1);
  const answer = JSON.parse((await call(pool, '/v1/health/service/svc-7?passing')).text()) as unknown[];
  await pool.destroy();
  if (answer.length !== INSTANCES / SHAPE.services) throw new Error(`${answer.length} instances of svc-7`);
}

const folder = mkdtempSync(join(dirname(fileURLToPath(import.meta.url)), '..', '.cache', 'bench-scale-'));
try {
  const first = await ServerProcess.start('lictor', folder);
  const filling = poolOf(first.port, 64);
  let left = INSTANCES;
  await drive(
    64,
    () => left-- > 0,
    (n) => call(filling, '/v1/catalog/register', registration(n, SHAPE)),
  );
  await filling.destroy();
  const filled = await first.usage();
  show({
    name: `RssAnon after registering ${INSTANCES} instances`,
    value: filled.anonymousBytes / 2 ** 20,
    unit: 'MiB',
    bar: 400,
    better: 'lower',
  });
  await first.stop();

  const start = performance.now();
  const server = await ServerProcess.start('lictor', folder);
  await assertWhole(server);
  const startedMs = performance.now() - start;
  const pool = poolOf(server.port, 1);
  show({
    name: `start to the first right answer, ${INSTANCES} instances`,
    value: startedMs,
    unit: 'ms',
    bar: 5000,
    better: 'lower',
  });
  let lists = LISTS;
  const list = await drive(
    1,
    () => lists-- > 0,
    () => call(pool, '/v1/catalog/services'),
  );
  show({ name: 'list of services, p99', value: list.p99Ms, unit: 'ms', bar: SHORT ? null : 20, better: 'lower' });
  let changes = LISTS;
  const changing = await drive(
    1,
    () => changes-- > 0,
    async (n) => {
      // A new tag, so that the list has to be made anew.
      const body = registration(n, SHAPE) as { Service: { Tags: string[] } };
      body.Service.Tags = [`t${n}`];
      await call(pool, '/v1/catalog/register', { ...body, SkipNodeUpdate: true });
    },
  );
  show({ name: 'registrations one after another, p99', value: changing.p99Ms, unit: 'ms', bar: null });
  // Every service is read once, so that all that is made on demand is made.
  let services = SHAPE.services;
  await drive(
    1,
    () => services-- > 0,
    (n) => call(pool, `/v1/health/service/svc-${n}?passing`),
  );
  await pool.destroy();
  const used = await server.usage();
  show({
    name: `RssAnon with ${INSTANCES} instances`,
    value: used.anonymousBytes / 2 ** 20,
    unit: 'MiB',
    bar: 400,
    better: 'lower',
  });
  await showSnapshot(server, join(folder, 'archive'));
  await server.stop();
} finally {
  rmSync(folder, { recursive: true, force: true });
}
