import { mkdtempSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { call, drive, poolOf, registration, sleep } from './load.ts';
import { show } from './measure.ts';
import { ServerProcess } from './server-process.ts';

/**
 * A catalog of 100,000 instances with a check each on 1,000 nodes: memory, the time from the start of a process to its
 * first right answer, the list of services, and what saving all of it takes.
 */
const SHORT = process.argv.includes('--short');
const INSTANCES = SHORT ? 20_000 : 100_000;
const SHAPE = { services: 5_000, nodes: 1_000 };
const LISTS = SHORT ? 100 : 300;

/** Saves an archive to nowhere; how much memory the server takes more at the most meanwhile. */
async function showSaving(server: ServerProcess): Promise<void> {
  const before = (await server.usage()).rssBytes;
  let most = before;
  let saving = true;
  const watching = (async () => {
    while (saving) {
      most = Math.max(most, (await server.usage()).rssBytes);
      await sleep(20);
    }
  })();
  const start = performance.now();
  const answer = await fetch(`http://127.0.0.1:${server.port}/v1/snapshot`);
  if (answer.status !== 200) throw new Error(`snapshot: status ${answer.status}`);
  let bytes = 0;
  for await (const chunk of answer.body!) bytes += chunk.length;
  const seconds = (performance.now() - start) / 1000;
  saving = false;
  await watching;
  show({ name: `a saved snapshot, ${INSTANCES} instances`, value: bytes / 2 ** 20, unit: 'MiB', bar: null });
  show({ name: 'saving it', value: seconds, unit: 's', bar: null });
  const grown = (most - before) / 2 ** 20;
  show({ name: 'RSS while a snapshot is saved, more', value: grown, unit: 'MiB', bar: 64, better: 'lower' });
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
    bar: null,
  });
  await first.stop();

  const start = performance.now();
  const server = await ServerProcess.start('lictor', folder);
  const pool = poolOf(server.port, 1);
  const answer = JSON.parse((await call(pool, '/v1/health/service/svc-7?passing')).text()) as unknown[];
  const startedMs = performance.now() - start;
  if (answer.length !== INSTANCES / SHAPE.services) throw new Error(`${answer.length} instances of svc-7`);
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
  await showSaving(server);
  await server.stop();
} finally {
  rmSync(folder, { recursive: true, force: true });
}
