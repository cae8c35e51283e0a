import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { SystemClock } from '../../core/clock.ts';
import { SeededRandom } from '../../core/random.ts';
import { ServerHttp } from '../catalog-client/server-http.ts';
import { HttpIntentionClient } from './http-intention-client.ts';

const closing: (() => Promise<unknown>)[] = [];
const deps = { clock: new SystemClock(), random: new SeededRandom(1) };
const signal = new AbortController().signal;
const ENTRY = { Kind: 'service-intentions', Name: 'db', Meta: {}, Sources: [] } as const;

interface Answer {
  readonly status?: number;
  readonly text: string;
  readonly headers?: Record<string, string>;
  /** Comes so late. */
  readonly afterMs?: number;
}

/** A client of a server that gives these answers one after the other, and what the server was asked. */
async function against(...answers: Answer[]) {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    const answer = answers[Math.min(asked.length, answers.length - 1)]!;
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      const body = Buffer.concat(parts).toString();
      asked.push([request.method, request.url, ...(body === '' ? [] : [body])].join(' '));
      setTimeout(() => {
        response.writeHead(answer.status ?? 200, answer.headers);
        response.end(answer.text);
      }, answer.afterMs ?? 0);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const http = new ServerHttp(deps, { addresses: [url], attemptMs: 2_000 });
  closing.push(
    () => http.close(),
    () => new Promise((resolve) => server.close(resolve)),
  );
  return { client: new HttpIntentionClient({ http }), asked };
}

afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

describe('intention client over HTTP', () => {
  it('ends a call when it is told to', async () => {
    const { client } = await against({ text: 'true', afterMs: 500 });
    const calls: ((signal: AbortSignal) => Promise<unknown>)[] = [
      (given) => client.read('db', given),
      (given) => client.put(ENTRY, 1, given),
      (given) => client.delete('db', 1, given),
    ];
    for (const call of calls) {
      const stop = new AbortController();
      const called = call(stop.signal);
      stop.abort();
      await expect(called).rejects.toMatchObject({ code: 'unavailable' });
    }
  });

  it('lists at once, then waits for what is newer', async () => {
    const list = JSON.stringify([{ Name: 'db', ModifyIndex: 7 }]);
    const { client, asked } = await against({ text: list, headers: { 'x-consul-index': '9' } });
    expect(await client.list({ index: 0, waitMs: 60_000 }, signal)).toMatchObject({
      index: 9,
      entries: [{ Name: 'db' }],
    });
    await client.list({ index: 9, waitMs: 60_000 }, signal);
    expect(asked).toEqual([
      'GET /v1/config/service-intentions',
      'GET /v1/config/service-intentions?index=9&wait=60000ms',
    ]);
  });

  it('lets a list take as long as it asked the servers to wait', async () => {
    const { client } = await against({ text: '[]', headers: { 'x-consul-index': '9' }, afterMs: 2_500 });
    await expect(client.list({ index: 9, waitMs: 20_000 }, signal)).resolves.toEqual({ index: 9, entries: [] });
  });

  it('ends a list with its signal', async () => {
    const { client } = await against({ text: '[]', afterMs: 1_000 });
    const stop = new AbortController();
    const list = client.list({ index: 9, waitMs: 60_000 }, stop.signal);
    stop.abort();
    await expect(list).rejects.toMatchObject({ code: 'unavailable' });
  });

  it.each([
    ['no index', { text: '[]' }],
    ['an index that is none', { text: '[]', headers: { 'x-consul-index': '0' } }],
    ['no list', { text: '{}', headers: { 'x-consul-index': '9' } }],
    ['no JSON', { text: '<html>', headers: { 'x-consul-index': '9' } }],
    ['an entry without an index', { text: '[{"Name":"db"}]', headers: { 'x-consul-index': '9' } }],
    ['an entry that is null', { text: '[null]', headers: { 'x-consul-index': '9' } }],
  ])('takes a list with %s for no list at all', async (_, answer) => {
    const { client } = await against(answer);
    await expect(client.list({ index: 0, waitMs: 1_000 }, signal)).rejects.toMatchObject({ code: 'decode' });
  });

  it('knows an absent entry by the words of the servers, and no other 404', async () => {
    const text = 'Config entry not found for "service-intentions" / "db"';
    expect(await (await against({ status: 404, text })).client.read('db')).toBeUndefined();
    const other = await against({ status: 404, text: '404 page not found' });
    await expect(other.client.read('db')).rejects.toMatchObject({ code: 'notFound' });
  });

  it('writes and deletes over what was read, and gives whether it did', async () => {
    const { client, asked } = await against({ text: 'true' }, { text: 'false' }, { text: 'true' });
    expect(await client.put(ENTRY, 0)).toBe(true);
    expect(await client.put(ENTRY, 7)).toBe(false);
    expect(await client.delete('*', 7)).toBe(true);
    expect(asked).toEqual([
      `PUT /v1/config?cas=0 ${JSON.stringify(ENTRY)}`,
      `PUT /v1/config?cas=7 ${JSON.stringify(ENTRY)}`,
      'DELETE /v1/config/service-intentions/*?cas=7',
    ]);
  });

  it('gives a refusal as it is, without trying again', async () => {
    const headers = { 'x-lictor-error': 'badRequest' };
    const { client, asked } = await against({ status: 500, text: 'At least one source is required', headers });
    await expect(client.put(ENTRY, 0)).rejects.toMatchObject({
      code: 'badRequest',
      message: expect.stringContaining('At least one source is required'),
    });
    expect(asked).toHaveLength(1);
  });

  it('tries again what was not answered', async () => {
    const { client, asked } = await against({ status: 500, text: 'No cluster leader' }, { text: 'true' });
    expect(await client.put(ENTRY, 3)).toBe(true);
    expect(asked).toHaveLength(2);
  });
});
