import { readFileSync } from 'node:fs';
import { createServer, type RequestListener, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { createInterface } from 'node:readline';
import { RequestTimings } from '../api/http/request-timings.ts';
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
 * body; `same ANSWERS-FILE`, one that sends to each URL its own answer (a JSON array of `Answer`); `parked BODY-FILE`, one
 * that holds GETs until a PUT comes. Prints its port; then, for every line on standard
 * input, its CPU time in microseconds, its resident memory and its anonymous memory in bytes; ends with standard input.
 */
const [mode, path = ''] = process.argv.slice(2);
const stop = new AbortController();
const clock = new SystemClock();
const log = createLogger({ level: 'error' });

/** What a URL is answered. */
export interface Answer {
  readonly url: string;
  readonly headers: Record<string, string>;
  readonly body: string;
}

function send(response: ServerResponse, body: Buffer): void {
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length });
  response.end(body);
}

function startBare(): Promise<number> {
  const body = readFileSync(path);
  return listen((_request, response) => send(response, body));
}

function startSame(): Promise<number> {
  const answers = new Map(
    (JSON.parse(readFileSync(path, 'utf8')) as Answer[]).map(({ url, headers, body }) => [
      url,
      { headers, body: Buffer.from(body) },
    ]),
  );
  return listen((request, response) => {
    const { headers, body } = answers.get(request.url!)!;
    response.writeHead(200, headers);
    response.end(body);
  });
}

function startParked(): Promise<number> {
  const body = readFileSync(path);
  let parked: ServerResponse[] = [];
  return listen((request, response) => {
    if (request.method === 'GET') return void parked.push(response);
    const waiting = parked;
    parked = [];
    for (const one of waiting) send(one, body);
    send(response, Buffer.from('true'));
  });
}

async function listen(handler: RequestListener): Promise<number> {
  const server = createServer({ keepAliveTimeout: 600_000 }, handler);
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
  // As every agent times its requests.
  const timings = new RequestTimings(deps);
  const http = createHttpServer(
    { ...deps, timings },
    { routes, host: '127.0.0.1', port: 0, maxConnectionsPerClient: 20_000 },
  );
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

const START: Record<string, () => Promise<number>> = {
  lictor: startLictor,
  bare: startBare,
  same: startSame,
  parked: startParked,
};
console.log(await START[mode!]!());
const lines = createInterface({ input: process.stdin });
lines.on('line', () => {
  const { user, system } = process.cpuUsage();
  console.log(`${user + system} ${process.memoryUsage.rss()} ${anonymousBytes()}`);
});
lines.on('close', () => process.exit(0));
