import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FakeApi, type SeenRequest } from '../test/support/command-run.ts';
import { eventually } from '../test/support/eventually.ts';
import { httpHandler } from './watch/handlers.ts';
import { WATCH_TYPES, watchPlan } from './watch/plan.ts';
import { watchCommand } from './watch.ts';

/** Answers in order by index; the last one stays (a blocked query that nothing wakes). */
const answers = (...values: unknown[]) => {
  return (request: SeenRequest) => {
    const at = Number(new URL(request.url, 'http://x').searchParams.get('index') ?? 0);
    const next = Math.min(at, values.length - 1);
    return { headers: { 'X-Consul-Index': String(next + 1) }, body: values[next] };
  };
};
const entry = (id: string, status: string) => ({
  Node: { Node: 'n1', Address: '10.0.0.1' },
  Service: { ID: id, Service: 'web', Address: '', Port: 80 },
  Checks: [{ Name: 'http', Status: status, Output: status === 'passing' ? '' : 'refused\nmore' }],
});

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lictor-watch-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Runs until `done` holds, then interrupts. */
async function runUntil(
  api: FakeApi,
  argv: string[],
  done: (out: string) => boolean,
  on: 'stdout' | 'stderr' = 'stdout',
) {
  const stop = new AbortController();
  let out = '';
  const { Writable } = await import('node:stream');
  const sink = new Writable({
    write(chunk, _encoding, next) {
      out += String(chunk);
      next();
    },
  });
  const running = api.run(watchCommand, argv, { signal: stop.signal, [on]: sink });
  await eventually(async () => done(out), { withinMs: 10_000 });
  stop.abort();
  await running;
  return out;
}

describe('lictor watch', () => {
  it('follows the instances of a service live', async () => {
    const steps = [[entry('a', 'passing')], [entry('a', 'critical'), entry('b', 'passing')], [entry('b', 'passing')]];
    const api = await FakeApi.start({ 'GET /v1/health/service/web': answers(...steps) });
    const out = await runUntil(api, ['-service', 'web'], (text) => text.includes('- a'));
    expect(out.split('\n').map((line) => line.replace(/ +/g, ' '))).toEqual([
      '+ a n1 10.0.0.1:80 passing',
      '~ a n1 10.0.0.1:80 critical http: refused',
      '+ b n1 10.0.0.1:80 passing',
      '- a n1 10.0.0.1:80 critical http: refused',
      '',
    ]);
    const lines = await runUntil(api, ['-service=web', '-format=json'], (text) => text.includes('removed'));
    expect(JSON.parse(lines.split('\n')[0]!)).toMatchObject({ change: 'added', instance: 'a', status: 'passing' });
    await api.stop();
  });

  it('says once of a service without instances that it waits', async () => {
    const line = (name: string, what = '') =>
      `lictor watch: ${name} has no instance${what} yet; waiting ('lictor explain ${name}' says why)\n`;
    const synced = (Index: number) => ({ Type: 'synced', Index });
    const lines = (...events: object[]) => events.map((event) => `${JSON.stringify(event)}\n`).join('');
    const upsert = { Type: 'upsert', Index: 2, Entry: entry('a', 'passing') };
    const streams = await FakeApi.start({
      'GET /v1/stream/health': { body: lines({ Type: 'snapshot', Index: 0 }, upsert, synced(2)) },
    });
    const ended = 'lictor watch: the stream ended; it is taken up again\n';
    const until = (text: string) => text.includes('ended');
    expect(await runUntil(streams, ['-service=web', '-service=wep'], until, 'stderr')).toBe(`${line('wep')}${ended}`);
    expect(await runUntil(streams, ['-service=*'], until, 'stderr')).toBe(ended);
    await streams.stop();
    const polled = await FakeApi.start({ 'GET /v1/health/service/web': answers([], [entry('a', 'passing')], []) });
    const told = () => polled.seen.some(({ url }) => url.includes('index=3'));
    expect(await runUntil(polled, ['-service=web', '-passingonly'], told, 'stderr')).toBe(
      line('web', ' that fits the flags'),
    );
    await polled.stop();
  });

  it('runs a command with the result on its input and the index in its environment', async () => {
    const api = await FakeApi.start({
      'GET /v1/kv/a/b': answers([{ Key: 'a/b', Value: 'MQ==' }], [{ Key: 'a/b', Value: 'Mg==' }]),
    });
    const file = join(folder, 'seen');
    const argv = ['-type=key', '-key=a/b', `cat >> ${file}; echo "$CONSUL_INDEX -x" >> ${file}`];
    await runUntil(api, argv, () => {
      try {
        return readFileSync(file, 'utf8').includes('2 -x');
      } catch {
        return false;
      }
    });
    expect(readFileSync(file, 'utf8')).toBe('{"Key":"a/b","Value":"MQ=="}\n1 -x\n{"Key":"a/b","Value":"Mg=="}\n2 -x\n');
    await api.stop();
  });

  it('prints the result once without a command; null for a key that is not there', async () => {
    const api = await FakeApi.start({
      'GET /v1/catalog/services': { body: { web: [] } },
      'GET /v1/event/list': { body: [] },
      'GET /v1/kv/none': { status: 404, headers: { 'X-Consul-Index': '7' } },
    });
    expect((await api.run(watchCommand, ['-type', 'services'])).stdout).toBe('{\n  "web": []\n}\n');
    expect((await api.run(watchCommand, ['-type', 'key', '-key', 'none'])).stdout).toBe('null\n');
    expect((await api.run(watchCommand, ['-type', 'event'])).stdout).toBe('[]\n');
    await expect(api.run(watchCommand, ['-type', 'service', '-service', 'none'])).rejects.toThrow(/404/);
    await api.stop();
  });

  it('says what is missing', async () => {
    const api = await FakeApi.start({});
    await expect(api.run(watchCommand, [])).rejects.toThrow(/-type must be given/);
    await expect(api.run(watchCommand, ['-type=kye'])).rejects.toThrow(/-type=kye: use one of key, keyprefix/);
    await expect(api.run(watchCommand, ['-type=key'])).rejects.toThrow(/-key must be given/);
    const dots = ['-type=key', '-key=a/../wk'];
    await expect(api.run(watchCommand, dots)).rejects.toThrow('the key "a/../wk" has a part ".."');
    expect(api.seen).toEqual([]);
    await api.stop();
  });
});

describe('watch plans', () => {
  it('has every type of Consul, and asks where Consul asks', () => {
    const all = { key: 'a/b c', prefix: 'p/', service: 'web', service_id: 'w1', state: 'critical' };
    expect(WATCH_TYPES.map((type) => watchPlan({ ...all, type }).path)).toEqual([
      '/v1/kv/a/b%20c',
      '/v1/kv/p/',
      '/v1/catalog/services',
      '/v1/catalog/nodes',
      '/v1/health/service/web',
      '/v1/health/checks/web',
      '/v1/event/list',
      '/v1/agent/connect/ca/roots',
      '/v1/agent/connect/ca/leaf/web',
      '/v1/agent/service/w1',
    ]);
    expect(watchPlan({ type: 'checks', state: 'critical' }).path).toBe('/v1/health/state/critical');
  });

  it('hands on only new events', () => {
    const plan = watchPlan({ type: 'event' });
    const read = (...ids: string[]) =>
      plan.read({ json: () => ids.map((ID) => ({ ID })) } as unknown as Parameters<typeof plan.read>[0]);
    expect(read('1', '2')).toEqual([{ ID: '1' }, { ID: '2' }]);
    expect(read('1', '2', '3')).toEqual([{ ID: '3' }]);
    expect(read('2', '3')).toBeUndefined();
  });
});

describe('httpHandler', () => {
  it('sends the change, and fails on an error status', async () => {
    const seen: unknown[] = [];
    const server = createServer(async (request, response) => {
      let body = '';
      for await (const chunk of request) body += String(chunk);
      seen.push([request.method, request.headers['x-consul-index'], request.headers.x, body]);
      response.statusCode = request.url === '/bad' ? 500 : 200;
      response.end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const target = { method: 'PUT', timeoutMs: 5_000, header: { x: ['1'] } };
    const { signal } = new AbortController();
    await httpHandler({ ...target, path: `${base}/ok` })({ index: '7', value: [1] }, signal);
    expect(seen).toEqual([['PUT', '7', '1', '[1]']]);
    await expect(httpHandler({ ...target, path: `${base}/bad` })({ index: '7', value: [1] }, signal)).rejects.toThrow(
      'answered 500',
    );
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
});
