import { createServer, type Server, type Socket } from 'node:net';
import { Readable } from 'node:stream';
import type { Route, RouteRequest, RouteResponse } from '../../api/http/route.ts';
import { createHttpServer, type HttpServer } from '../../api/http/server.ts';
import { FakeClock, SystemClock } from '../../core/clock.ts';
import { AppError } from '../../core/errors.ts';
import { silentLogger } from '../../core/log.ts';
import { Metrics } from '../../core/metrics.ts';
import { nextTurn } from '../../core/next-turn.ts';
import { routeRequest } from '../../test/support/route-request.ts';
import { started } from '../../test/support/started.ts';
import { HandOnConnection } from './hand-on-client.ts';
import { handOnUpgrade } from './hand-on-server.ts';
import { goesInFrame, HAND_ON_PATH, MAX_READ_ANSWER_BYTES } from './handed-requests.ts';
import { LeaderClient } from './leader-client.ts';

const text = (response: RouteResponse) => Buffer.from(response.bytes ?? []).toString();

/** Gives its answers when a test says so. */
class Held {
  readonly asked: { request: RouteRequest; answer: (response: RouteResponse) => void }[] = [];
  readonly route: Route = {
    method: 'PUT',
    path: '/held/:name',
    handle: (request) => new Promise((answer) => this.asked.push({ request, answer })),
  };

  async arrived(count: number): Promise<void> {
    while (this.asked.length < count) await nextTurn();
  }
}

describe('requests that are handed on in frames', () => {
  const seen: RouteRequest[] = [];
  let held: Held;
  let http: HttpServer;
  let stop: () => Promise<void>;
  let client: LeaderClient;
  let address: string;

  const routes = (): Route[] => [
    held.route,
    { method: 'PUT', path: '/echo/*', handle: (request) => ({ text: request.body.toString(), status: 201 }) },
    {
      method: 'GET',
      path: '/json',
      handle: (request) => {
        seen.push(request);
        return { json: { a: 'ä' }, meta: { index: 7, knownLeader: true }, headers: { 'x-a': 'b' } };
      },
    },
    {
      method: 'GET',
      path: '/error/:code',
      handle: ({ params }) => {
        throw new AppError(params.code as 'badRequest', `it is ${params.code}`);
      },
    },
    { method: 'GET', path: '/long', handle: () => ({ bytes: Buffer.alloc(MAX_READ_ANSWER_BYTES, 'x') }) },
    { method: 'GET', path: '/stream', handle: () => ({ stream: Readable.from(['a', 'b']) }) },
  ];

  const send = (method: string, path: string, route: string, over: Partial<RouteRequest> = {}) =>
    client.send(address, { path: route }, routeRequest(method, path, over));
  const answered = async (...of: Parameters<typeof send>): Promise<RouteResponse> => {
    const sent = await send(...of);
    if (!sent.answered) throw new Error(sent.reason);
    return sent.response;
  };

  beforeEach(async () => {
    seen.length = 0;
    held = new Held();
    const deps = { clock: new SystemClock(), log: silentLogger, metrics: new Metrics() };
    const upgrades = [handOnUpgrade(deps, routes())];
    http = createHttpServer(deps, { routes: routes(), upgrades, host: '127.0.0.1', port: 0, drainMs: 2000 });
    stop = await started(http);
    address = `127.0.0.1:${http.address().port}`;
    client = new LeaderClient({ selfId: 'a', clock: new SystemClock() });
  });
  afterEach(async () => {
    await client.close();
    await stop();
  });

  it('reach the route as they came, and bring back what it says', async () => {
    const query = new URLSearchParams('ns=a&pretty');
    const headers = { 'x-consul-token': 'ä', connection: 'keep-alive', 'content-length': '3' };
    const response = await answered('GET', '/json', '/json', { query, headers });
    expect({ ...response, bytes: text(response) }).toEqual({
      headers: { 'content-type': 'application/json', 'x-a': 'b' },
      meta: { index: 7, knownLeader: true },
      bytes: '{"a":"ä"}',
    });
    expect(seen).toHaveLength(1);
    expect(seen[0]).toMatchObject({ method: 'GET', path: '/json', remoteAddress: '127.0.0.1' });
    expect(seen[0]!.query.toString()).toBe('ns=a&pretty=');
    expect(seen[0]!.headers).toEqual({ 'x-consul-token': 'ä', 'x-lictor-forwarded-by': 'a' });
  });

  it('may hold any bytes, and are answered in the order in which their routes answer', async () => {
    const body = Buffer.from(Array.from({ length: 60_000 }, (_, at) => at % 256));
    const first = answered('PUT', '/held/x', '/held/:name', { params: { name: 'x' }, body });
    const second = answered('PUT', '/held/y', '/held/:name', { params: { name: 'y' } });
    await held.arrived(2);
    expect(held.asked.map(({ request }) => request.params.name)).toEqual(['x', 'y']);
    expect(held.asked[0]!.request.body.equals(body)).toBe(true);
    held.asked[1]!.answer({ bytes: body });
    expect(Buffer.from((await second).bytes!).equals(body)).toBe(true);
    held.asked[0]!.answer({ text: 'one' });
    expect(await first).toMatchObject({ headers: { 'content-type': 'text/plain; charset=utf-8' } });
    const many = await Promise.all(
      Array.from({ length: 500 }, (_, n) => answered('PUT', `/echo/${n}`, '/echo/*', { body: Buffer.from(`${n}`) })),
    );
    expect(many.map((one) => [one.status, text(one)])).toEqual(many.map((_, n) => [201, `${n}`]));
  });

  it('bring back errors with their codes; where none leads they are as never sent', async () => {
    const bad = await answered('GET', '/error/badRequest', '/error/:code', { params: { code: 'badRequest' } });
    expect(bad).toMatchObject({ status: 400, headers: { 'x-lictor-error': 'badRequest' } });
    expect(text(bad)).toBe('it is badRequest');
    const params = { code: 'noLeader' };
    expect(await send('GET', '/error/noLeader', '/error/:code', { params })).toEqual({
      answered: false,
      reason: 'it is noLeader',
    });
  });

  it('go by HTTP where the answer is a stream or long, or the leader does not know the route in frames', async () => {
    for (const [path, length] of [
      ['/stream', 2],
      ['/long', MAX_READ_ANSWER_BYTES],
    ] as const) {
      const { stream } = await answered('GET', path, path);
      expect((await stream!.toArray()).join('')).toHaveLength(length);
    }
    expect(text(await answered('PUT', '/echo/a', '/unknown/*', { body: Buffer.from('b') }))).toBe('b');
  });

  it('are short ones that do not wait', () => {
    expect(goesInFrame(routeRequest('PUT', '/v1/kv/a'))).toBe(true);
    expect(goesInFrame(routeRequest('PUT', '/v1/kv/a', { body: Buffer.alloc(64 * 1024 + 1) }))).toBe(false);
    expect(goesInFrame(routeRequest('PUT', '/v1/kv/a', { headers: { a: 'x'.repeat(17_000) } }))).toBe(false);
    expect(goesInFrame(routeRequest('PUT', '/v1/snapshot', { bodyStream: Readable.from([]) }))).toBe(false);
    expect(goesInFrame(routeRequest('GET', '/v1/kv/a', { query: new URLSearchParams('index=1') }))).toBe(false);
    expect(goesInFrame(routeRequest('GET', '/v1/snapshot'))).toBe(false);
  });

  it('are answered to the last when the leader stops, and what comes later is as never sent', async () => {
    const sent = answered('PUT', '/held/x', '/held/:name', { params: { name: 'x' } });
    await held.arrived(1);
    const stopped = stop();
    // It has said so once a request that follows is not taken any more.
    const late = async () => {
      let outcome: Awaited<ReturnType<typeof send>> | undefined;
      const sent = send('PUT', '/held/y', '/held/:name', { params: { name: 'y' } });
      void sent.then((one) => {
        outcome = one;
      });
      while (!outcome) {
        for (const { answer } of held.asked.slice(1)) answer({ text: 'late' });
        await nextTurn();
      }
      return outcome;
    };
    let outcome = await late();
    while (outcome.answered) outcome = await late();
    expect(outcome.reason).toContain(address);
    held.asked[0]!.answer({ text: 'done' });
    expect(text(await sent)).toBe('done');
    await stopped;
  });

  it('whose connection breaks are lost where they write, and asked again where they read', async () => {
    const broken = createServer((socket) => {
      let asked = 0;
      socket.on('error', () => {});
      socket.on('data', (chunk) => {
        if (asked++ === 0 && chunk.includes(HAND_ON_PATH)) socket.write('HTTP/1.1 101 Switching Protocols\r\n\r\n');
        else socket.resetAndDestroy();
      });
    });
    const at = await listening(broken);
    await expect(client.send(at, { path: '/held/:name' }, routeRequest('PUT', '/held/x'))).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringMatching(/the leader 127.0.0.1:\d+: .*whether the write was done is not known/),
    });
    expect(await client.send(at, { path: '/json' }, routeRequest('GET', '/json'))).toMatchObject({ answered: false });
    await closed(broken);
    // Nobody is there: a write was not sent.
    expect(await client.send(at, { path: '/held/:name' }, routeRequest('PUT', '/held/x'))).toMatchObject({
      answered: false,
      reason: expect.stringContaining('ECONNREFUSED'),
    });
  });

  it('wait no longer than their time for a leader that is silent, and take another connection then', async () => {
    const clock = new FakeClock();
    const mine = new LeaderClient({ selfId: 'a', clock });
    let connections = 0;
    const silent = createServer((socket) => {
      connections++;
      socket.on('error', () => {});
      socket.once('data', () => socket.write('HTTP/1.1 101 Switching Protocols\r\n\r\n'));
    });
    const at = await listening(silent);
    for (let round = 1; round <= 2; round++) {
      const sent = mine.send(at, { path: '/held/:name' }, routeRequest('PUT', '/held/x'));
      const told = expect(sent).rejects.toMatchObject({ code: 'unavailable' });
      while (connections < round) await nextTurn();
      await new Promise((resolve) => setTimeout(resolve, 50));
      await clock.advance(10_001);
      await told;
    }
    expect(connections).toBe(2);
    await mine.close();
    await closed(silent);
  });

  it('that are said not to have been sent are not sent once the connection opens', async () => {
    const got: Uint8Array[] = [];
    const leader = createServer((socket) => {
      socket.on('error', () => {});
      socket.once('data', () => {
        socket.write('HTTP/1.1 101 Switching Protocols\r\n\r\n');
        socket.on('data', (chunk: Buffer) => got.push(chunk));
      });
    });
    const [, port] = (await listening(leader)).split(':');
    const clock = new FakeClock();
    let connected: (socket: Socket) => void = () => {};
    const connect = () => new Promise<Socket>((resolve) => (connected = resolve));
    const connection = new HandOnConnection({ clock, from: 'a', address: 'x', connect, answerMs: 10_000 });
    const sent = connection.send({ path: '/held/:name' }, routeRequest('PUT', '/held/x'));
    // As after a pause of this process: its timers come first, then the connection.
    await clock.advance(10_000);
    expect((await sent).kind).toBe('notSent');
    const net = await import('node:net');
    const socket = net.connect(Number(port), '127.0.0.1');
    socket.on('error', () => {});
    await new Promise<void>((resolve) => socket.once('connect', () => resolve()));
    connected(socket);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect([connection.over, Buffer.concat(got).length]).toEqual([true, 0]);
    socket.destroy();
    await closed(leader);
  });

  it.each([
    ['no handshake', Buffer.from('GET / HTTP/1.1\r\n\r\n'), false],
    ['junk for a frame', Buffer.from('\u0000\u0000\u0000\u000Ajunkjunkju'), true],
    ['a frame without end', Buffer.from([0xff, 0xff, 0xff, 0xff]), true],
  ])('leave the leader unharmed by one who sends %s', async (_, bytes, upgrade) => {
    const { connect } = await import('node:net');
    const socket: Socket = connect(http.address().port, '127.0.0.1');
    const over = new Promise<void>((resolve) => socket.once('close', () => resolve()));
    socket.on('error', () => {});
    socket.resume();
    if (upgrade) {
      socket.write(
        `GET ${HAND_ON_PATH} HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: lictor-hand-on/1\r\n\r\n`,
      );
    }
    socket.end(bytes);
    await over;
    expect(text(await answered('PUT', '/echo/a', '/echo/*', { body: Buffer.from('b') }))).toBe('b');
  });

  it('of another protocol are refused or answered by HTTP, as any request', async () => {
    const { request } = await import('node:http');
    const answer = await new Promise<number>((resolve, reject) => {
      const headers = { connection: 'upgrade', upgrade: 'websocket' };
      const asked = request({ port: http.address().port, path: '/json', headers }, (response) => {
        response.resume();
        resolve(response.statusCode ?? 0);
      });
      asked.on('upgrade', () => reject(new Error('it has turned to another protocol')));
      asked.on('error', reject);
      asked.end();
    });
    expect([200, 400]).toContain(answer);
  });
});

async function listening(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `127.0.0.1:${(server.address() as { port: number }).port}`;
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()));
}
