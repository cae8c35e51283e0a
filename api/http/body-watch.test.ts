import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { FakeClock } from '../../core/clock.ts';
import { silentLogger } from '../../core/log.ts';
import { Metrics } from '../../core/metrics.ts';
import { eventually } from '../../test/support/eventually.ts';
import { BODY_LIMITS } from './body-watch.ts';
import type { Route } from './route.ts';
import { createHttpServer } from './server.ts';

const { bodyTimeoutMs, progressIntervalMs, minProgressBytes } = BODY_LIMITS;

describe('the body of a request', () => {
  const clock = new FakeClock();
  const controller = new AbortController();
  let done: Promise<void>;
  let port: number;
  let received = 0;
  let reads = true;
  let broken = '';
  const routes: Route[] = [
    { method: 'PUT', path: '/v1/value', handle: (r) => ({ text: `${r.body.length}` }) },
    {
      method: 'PUT',
      path: '/v1/archive',
      streamsBody: true,
      async handle(r) {
        if (!reads) await new Promise((resolve) => r.signal.addEventListener('abort', resolve));
        try {
          for await (const chunk of r.bodyStream!) received += (chunk as Buffer).length;
        } catch (error) {
          broken = String(error);
        }
        return { text: `${received}` };
      },
    },
  ];
  beforeAll(async () => {
    const server = createHttpServer(
      { clock, log: silentLogger, metrics: new Metrics() },
      { routes, host: '127.0.0.1', port: 0 },
    );
    await new Promise<void>((ready, fail) => {
      done = server.run({ signal: controller.signal, ready });
      done.catch(fail);
    });
    port = server.address().port;
  });
  afterAll(async () => {
    controller.abort();
    await done;
  });
  beforeEach(() => {
    received = 0;
    reads = true;
    broken = '';
  });

  interface Upload {
    readonly socket: Socket;
    answer: string;
    closed: boolean;
  }
  async function upload(path: string, length: number): Promise<Upload> {
    const pending = clock.pending;
    const socket = connect(port, '127.0.0.1');
    const state: Upload = { socket, answer: '', closed: false };
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      state.answer += chunk;
    });
    socket.on('close', () => {
      state.closed = true;
    });
    socket.write(`PUT ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: ${length}\r\n\r\n`);
    await eventually(() => clock.pending > pending, { withinMs: 5_000 });
    return state;
  }

  it('that is collected has to be there in time, however it drips', async () => {
    const one = await upload('/v1/value', 100);
    for (let second = 0; second < 5; second++) {
      one.socket.write('x');
      await clock.advance(bodyTimeoutMs / 5 - 1);
    }
    expect(one.answer).toBe('');
    await clock.advance(5);
    await eventually(() => one.answer.includes('\r\n\r\n'), { withinMs: 5_000 });
    expect(one.answer).toMatch(/^HTTP\/1\.1 408 .*Connection: close.*The request body was not received in time$/s);
    await clock.advance(1_000);
    await eventually(() => one.closed, { withinMs: 5_000 });
  });

  it('that is there in time leaves no timer behind', async () => {
    const one = await upload('/v1/value', 3);
    const pending = clock.pending;
    one.socket.write('abc');
    await eventually(() => one.answer.endsWith('3'), { withinMs: 5_000 });
    await eventually(() => clock.pending === pending - 1, { withinMs: 5_000 });
    one.socket.destroy();
  });

  it('that is streamed may take as long as it makes progress', async () => {
    const pieces = 20;
    const one = await upload('/v1/archive', pieces * minProgressBytes + 1);
    for (let piece = 1; piece <= pieces; piece++) {
      one.socket.write('x'.repeat(minProgressBytes));
      await eventually(() => received === piece * minProgressBytes, { withinMs: 5_000 });
      await clock.advance(progressIntervalMs);
    }
    one.socket.write('x');
    await eventually(() => one.answer.endsWith(`${pieces * minProgressBytes + 1}`), { withinMs: 5_000 });
    expect(one.answer).toMatch(/^HTTP\/1\.1 200 /);
    one.socket.destroy();
  });

  it('that is streamed and only drips is cut, and its reader hears of it', async () => {
    const one = await upload('/v1/archive', 1_000_000);
    one.socket.write('x'.repeat(minProgressBytes - 1));
    await eventually(() => received === minProgressBytes - 1, { withinMs: 5_000 });
    await clock.advance(progressIntervalMs);
    await eventually(() => one.answer.includes('\r\n\r\n'), { withinMs: 5_000 });
    expect(one.answer).toMatch(/^HTTP\/1\.1 408 /);
    await clock.advance(1_000);
    await eventually(() => one.closed && broken !== '', { withinMs: 5_000 });
  });

  it('that waits for its reader is not cut', async () => {
    reads = false;
    const one = await upload('/v1/archive', 10_000_000);
    one.socket.write('x'.repeat(5_000_000));
    // The server takes what its buffers hold, and no more.
    await eventually(() => one.socket.writableLength > 0, { withinMs: 5_000 });
    await new Promise((resolve) => setImmediate(resolve));
    for (let interval = 0; interval < 4; interval++) await clock.advance(progressIntervalMs);
    expect(one.answer).toBe('');
    const closed = once(one.socket, 'close');
    one.socket.destroy();
    await closed;
  });
});
