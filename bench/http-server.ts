import { readFileSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { createInterface } from 'node:readline';
import { createHttpServer } from '../api/http/server.ts';
import { SystemClock } from '../core/clock.ts';
import { createLogger } from '../core/log.ts';
import { Metrics } from '../core/metrics.ts';
import { SystemRandom } from '../core/random.ts';
import { CONSUL_COMPATIBLE_VERSION } from '../lictor/version.ts';
import { composeServer } from '../server/composition.ts';
import { openLmdbStore } from '../store/lmdb/open-lmdb-store.ts';

/**
 * The server half of the HTTP benches: `lictor FOLDER`; `bare BODY-FILE`, a server of the same runtime that sends a ready
 * body; `parked BODY-FILE`, one that holds GETs until a PUT comes. Prints its port; then, for every line on standard
 * input, its CPU time in microseconds, its resident memory and its anonymous memory in bytes; ends with standard input.
 */
const [mode, path = ''] = process.argv.slice(2);
const stop = new AbortController();
const clock = new SystemClock();
const log = createLogger({ level: 'error' });

function send(response: ServerResponse, body: Buffer): void {
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length });
  response.end(body);
}

async function startBare(parks: boolean): Promise<number> {
  const body = readFileSync(path);
  let parked: ServerResponse[] = [];
  const server = createServer({ keepAliveTimeout: 600_000 }, (request, response) => {
    if (!parks) return send(response, body);
    if (request.method === 'GET') return void parked.push(response);
    const waiting = parked;
    parked = [];
    for (const one of waiting) send(one, body);
    send(response, Buffer.from('true'));
  });
  server.requestTimeout = 0;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', 4096, resolve));
  return (server.address() as { port: number }).port;
}

async function startLictor(): Promise<number> {
  const deps = { clock, log, metrics: new Metrics(), random: new SystemRandom() };
  const store = await openLmdbStore({ dir: path, ...deps });
  const { runnable, routes } = composeServer(
    {
      datacenter: 'dc1',
      nodeName: 'bench',
      nodeAddress: '127.0.0.1',
      nodeId: deps.random.uuid(),
      consulVersion: CONSUL_COMPATIBLE_VERSION,
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

function anonymousBytes(): number {
  const kib = /RssAnon:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
  return Number(kib ?? 0) * 1024;
}

console.log(mode === 'lictor' ? await startLictor() : await startBare(mode === 'parked'));
const lines = createInterface({ input: process.stdin });
lines.on('line', () => {
  const { user, system } = process.cpuUsage();
  console.log(`${user + system} ${process.memoryUsage.rss()} ${anonymousBytes()}`);
});
lines.on('close', () => process.exit(0));
