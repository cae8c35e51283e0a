import { jest } from '@jest/globals';
import { SystemClock } from '../../core/clock.ts';
import { AppError } from '../../core/errors.ts';
import { silentLogger } from '../../core/log.ts';
import { Metrics } from '../../core/metrics.ts';
import { eventually } from '../../test/support/eventually.ts';
import { HttpConnection } from '../../test/support/http-connection.ts';
import { started } from '../../test/support/started.ts';
import { beginWait } from '../blocking-query.ts';
import { DEFAULT_POLICY } from './http-policy.ts';
import type { Route, RouteResponse } from './route.ts';
import { createHttpServer } from './server.ts';

/** A value with an index that routes wait for. */
class Value {
  index = 1;
  text = 'one';
  handled = 0;
  made = 0;
  maxWaiting = 1000;
  readonly wakes = new Set<() => void>();

  set(text: string): void {
    this.text = text;
    this.index++;
    for (const wake of [...this.wakes]) wake();
  }

  readonly route: Route = {
    method: 'GET',
    path: '/v1/value',
    handle: (request) => {
      this.handled++;
      const index = Number(request.query.get('index') ?? 0);
      if (index < this.index) return this.answer(this.index);
      const clock = new SystemClock();
      return request.hold({
        shared: true,
        mayJoin: () => true,
        begin: () => beginWait({ clock, random: { next: () => 0, uuid: () => '' } }, { index, waitMs: 60_000 }),
        run: () => ({ index: this.index, applied: this.index, answer: (told) => this.answer(told) }),
        watch: (wake) => {
          if (this.wakes.size >= this.maxWaiting) throw new AppError('rateLimited', 'too many wait');
          const call = () => wake();
          this.wakes.add(call);
          return () => void this.wakes.delete(call);
        },
      });
    },
  };

  answer(index: number): RouteResponse {
    this.made++;
    return {
      bytes: Buffer.from(JSON.stringify(this.text)),
      headers: { 'content-type': 'application/json' },
      meta: { index },
    };
  }
}

describe('requests that wait for the same URL', () => {
  let value: Value;
  let metrics: Metrics;
  let port: number;
  let stop: () => Promise<void>;
  let clients: HttpConnection[];
  let policy: typeof DEFAULT_POLICY;
  beforeEach(async () => {
    value = new Value();
    metrics = new Metrics();
    clients = [];
    policy = DEFAULT_POLICY;
    const server = createHttpServer(
      { clock: new SystemClock(), log: silentLogger, metrics },
      { routes: [value.route], host: '127.0.0.1', port: 0, policy: () => policy },
    );
    stop = await started(server);
    port = server.address().port;
  });
  afterEach(async () => {
    for (const { socket } of clients) socket.destroy();
    await stop();
  });
  const client = () => {
    const made = new HttpConnection(port);
    clients.push(made);
    return made;
  };
  /** Waits as one more; resolves when it does. */
  const waiting = async (path = '/v1/value?index=1', headers = '', from = client()) => {
    const before = value.wakes.size;
    from.ask(path, headers);
    await eventually(() => value.wakes.size > before, { withinMs: 10_000 });
    return from;
  };

  it('are looked at once, and get one answer', async () => {
    const all = [await waiting(), await waiting(), await waiting()];
    expect(value.handled).toBe(1);
    value.set('two');
    for (const one of all) {
      const { head, body } = await one.answer();
      expect(body).toBe('"two"');
      expect(head).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
      expect(head).toMatch(/X-Consul-Index: 2\r\n/);
    }
    expect(value.made).toBe(1);
    expect(value.wakes.size).toBe(0);
    expect(await metrics.text()).toContain('lictor_http_requests_total{method="GET",route="/v1/value",status="200"} 3');
    // The connections go on.
    for (const one of all) one.ask('/v1/value');
    for (const one of all) expect((await one.answer()).body).toBe('"two"');
  });

  it('get the same head as one who waits alone', async () => {
    const all = [await waiting(), await waiting()];
    value.set('two');
    const [first, second] = [await all[0]!.answer(), await all[1]!.answer()];
    const names = ({ head }: { head: string }) =>
      head
        .toLowerCase()
        .replace(/date: [^\r]+/, 'date')
        .split('\r\n')
        .sort();
    expect(names(second)).toEqual(names(first));
  });

  it('get it packed when they take it so', async () => {
    const packed = 'Accept-Encoding: gzip\r\n';
    const all = [await waiting(), await waiting(undefined, packed), await waiting(undefined, packed)];
    value.set('x'.repeat(3000));
    const answers = await Promise.all(all.map((one) => one.answer()));
    expect(answers.map(({ head }) => /content-encoding: gzip/i.test(head))).toEqual([false, true, true]);
    expect(new Set(answers.map(({ body }) => body)).size).toBe(1);
  });

  it('get it packed when many take it so at a time', async () => {
    const packed = 'Accept-Encoding: gzip\r\n';
    const all = [await waiting(undefined, packed), await waiting(undefined, packed), await waiting(undefined, packed)];
    value.set('x'.repeat(3000));
    const answers = await Promise.all(all.map((one) => one.answer()));
    expect(answers.map(({ head }) => /content-encoding: gzip/i.test(head))).toEqual([true, true, true]);
    expect(answers.map(({ body }) => body.length)).toEqual([3002, 3002, 3002]);
    for (const one of all) one.ask('/v1/value?index=1', packed);
    for (const one of all) expect((await one.answer()).body.length).toBe(3002);
  });

  it.each([
    ['another namespace', '/v1/value?index=1', 'X-Consul-Namespace: team\r\n', 3],
    ['an indented answer', '/v1/value?index=1&pretty', '', 2],
    ['an indented answer in another spelling', '/v1/value?index=1&pretty=&%70retty', '', 2],
    ['another URL', '/v1/value?index=1&wait=10s', '', 2],
  ])('are looked at each when one asks for %s', async (_, path, headers, handled) => {
    const all = [await waiting(), await waiting(path, headers), await waiting(path, headers)];
    expect(value.handled).toBe(handled);
    value.set('two');
    const end = path.includes('pretty') ? '\n' : '';
    expect(await Promise.all(all.map(async (one) => (await one.answer()).body))).toEqual([
      '"two"',
      `"two"${end}`,
      `"two"${end}`,
    ]);
  });

  it('get it in lines, printed once, where everybody does', async () => {
    policy = { ...DEFAULT_POLICY, pretty: true };
    const packed = 'Accept-Encoding: gzip\r\n';
    const all = [await waiting(), await waiting(), await waiting(undefined, packed), await waiting(undefined, packed)];
    expect(value.handled).toBe(1);
    const parse = jest.spyOn(JSON, 'parse');
    value.set('x'.repeat(3000));
    const answers = await Promise.all(all.map((one) => one.answer()));
    expect(parse).toHaveBeenCalledTimes(1);
    parse.mockRestore();
    expect(answers.map(({ body }) => body)).toEqual(all.map(() => `"${value.text}"\n`));
    expect(answers.map(({ head }) => /content-encoding: gzip/i.test(head))).toEqual([false, false, true, true]);
  });

  it('leave when their client goes, whoever was first', async () => {
    const [first, second, third] = [await waiting(), await waiting(), await waiting()];
    first.socket.destroy();
    await eventually(() => value.wakes.size === 2, { withinMs: 10_000 });
    second.socket.destroy();
    await eventually(() => value.wakes.size === 1, { withinMs: 10_000 });
    value.set('two');
    expect((await third.answer()).body).toBe('"two"');
  });

  it('are refused when there is no place to wait', async () => {
    const first = await waiting();
    value.maxWaiting = 1;
    const second = client();
    second.ask('/v1/value?index=1');
    expect((await second.answer()).head).toMatch(/^HTTP\/1\.1 429 /);
    value.set('two');
    expect((await first.answer()).body).toBe('"two"');
  });

  it('are bounded for each connection', async () => {
    await waiting();
    const greedy = client();
    greedy.socket.write('GET /v1/value?index=1 HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(65));
    await eventually(() => value.wakes.size === 65, { withinMs: 10_000 });
    value.set('two');
    for (let n = 0; n < 64; n++) expect((await greedy.answer()).body).toBe('"two"');
    expect((await greedy.answer()).head).toMatch(/^HTTP\/1\.1 429 /);
    greedy.ask('/v1/value?index=2');
    await eventually(() => value.wakes.size === 1, { withinMs: 10_000 });
    value.set('three');
    expect((await greedy.answer()).body).toBe('"three"');
  });

  it('end when the server stops', async () => {
    const all = [await waiting(), await waiting()];
    const stopped = stop();
    for (const one of all) {
      const { head } = await one.answer();
      expect(head).toMatch(/^HTTP\/1\.1 503 /);
      expect(head).toMatch(/connection: close/i);
    }
    await stopped;
  });
});
