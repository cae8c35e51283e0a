import { connect } from 'node:net';
import { Readable } from 'node:stream';
import { Agent, request } from 'undici';
import { SystemClock } from '../../core/clock.ts';
import { AppError } from '../../core/errors.ts';
import { silentLogger } from '../../core/log.ts';
import { Metrics } from '../../core/metrics.ts';
import { eventually } from '../../test/support/eventually.ts';
import { HttpConnection } from '../../test/support/http-connection.ts';
import { started } from '../../test/support/started.ts';
import { DEFAULT_POLICY } from './http-policy.ts';
import type { Route, RouteRequest, RouteResponse } from './route.ts';
import { createHttpServer, type HttpServer, type HttpServerOptions } from './server.ts';

const routes: Route[] = [
  {
    method: 'GET',
    path: '/v1/things',
    handle: () => ({
      json: { A: 1 },
      meta: { index: 7, knownLeader: true, lastContactMs: 0, effectiveConsistency: 'leader' },
    }),
  },
  {
    method: 'PUT',
    path: '/v1/things',
    handle: (r) => ({ json: { body: r.body.toString(), type: r.headers['content-type'] ?? null } }),
  },
  { method: 'GET', path: '/v1/thing/:name', handle: (r) => ({ json: { name: r.params.name, q: r.query.get('q') } }) },
  { method: 'GET', path: '/v1/thing/fixed', handle: () => ({ json: 'fixed' }) },
  { method: 'GET', path: '/v1/of/:node/part', handle: (r) => ({ json: r.params.node }) },
  { method: 'GET', path: '/v1/late', handle: async () => ({ json: [] }) },
  {
    method: 'GET',
    path: '/v1/bad',
    handle: () => {
      throw new AppError('conflict', 'try again');
    },
  },
  {
    method: 'GET',
    path: '/v1/defect',
    handle: async () => {
      throw new TypeError('oops');
    },
  },
  {
    method: 'GET',
    path: '/v1/bytes',
    handle: () => ({ bytes: Buffer.from('{"a":1}'), headers: { 'Content-Type': 'application/json' } }),
  },
  { method: 'GET', path: '/v1/kept', handle: kept },
  {
    method: 'GET',
    path: '/v1/nothing-new',
    handle: () => ({ bytes: Buffer.alloc(0), headers: { 'content-type': 'application/json' } }),
  },
  { method: 'PUT', path: '/v1/put', handle: () => ({}) },
  { method: 'GET', path: '/v1/large', handle: () => ({ json: 'x'.repeat(5000) }) },
  { method: 'GET', path: '/v1/stream', handle: (r) => ({ stream: lines(r.signal) }) },
];

const KEPT: RouteResponse = {
  bytes: Buffer.from('1'),
  headers: { 'content-type': 'application/json', 'x-own': '1' },
  meta: { index: 7 },
  shared: true,
  again: () => kept(),
};
function kept(): RouteResponse {
  return KEPT;
}

function lines(signal: AbortSignal): Readable {
  const stream = new Readable({ read() {} });
  stream.push('one\n');
  signal.addEventListener('abort', () => stream.destroy());
  return stream;
}

interface Running {
  server: HttpServer;
  base: string;
  stop(): Promise<void>;
}

async function start(extra: Partial<HttpServerOptions> = {}): Promise<Running> {
  const server = createHttpServer(
    { clock: new SystemClock(), log: silentLogger, metrics: new Metrics() },
    { routes, host: '127.0.0.1', port: 0, ...extra },
  );
  const stop = await started(server);
  return {
    server,
    base: `http://127.0.0.1:${server.address().port}`,
    stop,
  };
}

describe('http server', () => {
  let running: Running;
  const agent = new Agent({ keepAliveTimeout: 1000 });
  beforeAll(async () => {
    const policy = { ...DEFAULT_POLICY, headers: { 'x-of-policy': '1' } };
    running = await start({ policy: () => policy });
  });
  afterAll(async () => {
    await agent.close();
    await running.stop();
  });
  const call = async (path: string, options: Record<string, unknown> = {}) => {
    const answer = await request(`${running.base}${path}`, { dispatcher: agent, ...options });
    return { status: answer.statusCode, headers: answer.headers, text: await answer.body.text() };
  };

  it('serialises JSON and sets the index and consistency headers', async () => {
    const answer = await call('/v1/things');
    expect(answer).toMatchObject({
      status: 200,
      text: '{"A":1}',
      headers: {
        'content-type': 'application/json',
        'x-consul-index': '7',
        'x-consul-knownleader': 'true',
        'x-consul-lastcontact': '0',
        'x-consul-effective-consistency': 'leader',
        'x-consul-default-acl-policy': 'allow',
        vary: 'Accept-Encoding',
      },
    });
  });

  it('indents by four with ?pretty, ready bytes too', async () => {
    expect((await call('/v1/things?pretty')).text).toBe('{\n    "A": 1\n}\n');
    expect((await call('/v1/bytes?pretty')).text).toBe('{\n    "a": 1\n}\n');
    expect((await call('/v1/bytes')).text).toBe('{"a":1}');
    expect(await call('/v1/nothing-new?pretty')).toMatchObject({ status: 200, text: '' });
  });

  it('gives the raw body whatever the content type says', async () => {
    for (const type of ['application/json', 'garbage;;', 'application/x-www-form-urlencoded', undefined]) {
      const headers = type === undefined ? {} : { 'content-type': type };
      expect((await call('/v1/things', { method: 'PUT', body: '{"x', headers })).text).toBe(
        '{"body":"{\\"x","type":null}',
      );
    }
    expect((await call('/v1/things', { method: 'PUT' })).text).toBe('{"body":"","type":null}');
  });

  it('refuses a body over the limit with 413', async () => {
    const answer = await call('/v1/things', { method: 'PUT', body: 'x'.repeat(1024 * 1024 + 1) });
    expect(answer.status).toBe(413);
    expect(answer.text).toBe('Request body too large, max size: 1048576 bytes');
  });

  it('hands the decoded rest of the path to a trailing parameter, empty and with slashes', async () => {
    expect((await call('/v1/thing/a%2Fb/c%20d?q=1+2')).text).toBe('{"name":"a/b/c d","q":"1 2"}');
    expect((await call('/v1/thing/')).text).toBe('{"name":"","q":null}');
    expect((await call('/v1/thing/fixed')).text).toBe('"fixed"');
    expect((await call('/v1/of/n%2F1/part')).text).toBe('"n/1"');
    expect(await call('/v1/thing?x=1')).toMatchObject({ status: 307, headers: { location: '/v1/thing/?x=1' } });
  });

  it.each([
    ['//v1/things', '/v1/things'],
    ['/v1//things?a=b%20c&d', '/v1/things?a=b%20c&d'],
    ['/v1/other/../things', '/v1/things'],
    ['/v1/other/%2E%2e/things', '/v1/things'],
    ['/v1/./other//', '/v1/other/'],
    ['//elsewhere.example/%252e', '/elsewhere.example/%252e'],
    ['/v1/..//', '/'],
  ])('answers %s, which no route has, with where the path without its detours is', async (path, location) => {
    for (const method of ['GET', 'PUT', 'HEAD']) {
      const connection = new HttpConnection(running.server.address().port);
      connection.socket.write(`${method} ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n`);
      const { head } = await connection.answer();
      expect(head).toMatch(/^HTTP\/1\.1 307 /);
      expect(head).toContain(`\r\nLocation: ${location}\r\n`);
      connection.socket.destroy();
    }
  });

  it('answers OPTIONS and other methods with Allow', async () => {
    expect(await call('/v1/things', { method: 'OPTIONS' })).toMatchObject({
      status: 200,
      text: '',
      headers: { allow: 'OPTIONS,GET,PUT', 'content-type': 'application/json' },
    });
    expect(await call('/v1/things', { method: 'DELETE' })).toMatchObject({
      status: 405,
      text: 'method DELETE not allowed',
      headers: { allow: 'OPTIONS,GET,PUT' },
    });
    expect(await call('/v1/things', { method: 'POST', body: '{' })).toMatchObject({ status: 405 });
    for (const method of ['QUERY', 'PROPFIND']) {
      expect(await call('/v1/things', { method: method as 'GET' })).toMatchObject({
        status: 405,
        text: `method ${method} not allowed`,
        headers: { allow: 'OPTIONS,GET,PUT' },
      });
    }
    expect(await call('/v1/things', { method: 'HEAD' })).toMatchObject({ status: 405, text: '' });
  });

  it('answers unknown paths with the texts of Consul', async () => {
    expect(await call('/v1/nosuch')).toMatchObject({
      status: 404,
      text: 'Invalid URL path: not a recognized HTTP API endpoint',
    });
    expect(await call('/v2/x')).toMatchObject({
      status: 404,
      text: "Invalid URL path: if attempting to use the HTTP API, ensure the path starts with '/v1/'",
    });
    expect((await call('/')).status).toBe(200);
  });

  it('refuses unprintable characters in the path, not in the query', async () => {
    for (const path of ['/v1/thing/%00', '/v1/thing/a%0Ab', '/v1/thing/%C2%85', '/v1/thing/%zz', '/v1/nosuch/%01']) {
      expect({ path, ...(await call(path)) }).toMatchObject({ path, status: 400 });
    }
    expect((await call('/v1/thing/%C3%A9%20x?q=a%00b')).status).toBe(200);
  });

  it('translates thrown errors by the error table and names the code', async () => {
    expect(await call('/v1/bad')).toMatchObject({
      status: 409,
      text: 'try again',
      headers: { 'content-type': 'text/plain; charset=utf-8', 'x-lictor-error': 'conflict' },
    });
    expect(await call('/v1/defect')).toMatchObject({
      status: 500,
      text: 'oops',
      headers: { 'x-lictor-error': 'internal' },
    });
  });

  it('compresses large answers when asked', async () => {
    expect((await call('/v1/large', { headers: { 'accept-encoding': 'gzip' } })).headers['content-encoding']).toBe(
      'gzip',
    );
    expect(
      (await call('/v1/large', { headers: { 'accept-encoding': 'gzip;q=0' } })).headers['content-encoding'],
    ).toBeUndefined();
    expect(
      (await call('/v1/things', { headers: { 'accept-encoding': 'gzip' } })).headers['content-encoding'],
    ).toBeUndefined();
  });

  it.each([
    ['an answer', '/v1/things', ['Vary', 'X-Consul-Index', 'X-Consul-Knownleader', 'Content-Type', 'Content-Length']],
    ['an answer in lines', '/v1/things?pretty', ['X-Consul-Effective-Consistency', 'Content-Type']],
    ['an answer that is kept', '/v1/kept', ['X-Consul-Index', 'X-Own', 'Content-Type', 'Content-Length']],
    ['an error', '/v1/bad', ['X-Lictor-Error', 'X-Consul-Default-Acl-Policy', 'Content-Type']],
    ['a redirect', '/v1/thing', ['Location']],
    ['an unknown path', '/v1/nothing', ['Content-Type', 'X-Of-Policy']],
    ['a method that is not there', '/v1/put', ['Allow']],
  ])('spells the headers of %s as Go does', async (_what, path, expected) => {
    const connection = new HttpConnection(running.server.address().port);
    // Also when it is given again, and when the request is not even read.
    for (let time = 0; time < 4; time++) {
      connection.ask(path);
      const names = (await connection.answer()).head
        .split('\r\n')
        .slice(1)
        .map((line) => line.split(':')[0]);
      expect(names).toEqual(expect.arrayContaining([...expected, 'Date', 'Connection']));
      expect(names.filter((name) => !/^[A-Z][a-z]*(-[A-Z][a-z]*)*$/.test(name!))).toEqual([]);
    }
    connection.socket.destroy();
  });

  it('streams from the first line on', async () => {
    const answer = await request(`${running.base}/v1/stream`, { dispatcher: agent });
    for await (const chunk of answer.body) {
      expect(String(chunk)).toBe('one\n');
      break;
    }
  });
});

describe('http server lifecycle', () => {
  it('aborts the signal of a request whose client has gone', async () => {
    let gone = false;
    const waiting: Route = {
      method: 'GET',
      path: '/v1/wait',
      handle: (r: RouteRequest) =>
        new Promise((resolve) => {
          r.signal.addEventListener('abort', () => {
            gone = true;
            resolve({});
          });
        }),
    };
    const running = await start({ routes: [waiting] });
    const socket = connect(running.server.address().port, '127.0.0.1');
    socket.write('GET /v1/wait HTTP/1.1\r\nHost: x\r\n\r\n');
    await new Promise((resolve) => setTimeout(resolve, 50));
    socket.destroy();
    await eventually(() => gone, { withinMs: 5000 });
    await running.stop();
  });

  it('ends blocked requests and streams, refuses new connections and frees the port when it stops', async () => {
    const blocked: Route = {
      method: 'GET',
      path: '/v1/wait',
      handle: (r: RouteRequest) =>
        new Promise((_, reject) => {
          r.signal.addEventListener('abort', () => reject(new AppError('shuttingDown', 'stopping')));
        }),
    };
    const running = await start({ routes: [...routes, blocked] });
    const waiting = request(`${running.base}/v1/wait`);
    const stream = await request(`${running.base}/v1/stream`);
    stream.body.on('error', () => {});
    await new Promise((resolve) => setTimeout(resolve, 50));
    const before = performance.now();
    await running.stop();
    expect(performance.now() - before).toBeLessThan(4000);
    expect((await waiting).statusCode).toBe(503);
    await expect(request(`${running.base}/v1/things`)).rejects.toThrow();
  });

  it('sends a client that reads slowly the whole answer before it stops', async () => {
    const bytes = Buffer.alloc(16 * 1024 * 1024, 'x');
    let asked = false;
    const handle = () => {
      asked = true;
      return { bytes };
    };
    const large: Route = { method: 'GET', path: '/v1/large', handle };
    const running = await start({ routes: [large], drainMs: 30_000 });
    const slow = new HttpConnection(Number(new URL(running.base).port));
    slow.socket.pause();
    slow.ask('/v1/large');
    await eventually(() => asked, { withinMs: 5000 });
    const stopped = running.stop();
    slow.socket.resume();
    expect((await slow.answer()).body).toHaveLength(bytes.length);
    const before = performance.now();
    await stopped;
    expect(performance.now() - before).toBeLessThan(10_000);
  });

  it('cuts requests that do not end within the drain time', async () => {
    const stuck: Route = { method: 'GET', path: '/v1/stuck', handle: () => new Promise(() => {}) };
    const running = await start({ routes: [stuck], drainMs: 100 });
    const waiting = request(`${running.base}/v1/stuck`).catch((error: unknown) => error);
    await new Promise((resolve) => setTimeout(resolve, 50));
    await running.stop();
    expect(await waiting).toBeInstanceOf(Error);
  });

  it('names the address and the flag when the port is taken', async () => {
    const running = await start();
    const { port } = running.server.address();
    await expect(start({ port, portFlag: '-http-port' })).rejects.toMatchObject({
      code: 'addressInUse',
      message: `http: 127.0.0.1:${port} is already in use; stop the other process or choose another port with -http-port`,
    });
    await running.stop();
  });

  it('refuses connections of one client beyond its limit with 429', async () => {
    const running = await start({ maxConnectionsPerClient: 2 });
    const { port } = running.server.address();
    const sockets = [connect(port, '127.0.0.1'), connect(port, '127.0.0.1')];
    await Promise.all(sockets.map((socket) => new Promise((resolve) => socket.once('connect', resolve))));
    const third = await new Promise<string>((resolve) => {
      let text = '';
      const socket = connect(port, '127.0.0.1');
      socket.on('data', (chunk) => {
        text += chunk;
      });
      socket.on('close', () => resolve(text));
    });
    expect(third).toContain('429 Too Many Requests');
    for (const socket of sockets) socket.destroy();
    await eventually(async () => (await request(`${running.base}/v1/things`)).statusCode === 200, { withinMs: 3000 });
    await running.stop();
  });
});
