import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { createInterface } from 'node:readline';
import { createHttpServer } from '../api/http/server.ts';
import { SystemClock } from '../core/clock.ts';
import { createLogger } from '../core/log.ts';
import { Metrics } from '../core/metrics.ts';
import { SystemRandom } from '../core/random.ts';
import { composeServer } from '../server/composition.ts';
import { openLmdbStore } from '../store/lmdb/open-lmdb-store.ts';

/**
 * The server half of http.bench.ts: `node http-server.ts bare|lictor <folder>`. Prints its port; then, for every line
 * on standard input, its CPU time in microseconds and its resident memory in bytes; ends with standard input.
 */
const [mode, folder = ''] = process.argv.slice(2);
const stop = new AbortController();
const clock = new SystemClock();
const log = createLogger({ level: 'error' });

/** The limit: an HTTP server of the same runtime that sends a ready body of the usual size. */
async function startBare(): Promise<number> {
  const body = Buffer.alloc(1800, 'x');
  const server = createServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length });
    response.end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as { port: number }).port;
}

async function startLictor(): Promise<number> {
  const deps = { clock, log, metrics: new Metrics(), random: new SystemRandom() };
  const store = await openLmdbStore({ dir: folder, ...deps });
  const { runnable, routes } = composeServer(
    {
      datacenter: 'dc1',
      nodeName: 'bench',
      nodeAddress: '127.0.0.1',
      nodeId: deps.random.uuid(),
      consulVersion: '1.21.4',
      spoolDir: tmpdir(),
      store,
    },
    deps,
  );
  const http = createHttpServer(deps, { routes, host: '127.0.0.1', port: 0, maxConnectionsPerClient: 20_000 });
  for (const part of [runnable, http]) {
    await new Promise<void>((ready, fail) => {
      part.run({ signal: stop.signal, ready }).catch(fail);
    });
  }
  return http.address().port;
}

console.log(mode === 'bare' ? await startBare() : await startLictor());
const lines = createInterface({ input: process.stdin });
lines.on('line', () => {
  const { user, system } = process.cpuUsage();
  console.log(`${user + system} ${process.memoryUsage.rss()}`);
});
lines.on('close', () => process.exit(0));
