import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { request } from 'undici';
import { eventually } from '../support/eventually.ts';
import { type AgentProcess, startServer } from '../support/processes/lictor.ts';

const HALF_OPEN = 10_000;
const MIB = 1024 * 1024;

let agent: AgentProcess;
let pid: number;
beforeAll(async () => {
  agent = await startServer({ args: ['-hcl', 'limits { http_max_conns_per_client = 20000 }', '-log-level=warn'] });
  pid = agent.process.pid;
}, 60_000);
afterAll(() => agent?.stop());
afterEach(async () => {
  // Whatever was sent: the same process goes on, and others are served.
  expect(agent.process.running).toBe(true);
  expect(await agent.get('/v1/status/leader')).not.toBe('');
});

function residentMib(): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) / 1024;
}

/** Sends bytes on a connection of its own and gives all that comes until the agent closes it, or has answered enough. */
function speak(bytes: string | Buffer, options: { answers?: number; end?: boolean } = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = connect(agent.httpPort, '127.0.0.1');
    const late = AbortSignal.timeout(30_000);
    late.addEventListener('abort', () => {
      socket.destroy();
      reject(new Error(`no end after 30 s: ${text.slice(0, 500)}`));
    });
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      if (options.answers !== undefined && statusesOf(text).length >= options.answers) socket.end();
    });
    socket.on('error', () => {});
    socket.on('close', () => resolve(text));
    socket.write(bytes);
    if (options.end) socket.end();
  });
}

function statusesOf(text: string): number[] {
  return [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map((match) => Number(match[1]));
}

async function keyExists(key: string): Promise<boolean> {
  const answer = await request(`${agent.url}/v1/kv/${key}`);
  await answer.body.dump();
  return answer.statusCode === 200;
}

const PUT = (key: string, headers: string, body: string) =>
  `PUT /v1/kv/${key} HTTP/1.1\r\nHost: x\r\n${headers}\r\n\r\n${body}`;
const SMUGGLED = PUT('smuggled', 'Content-Length: 1', 'x');

describe('lengths that lie', () => {
  it('stores nothing of a body that is shorter than announced', async () => {
    const text = await speak(PUT('cut', 'Content-Length: 100', 'too short'), { end: true });
    expect(statusesOf(text)).not.toContain(200);
    expect(await keyExists('cut')).toBe(false);
  });

  it('takes what is longer than announced as the next request, and refuses that', async () => {
    const text = await speak(PUT('long', 'Content-Length: 5', 'value and more'));
    expect(statusesOf(text)).toEqual([200, 400]);
    expect(Buffer.from((await agent.get<{ Value: string }[]>('/v1/kv/long'))[0]!.Value, 'base64').toString()).toBe(
      'value',
    );
  });

  it.each([
    ['a negative one', 'Content-Length: -1'],
    ['none at all', 'Content-Length: '],
    ['one with a sign', 'Content-Length: +5'],
    ['one beyond 64 bits', 'Content-Length: 99999999999999999999999'],
    ['two', 'Content-Length: 5\r\nContent-Length: 6'],
    ['a list', 'Content-Length: 5, 6'],
  ])('refuses %s', async (_what, headers) => {
    const text = await speak(PUT('lie', headers, 'value'));
    expect(statusesOf(text)).toEqual([400]);
    expect(text).toMatch(/\r\n\r\n400 Bad Request: \w+/);
    expect(await keyExists('lie')).toBe(false);
  });

  it('refuses a body over the limit with 413 before it has all come, and says the limit', async () => {
    const announced = await speak(PUT('big', `Content-Length: ${1024 * MIB}`, 'x'.repeat(100_000)));
    expect(statusesOf(announced)).toEqual([413]);
    expect(announced).toMatch(/max size: \d+ bytes/);
    const chunk = `10000\r\n${'x'.repeat(0x10000)}\r\n`;
    const chunked = await speak(PUT('big', 'Transfer-Encoding: chunked', chunk.repeat(64)));
    expect(statusesOf(chunked)).toEqual([413]);
    expect(await keyExists('big')).toBe(false);
  });
});

describe('what would smuggle a second request', () => {
  it.each([
    ['length and encoding', `Content-Length: ${SMUGGLED.length + 5}\r\nTransfer-Encoding: chunked`],
    ['encoding and length', `Transfer-Encoding: chunked\r\nContent-Length: ${SMUGGLED.length + 5}`],
    ['an encoding that is not the last', 'Transfer-Encoding: chunked, identity'],
    ['an encoding that is none', 'Transfer-Encoding: xchunked'],
    ['a space before the colon', 'Transfer-Encoding : chunked'],
    ['a folded header', 'Transfer-Encoding:\r\n chunked\r\nContent-Length: 0'],
    ['a line that ends in CR alone', 'X: y\rTransfer-Encoding: chunked'],
    ['a NUL in a header', 'X: a\0b\r\nTransfer-Encoding: chunked'],
    ['two encodings', 'Transfer-Encoding: identity\r\nTransfer-Encoding: chunked'],
    ['an encoding below another', 'Transfer-Encoding: gzip, chunked'],
  ])('is refused as a whole: %s', async (_what, headers) => {
    const text = await speak(PUT('outer', headers, `0\r\n\r\n${SMUGGLED}`));
    expect([[400], [501]]).toContainEqual(statusesOf(text));
    expect(await keyExists('smuggled')).toBe(false);
    expect(await keyExists('outer')).toBe(false);
  });

  it.each([
    ['no number', 'zz\r\nabc\r\n0\r\n\r\n'],
    ['a number beyond 64 bits', 'fffffffffffffffff\r\nabc'],
    ['a negative number', '-5\r\nabc\r\n0\r\n\r\n'],
    ['no end of a chunk', '3\r\nabcdef\r\n0\r\n\r\n'],
    ['an extension without end', `3;${'x'.repeat(100_000)}`],
  ])('chunks with %s are refused', async (_what, body) => {
    const text = await speak(PUT('chunks', 'Transfer-Encoding: chunked', body));
    expect([400, 413]).toContain(statusesOf(text)[0]);
    expect(await keyExists('chunks')).toBe(false);
  });
});

describe('headers', () => {
  it.each([
    ['a header of 1 MB', `X-Filler: ${'x'.repeat(MIB)}`, 431, /headers too large, max size: 65536 bytes/],
    ['a name of 1 MB', `${'x'.repeat(MIB)}: a`, 431, /headers too large/],
    ['1,500 headers', 'a: b\r\n'.repeat(1_500).trim(), 431, /Too many request headers, max: 999/],
    ['200,000 headers', 'a: b\r\n'.repeat(200_000).trim(), 431, /headers/],
    ['a header without a colon', 'nonsense', 400, /400 Bad Request: \w+/],
  ])('%s are refused', async (_what, headers, status, words) => {
    const text = await speak(`GET /v1/status/leader HTTP/1.1\r\nHost: x\r\n${headers}\r\n\r\n`);
    expect(statusesOf(text)).toEqual([status]);
    expect(text).toMatch(words);
  });

  it('too large ones that come in pieces are refused for what they are', async () => {
    const socket = connect(agent.httpPort, '127.0.0.1');
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
    });
    socket.write(`GET /v1/status/leader HTTP/1.1\r\nHost: x\r\nX-Filler: ${'x'.repeat(60_000)}`);
    // What was sent before this answer has been read by then.
    await speak('GET /v1/status/leader HTTP/1.1\r\nHost: x\r\n\r\n', { answers: 1 });
    socket.write(`${'x'.repeat(10_000)}\r\n\r\n`);
    await eventually(() => /headers too large, max size: 65536 bytes/.test(text), { withinMs: 10_000 });
    socket.destroy();
  });

  it('a request that is none is refused', async () => {
    for (const bytes of [
      'nonsense\r\n\r\n',
      '\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03',
      'GET / HTTP/9.9\r\n\r\n',
      '\0\0\0\0',
    ]) {
      expect(statusesOf(await speak(Buffer.from(bytes, 'latin1')))).toEqual([400]);
    }
    expect(statusesOf(await speak('GET /v1/status/leader HTTP/1.1\r\n\r\n'))).toEqual([400]);
  });
});

describe('pipelining', () => {
  it('answers 1,000 requests sent ahead, in their order', async () => {
    const one = (at: number) => `GET /v1/thing-${at} HTTP/1.1\r\nHost: x\r\n\r\n`;
    const two = 'GET /v1/status/leader HTTP/1.1\r\nHost: x\r\n\r\n';
    const sent = Array.from({ length: 500 }, (_, at) => one(at) + two).join('');
    expect(statusesOf(await speak(sent, { answers: 1_000 }))).toEqual(
      Array.from({ length: 500 }, () => [404, 200]).flat(),
    );
  });

  it('lets one connection wait for 64 answers at a time', async () => {
    const waits = 'GET /v1/catalog/service/nothing?index=1000000&wait=1s HTTP/1.1\r\nHost: x\r\n\r\n';
    const statuses = statusesOf(await speak(waits.repeat(200), { answers: 200 }));
    expect(statuses.slice(0, 64)).toEqual(Array.from({ length: 64 }, () => 200));
    expect(statuses.slice(64)).toEqual(Array.from({ length: 136 }, () => 429));
  });
});

describe('odd paths', () => {
  it.each(
    [
      ['/v1/kv/%00', 400],
      ['/v1/kv/a%0Ab', 400],
      ['/v1/kv/%C2%85', 400],
      ['/v1/kv/%E2%80%AE', 400],
      ['/v1/kv/%ff%fe', 400],
      ['/v1/kv/%zz', 400],
      ['/v1/kv/%ED%A0%80', 400],
      ['/v1/kv/a/../b', 307],
      ['/v1/kv/../agent/self', 307],
      ['/v1/../../etc/passwd', 307],
      ['/v1/kv/%2e%2e/%2e%2e/etc', 307],
      [`/v1/kv/${'x'.repeat(1_500)}`, 400],
      [`/v1/kv/${'x'.repeat(60_000)}`, 400],
      [`/v1/kv/${'a/'.repeat(30_000)}`, 400],
      [`/v1/kv/${'x'.repeat(70_000)}`, 431],
      [`/v1/catalog/service/${'x'.repeat(60_000)}`, 200],
      [`/v1/agent/service/${'x'.repeat(60_000)}`, 404],
      ['*', 404],
      ['//', 307],
      ['/v1/kv/\0', 400],
      ['http://elsewhere/v1/status/leader', 200],
    ].map(([path, status]) => ({ path: path as string, status, start: String(path).slice(0, 40) })),
  )('$start is answered $status', async ({ path, status }) => {
    const text = await speak(`GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
    expect(statusesOf(text)).toEqual([status]);
    expect(text).not.toContain('root:');
  });

  it('keys that cannot be printed are neither written nor deleted', async () => {
    for (const key of ['a%00', '%01', 'a%0D%0Ab', '%E2%80%AE']) {
      for (const method of ['PUT', 'DELETE']) {
        const text = await speak(
          `${method} /v1/kv/${key} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`,
        );
        expect({ key, method, statuses: statusesOf(text) }).toEqual({ key, method, statuses: [400] });
      }
    }
  });
});

describe('JSON', () => {
  const DEEP = 100_000;
  const arrays = '['.repeat(DEEP) + ']'.repeat(DEEP);
  const objects = `${'{"a":'.repeat(DEEP)}1${'}'.repeat(DEEP)}`;
  const paths = [
    '/v1/catalog/register',
    '/v1/catalog/deregister',
    '/v1/agent/service/register',
    '/v1/agent/check/register',
    '/v1/session/create',
    '/v1/txn',
    '/v1/config',
    '/v1/connect/intentions/exact?source=a&destination=b',
    '/v1/connect/ca/configuration',
    '/v1/coordinate/update',
    '/v1/operator/autopilot/configuration',
  ];

  it.each(paths)('100,000 levels deep are refused by PUT %s', async (path) => {
    const bodies = [
      arrays,
      objects,
      `{"Node":"a","Address":"1.1.1.1","Name":"a","Kind":"service-defaults","Meta":${objects},"Config":${arrays}}`,
      '['.repeat(DEEP),
      '{"Name":"a","Name":',
      '{"Name":1e999}',
      '\u0000',
      '"',
    ];
    for (const body of bodies) {
      const answer = await request(`${agent.url}${path}`, { method: 'PUT', body });
      const text = await answer.body.text();
      const start = body.slice(0, 30);
      const fine = [400, 413];
      expect({ start, status: fine.includes(answer.statusCode) ? 0 : answer.statusCode, text: text !== '' }).toEqual({
        start,
        status: 0,
        text: true,
      });
    }
  });

  it('prepared queries too', async () => {
    const answer = await request(`${agent.url}/v1/query`, { method: 'POST', body: `{"Service":${objects}}` });
    expect(answer.statusCode).toBe(400);
    await answer.body.dump();
  });
});

describe('10,000 connections that never say what they want', () => {
  const sockets: Socket[] = [];
  let closed = 0;
  afterAll(() => {
    for (const socket of sockets) socket.destroy();
  });

  it('take bounded memory, keep nobody from being served, and are closed', async () => {
    const before = residentMib();
    // From many addresses of this machine: one has not ports enough for the repeated runs of a test.
    for (let batch = 0; batch < HALF_OPEN / 500; batch++) {
      const localAddress = `127.0.1.${batch + 1}`;
      const opened = Array.from(
        { length: 500 },
        () =>
          new Promise<void>((resolve) => {
            const socket = connect({ port: agent.httpPort, host: '127.0.0.1', localAddress }, resolve);
            socket.on('error', () => resolve());
            socket.on('close', () => closed++);
            // Read, or the end of the agent's side is never seen.
            socket.resume();
            socket.write('GET /v1/agent/self HTTP/1.1\r\nHost: x\r\nX-Slow: ');
            sockets.push(socket);
          }),
      );
      await Promise.all(opened);
    }
    const times: number[] = [];
    for (let count = 0; count < 50; count++) {
      const start = performance.now();
      expect(await agent.get('/v1/status/leader')).not.toBe('');
      times.push(performance.now() - start);
    }
    const most = residentMib();
    await eventually(() => closed === HALF_OPEN, { withinMs: 110_000, what: 'all are closed' });
    // Some 80 were measured.
    expect(most - before).toBeLessThan(250);
    expect(Math.max(...times)).toBeLessThan(5_000);
  }, 180_000);
});
