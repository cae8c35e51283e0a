import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { connect, type Socket } from 'node:net';
import type { Route } from '../../api/http/route.ts';
import { createHttpServer } from '../../api/http/server.ts';
import { SystemClock } from '../../core/clock.ts';
import { silentLogger } from '../../core/log.ts';
import { Metrics } from '../../core/metrics.ts';
import { SeededRandom } from '../../core/random.ts';
import { started } from '../support/started.ts';

/** Streams of requests; `make fuzz` asks for more. */
const RUNS = Math.min(Math.ceil(Number(process.env.FUZZ_RUNS ?? 3000) / 4), 20_000);
const SEED = Number(process.env.FUZZ_SEED ?? 20_261_126);

const GET = 'GET /v1/value HTTP/1.1\r\nHost: x\r\n\r\n';
const LAST = 'GET /v1/other HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n';

interface Served {
  readonly port: number;
  stop(): Promise<void>;
}

/** A server whose first route may be answered again from what was answered before, or never. */
async function serve(repeats: boolean): Promise<Served> {
  const value = () => answer;
  const answer = {
    bytes: Buffer.from('"the value"'),
    headers: { 'content-type': 'application/json' },
    meta: { index: 7 },
    ...(repeats ? { again: value } : {}),
  };
  const routes: Route[] = [
    { method: 'GET', path: '/v1/value', handle: value },
    { method: 'GET', path: '/v1/other', handle: () => ({ json: 'other' }) },
    { method: 'GET', path: '/v1/late', handle: () => new Promise((done) => setTimeout(done, 3, { json: 'late' })) },
    { method: 'PUT', path: '/v1/echo', handle: ({ body }) => ({ text: body.toString() }) },
  ];
  const deps = { clock: new SystemClock(), log: silentLogger, metrics: new Metrics() };
  const server = createHttpServer(deps, { routes, host: '127.0.0.1', port: 0 });
  const stop = await started(server);
  return {
    port: server.address().port,
    stop,
  };
}

type Pick = (n: number) => number;

/** What comes before the body of a PUT. */
function put(bytes: number): string {
  return `PUT /v1/echo HTTP/1.1\r\nHost: x\r\nContent-Length: ${bytes}\r\n\r\n`;
}

/** One message of a stream, in pieces: what was seen before, what is like it, and what hides it. */
function message(pick: Pick): string[] {
  const hidden = Array.from({ length: 1 + pick(3) }, () => GET);
  const part = GET.slice(pick(GET.length));
  switch (pick(10)) {
    case 0:
      return [put(hidden.length * GET.length), ...hidden];
    case 1:
      return [put(part.length), part];
    case 2:
      return [
        'PUT /v1/echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n',
        ...hidden.flatMap((body) => [`${body.length.toString(16)}\r\n`, body, '\r\n']),
        '0\r\n\r\n',
      ];
    case 3:
      return ['GET /v1/other HTTP/1.1\r\nX-A: ', GET];
    case 4:
    case 5:
      return ['GET /v1/late HTTP/1.1\r\nHost: x\r\n\r\n', GET];
    case 6:
      return ['HEAD /v1/value HTTP/1.1\r\nHost: x\r\n\r\n'];
    default:
      return [GET];
  }
}

/** The bytes of some requests, in the pieces in which they are sent: those of the messages, or cut anywhere. */
function pieces(pick: Pick): string[] {
  const messages = Array.from({ length: 1 + pick(8) }, () => message(pick));
  const broken = ['GET /v1/value HTTP/9.9\r\n\r\n', '\r\n', '\u0000'][pick(12)];
  if (broken) messages.splice(pick(messages.length), 0, [broken]);
  const whole = [...messages.flat(), LAST];
  if (pick(3) > 0) return whole;
  const all = whole.join('');
  const found: string[] = [];
  for (let at = 0; at < all.length; ) {
    const size = pick(3) === 0 ? GET.length : 1 + pick(2 * GET.length);
    found.push(all.slice(at, at + size));
    at += size;
  }
  return found;
}

/** All that comes back until the server closes the connection. */
function everything(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    socket.on('close', () =>
      resolve(
        Buffer.concat(chunks)
          .toString('latin1')
          .replaceAll(/Date: [^\r]+/g, 'Date'),
      ),
    );
  });
}

/** Sends one request and waits for the body of its answer. */
async function asked(socket: Socket, request: string, body: string): Promise<void> {
  socket.write(request, 'latin1');
  await new Promise<void>((resolve) => {
    let got = '';
    const take = (chunk: Buffer) => {
      got += chunk.toString('latin1');
      if (!got.endsWith(body)) return;
      socket.off('data', take);
      resolve();
    };
    socket.on('data', take);
  });
}

function open(port: number): Socket {
  const socket = connect(port, '127.0.0.1');
  socket.setNoDelay(true);
  socket.on('error', () => {});
  return socket;
}

/** A connection that has repeated its request, so that its bytes are looked at before they are read. */
async function repeating(port: number): Promise<Socket> {
  const socket = open(port);
  for (let n = 0; n < 4; n++) await asked(socket, GET, '"the value"');
  return socket;
}

describe('requests whose bytes were seen before, anywhere in a stream', () => {
  let tapped: Served;
  let reading: Served;
  /** Whoever has answered this has read what was sent to it before. */
  let witnesses: Socket[];
  /** Requests that were read, by the server's port. */
  const read = new Map<number, number>();
  const countRead = (event: unknown) => {
    const { localPort = 0 } = (event as { socket: Socket }).socket;
    read.set(localPort, (read.get(localPort) ?? 0) + 1);
  };

  beforeAll(async () => {
    subscribe('http.server.request.start', countRead);
    [tapped, reading] = [await serve(true), await serve(false)];
    witnesses = [tapped, reading].map(({ port }) => open(port));
  });
  afterAll(async () => {
    unsubscribe('http.server.request.start', countRead);
    for (const socket of witnesses) socket.destroy();
    await Promise.all([tapped.stop(), reading.stop()]);
  });

  it('are answered as by a server that reads every byte', async () => {
    const random = new SeededRandom(SEED);
    const pick: Pick = (n) => Math.floor(random.next() * n);
    for (let run = 0; run < RUNS; run++) {
      const sent = pieces(pick);
      const waits = sent.map(() => pick(3));
      const answers = await Promise.all(
        [tapped, reading].map(async ({ port }, at) => {
          const socket = await repeating(port);
          const answered = everything(socket);
          for (const [n, piece] of sent.entries()) {
            socket.write(piece, 'latin1');
            if (waits[n] === 0) continue;
            if (waits[n] === 1) await new Promise((resolve) => setImmediate(resolve));
            else await asked(witnesses[at]!, GET.replace('value', 'other'), '"other"');
          }
          return answered;
        }),
      );
      if (answers[0] !== answers[1]) throw new Error(`run ${run}: ${JSON.stringify(sent)}`);
    }
    // Many of them were not read, or nothing would have been shown.
    expect(read.get(tapped.port)! + RUNS).toBeLessThan(read.get(reading.port)!);
  });
});
