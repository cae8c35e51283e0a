import { connect } from 'node:net';
import { SystemClock } from '../../core/clock.ts';
import { silentLogger } from '../../core/log.ts';
import { Metrics } from '../../core/metrics.ts';
import { started } from '../../test/support/started.ts';
import { createHttpServer } from './server.ts';

const LIMIT = 1000;

/** All that the server sends to these pieces, until it or the client closes the connection. */
async function exchange(port: number, pieces: readonly string[], end = false): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  let received = '';
  socket.on('data', (bytes) => {
    received += bytes.toString();
  });
  socket.on('error', () => {});
  const closed = new Promise((resolve) => socket.once('close', resolve));
  for (const piece of pieces) {
    socket.write(piece);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  if (end) socket.destroy();
  await closed;
  return received;
}

const head = (path: string, ...headers: string[]) =>
  `PUT ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${headers.map((one) => `${one}\r\n`).join('')}\r\n`;
const chunk = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n`;

describe('bodies', () => {
  const bodies: string[] = [];
  let port = 0;
  let stop: () => Promise<void>;

  beforeAll(async () => {
    const take = (body: Buffer) => {
      bodies.push(body.toString());
      return { json: body.length };
    };
    const server = createHttpServer(
      { clock: new SystemClock(), log: silentLogger, metrics: new Metrics() },
      {
        routes: [
          { method: 'PUT', path: '/fixed', handle: ({ body }) => take(body) },
          { method: 'PUT', path: '/with/:name', handle: ({ body }) => take(body) },
          {
            method: 'GET',
            path: '/slow',
            handle: () => new Promise((done) => setTimeout(() => done({ json: 1 }), 600)),
          },
        ],
        host: '127.0.0.1',
        port: 0,
        maxBodyBytes: LIMIT,
        bodyLimits: { bodyTimeoutMs: 200, progressIntervalMs: 200, minProgressBytes: 1 },
      },
    );
    stop = await started(server);
    ({ port } = server.address());
  });
  afterAll(() => stop());

  describe.each(['/fixed', '/fixed?x=1', '/with/a'])('of PUT %s', (path) => {
    it('are given whole, in however many pieces they come', async () => {
      for (const pieces of [
        [`${head(path, 'Content-Length: 6')}abcdef`],
        [head(path, 'Content-Length: 6'), 'abc', 'def'],
        [head(path, 'Transfer-Encoding: chunked'), chunk('abc'), chunk('def'), chunk('')],
      ]) {
        expect(await exchange(port, pieces)).toMatch(/^HTTP\/1\.1 200 OK\r\n.*\r\n\r\n6$/s);
        expect(bodies.pop()).toBe('abcdef');
      }
    });

    it('may have as many bytes as the limit says', async () => {
      expect(await exchange(port, [head(path, `Content-Length: ${LIMIT}`), 'x'.repeat(LIMIT)])).toMatch(/^HTTP\S* 200/);
      expect(bodies.pop()).toHaveLength(LIMIT);
    });

    it('are refused once they are over it, and only once', async () => {
      for (const pieces of [
        [head(path, `Content-Length: ${LIMIT + 1}`)],
        [head(path, 'Transfer-Encoding: chunked'), chunk('x'.repeat(LIMIT)), chunk('y'), chunk('z'), chunk('')],
      ]) {
        const answer = await exchange(port, pieces);
        expect(answer).toMatch(/^HTTP\/1\.1 413 .*Request body too large, max size: 1000 bytes$/s);
        expect(answer.match(/HTTP\/1\.1/g)).toHaveLength(1);
      }
      expect(bodies).toEqual([]);
    });

    it('of a request that was refused in the meantime reach nobody', async () => {
      // The answer to the request before it is still out, so that the refusal waits.
      const slow = 'GET /slow HTTP/1.1\r\nHost: x\r\n\r\n';
      const pieces = [`${slow}PUT ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\nabc`];
      const answers = exchange(port, [...pieces, ...Array<string>(15).fill(''), 'def']);
      expect((await answers).match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 408']);
      expect(bodies.splice(0)).toEqual([]);
    });

    it('of a client that goes in the middle reach nobody', async () => {
      await exchange(port, [head(path, 'Content-Length: 100'), 'half'], true);
      expect(await exchange(port, [`${head(path, 'Content-Length: 2')}ok`])).toMatch(/^HTTP\/1\.1 200/);
      expect(bodies.splice(0)).toEqual(['ok']);
    });
  });
});
