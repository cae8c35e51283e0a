import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';
import { jest } from '@jest/globals';
import { SystemClock } from '../../core/clock.ts';
import { silentLogger } from '../../core/log.ts';
import { Metrics } from '../../core/metrics.ts';
import { SeededRandom } from '../../core/random.ts';
import { eventually } from '../../test/support/eventually.ts';
import { HttpConnection, type RawAnswer } from '../../test/support/http-connection.ts';
import { started } from '../../test/support/started.ts';
import { DEFAULT_POLICY } from './http-policy.ts';
import { STALLED_MS } from './respond.ts';
import type { Route, RouteResponse } from './route.ts';
import { createHttpServer } from './server.ts';

/** Told of each request that Node's parser has read. */
const READ = 'http.server.request.start';
const GET = 'GET /v1/value HTTP/1.1\r\nHost: x\r\n\r\n';

describe('requests whose bytes were seen before', () => {
  let text: string;
  let made: RouteResponse | undefined;
  let policy: typeof DEFAULT_POLICY;
  let metrics: Metrics;
  let port: number;
  let stop: () => Promise<void>;
  let finishLate: (() => void)[];
  let read: number;
  /** The server's ends of the connections. */
  const served = new Set<Socket>();
  const countRead = (event: unknown) => {
    read++;
    served.add((event as { socket: Socket }).socket);
  };
  const connections: HttpConnection[] = [];

  const value = (): RouteResponse => {
    const body = Buffer.from(JSON.stringify(text));
    if (made?.bytes?.length !== body.length || !body.equals(made.bytes)) {
      made = { bytes: body, headers: { 'content-type': 'application/json' }, meta: { index: 7 }, again: value };
    }
    return made;
  };
  const routes: Route[] = [
    { method: 'GET', path: '/v1/value', handle: value },
    { method: 'GET', path: '/v1/other', handle: () => ({ json: 'other' }) },
    {
      method: 'GET',
      path: '/v1/late',
      handle: () => new Promise((resolve) => finishLate.push(() => resolve({ json: 'late' }))),
    },
    { method: 'PUT', path: '/v1/echo', handle: ({ body }) => ({ text: body.toString() }) },
  ];

  beforeEach(async () => {
    text = 'one';
    made = undefined;
    policy = DEFAULT_POLICY;
    metrics = new Metrics();
    finishLate = [];
    read = 0;
    served.clear();
    subscribe(READ, countRead);
    const server = createHttpServer(
      { clock: new SystemClock(), log: silentLogger, metrics },
      { routes, host: '127.0.0.1', port: 0, policy: () => policy },
    );
    stop = await started(server);
    port = server.address().port;
  });
  afterEach(async () => {
    unsubscribe(READ, countRead);
    for (const { socket } of connections.splice(0)) socket.destroy();
    await stop();
  });

  const open = () => {
    const connection = new HttpConnection(port);
    connections.push(connection);
    return connection;
  };
  const asked = async (connection: HttpConnection, headers = ''): Promise<RawAnswer> => {
    connection.ask('/v1/value', headers);
    return connection.answer();
  };
  /** A connection on which the request is no longer read; `headers` are its own. */
  const repeating = async (headers = '') => {
    const connection = open();
    // The first to be remembered by its URL, the second to have the connection looked at, the third to be remembered.
    for (let n = 0; n < 4; n++) await asked(connection, headers);
    const before = read;
    await asked(connection, headers);
    expect(read).toBe(before);
    return connection;
  };

  it('are answered without being read, with the same bytes, and are counted', async () => {
    const connection = open();
    const answers: RawAnswer[] = [];
    for (let n = 0; n < 10; n++) answers.push(await asked(connection));
    expect(read).toBeLessThan(5);
    const withoutDate = answers.map(({ head, body }) => [head.replace(/Date: [^\r]+/, 'Date'), body]);
    for (const answer of withoutDate.slice(2)) expect(answer).toEqual(withoutDate[1]);
    expect(Math.abs(Date.parse(/Date: ([^\r]+)/.exec(answers[9]!.head)![1]!) - Date.now())).toBeLessThan(5000);
    expect(await metrics.text()).toContain(
      'lictor_http_requests_total{method="GET",route="/v1/value",status="200"} 10',
    );
  });

  it('are remembered for all connections that repeat', async () => {
    await repeating();
    const other = open();
    await asked(other);
    await asked(other);
    const before = read;
    await asked(other);
    expect(read).toBe(before);
  });

  it('get what is true now', async () => {
    const connection = await repeating();
    text = 'two';
    expect((await asked(connection)).body).toBe('"two"');
    policy = { ...DEFAULT_POLICY, headers: { 'x-here': 'yes' } };
    for (let n = 0; n < 4; n++) expect((await asked(connection)).head).toMatch(/X-Here: yes/);
    const before = read;
    await asked(connection);
    expect(read).toBe(before);
    policy = { ...DEFAULT_POLICY, blockedPrefixes: ['/v1/value'] };
    expect((await asked(connection)).head).toMatch(/^HTTP\/1\.1 403 /);
  });

  it('get it in lines where everybody does, and without when nobody does any more', async () => {
    policy = { ...DEFAULT_POLICY, pretty: true };
    text = 'x'.repeat(3000);
    const packed = await repeating('Accept-Encoding: gzip\r\n');
    const plain = await repeating();
    const both = async () => [await asked(packed, 'Accept-Encoding: gzip\r\n'), await asked(plain)];
    const parse = jest.spyOn(JSON, 'parse');
    expect((await both()).map(({ body }) => body)).toEqual([`"${text}"\n`, `"${text}"\n`]);
    expect(parse).not.toHaveBeenCalled();
    parse.mockRestore();
    policy = DEFAULT_POLICY;
    expect((await both()).map(({ body }) => body)).toEqual([`"${text}"`, `"${text}"`]);
  });

  it('get it in the form that each takes', async () => {
    text = 'x'.repeat(3000);
    const packed = await repeating('Accept-Encoding: gzip\r\n');
    const plain = await repeating();
    const answers = [await asked(packed, 'Accept-Encoding: gzip\r\n'), await asked(plain)];
    expect(answers.map(({ head }) => /content-encoding: gzip/i.test(head))).toEqual([true, false]);
    expect(answers.map(({ body }) => body.length)).toEqual([3002, 3002]);
  });

  it.each([
    ['with a header that tells more', 'X-Consul-Namespace: team\r\n'],
    ['that end their connection', 'Connection: close\r\n'],
  ])('are read each time when they are ones %s', async (_, headers) => {
    const connection = await repeating();
    const before = read;
    expect((await asked(connection, headers)).body).toBe('"one"');
    expect(read).toBe(before + 1);
    if (headers.startsWith('Connection')) {
      await eventually(() => connection.socket.readableEnded || connection.socket.destroyed, { withinMs: 5000 });
    }
  });

  it('wait for the answers to what was asked before them', async () => {
    const connection = await repeating();
    connection.ask('/v1/late');
    await eventually(() => finishLate.length === 1, { withinMs: 5000 });
    connection.socket.write(GET);
    await new Promise((resolve) => setTimeout(resolve, 50));
    finishLate[0]!();
    expect((await connection.answer()).body).toBe('"late"');
    expect((await connection.answer()).body).toBe('"one"');
    await repeatsStill(connection);
  });

  it('are part of a body, or of a header, where they come within one', async () => {
    const connection = await repeating();
    connection.socket.write(`PUT /v1/echo HTTP/1.1\r\nHost: x\r\nContent-Length: ${GET.length * 2}\r\n\r\n`);
    await new Promise((resolve) => setTimeout(resolve, 30));
    for (let n = 0; n < 2; n++) {
      connection.socket.write(GET);
      await new Promise((resolve) => setTimeout(resolve, 30));
    }
    expect((await connection.answer()).body).toBe(GET + GET);
    connection.socket.write('GET /v1/other HTTP/1.1\r\nX-Text: ');
    await new Promise((resolve) => setTimeout(resolve, 30));
    connection.socket.write(GET);
    expect((await connection.answer()).body).toBe('"other"');
    await repeatsStill(connection);
  });

  it('are all answered to a client that reads late', async () => {
    text = 'x'.repeat(40_000);
    const [connection, prompt] = [await repeating(), await repeating()];
    connection.socket.pause();
    for (let n = 0; n < 300; n++) {
      connection.socket.write(GET);
      prompt.socket.write(GET);
      // What waits to be sent must stay what it was, whatever others are sent.
      text = String(n % 10).repeat(40_000);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
    connection.socket.resume();
    for (let n = 0; n < 300; n++) {
      for (const { body } of [await connection.answer(), await prompt.answer()]) {
        expect(body).toHaveLength(40_002);
        expect(new Set(body).size).toBe(2);
      }
    }
    // Once all is sent, each has the time again that a connection may be idle, and nothing is left of the waits.
    await eventually(() => [...served].every(({ timeout }) => timeout !== STALLED_MS), { withinMs: 5000 });
    for (const socket of served) expect(socket.listenerCount('drain')).toBeLessThan(5);
  });

  it('do not keep a server from stopping', async () => {
    const connection = await repeating();
    const before = performance.now();
    await stop();
    // The drain time is 5 s.
    expect(performance.now() - before).toBeLessThan(3000);
    await eventually(() => connection.socket.destroyed, { withinMs: 5000 });
  });

  /** A connection that owes a client that does not read the rest of an answer; gives it, and how many answers were sent. */
  const owing = async () => {
    text = 'x'.repeat(60_000);
    const connection = await repeating();
    connection.socket.pause();
    const stalled = () => [...served].some(({ timeout }) => timeout === STALLED_MS);
    let sent = 0;
    while (!stalled()) {
      connection.socket.write(GET);
      sent++;
      await new Promise((resolve) => setImmediate(resolve));
    }
    return { connection, sent };
  };

  it('are answered to the end where a client reads slowly while the server stops', async () => {
    const { connection, sent } = await owing();
    const stopped = stop();
    connection.socket.resume();
    for (let n = 0; n < sent; n++) expect((await connection.answer()).body).toHaveLength(60_002);
    const before = performance.now();
    await stopped;
    expect(performance.now() - before).toBeLessThan(3000);
    await eventually(() => connection.socket.destroyed, { withinMs: 5000 });
  });

  it('do not keep a server from stopping though a client takes nothing', async () => {
    await owing();
    const before = performance.now();
    await stop();
    // The drain time is 5 s.
    expect(performance.now() - before).toBeGreaterThan(4000);
    expect(performance.now() - before).toBeLessThan(20_000);
  });

  it.each([1, 2, 3, 4, 5, 6])('mean the same however requests are cut and mixed (seed %i)', async (seed) => {
    const random = new SeededRandom(seed);
    const pick = <T>(from: readonly T[]) => from[Math.floor(random.next() * from.length)]!;
    const put = (body: string) => `PUT /v1/echo HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    const kinds: readonly (readonly [string, string])[] = [
      [GET, '"one"'],
      [GET, '"one"'],
      [GET, '"one"'],
      ['\r\n', ''],
      ['GET /v1/other HTTP/1.1\r\nHost: x\r\n\r\n', '"other"'],
      [put(GET), GET],
      [`GET /v1/other HTTP/1.1\r\nX-Text: ${GET}`, '"other"'],
      [put(`${GET}GET /v1`), `${GET}GET /v1`],
      [put('\r\n\r\n'), '\r\n\r\n'],
    ];
    const connection = await repeating();
    const sent = Array.from({ length: 150 }, () => pick(kinds));
    const whole = sent.map(([bytes]) => bytes).join('');
    // Mostly at the borders of requests, where bytes that were seen stand alone.
    const cuts = new Set<number>();
    for (let at = 0, n = 0; n < sent.length; at += sent[n++]![0].length) {
      if (random.next() < 0.7) cuts.add(at);
      if (random.next() < 0.7) cuts.add(at + Math.max(0, sent[n]![0].lastIndexOf(GET)));
    }
    for (let n = 0; n < 60; n++) cuts.add(Math.floor(random.next() * whole.length));
    let from = 0;
    for (const to of [...cuts, whole.length].sort((a, b) => a - b)) {
      connection.socket.write(whole.slice(from, to));
      from = to;
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    for (const [, body] of sent) if (body !== '') expect((await connection.answer()).body).toBe(body);
    await repeatsStill(connection);
  });

  /** What is unusual does not keep the connection from going on as before. */
  async function repeatsStill(connection: HttpConnection): Promise<void> {
    await asked(connection);
    const before = read;
    expect((await asked(connection)).body).toBe(JSON.stringify(text));
    expect(read).toBe(before);
  }
});
