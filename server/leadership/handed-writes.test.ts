import { doesNotWait, type Route, type RouteRequest } from '../../api/http/route.ts';
import { AppError } from '../../core/errors.ts';
import { silentLogger } from '../../core/log.ts';
import {
  decodeAnswers,
  encodeWrites,
  FORWARDED_HEADER,
  goesTogether,
  HANDED_WRITES_PATH,
  handedWritesRoute,
  MAX_HANDED_WRITES,
} from './handed-writes.ts';

const seen: { path: string; query: string; headers: RouteRequest['headers']; body: string }[] = [];
const register: Route = {
  method: 'PUT',
  path: '/v1/catalog/register',
  handle: async ({ path, query, headers, body }) => {
    seen.push({ path, query: query.toString(), headers, body: body.toString() });
    if (body.toString() === 'bad') throw new AppError('badRequest', 'no JSON');
    if (body.toString() === 'text') return { status: 500, text: 'No path to datacenter', headers: { 'x-a': 'b' } };
    return { json: true };
  },
};
const route = handedWritesRoute({ log: silentLogger }, [register, { ...register, path: '/v1/kv/*' }]);

function write(body: string, over: Partial<RouteRequest> = {}): RouteRequest {
  return {
    method: 'PUT',
    path: '/v1/catalog/register',
    params: {},
    query: new URLSearchParams(),
    headers: {},
    body: Buffer.from(body),
    remoteAddress: '10.0.0.9',
    signal: new AbortController().signal,
    hold: doesNotWait,
    ...over,
  };
}

async function handed(body: string, count: number) {
  const headers = { [FORWARDED_HEADER]: 'server-2' };
  const { json } = await route.handle(write(body, { path: HANDED_WRITES_PATH, headers }));
  return decodeAnswers(JSON.stringify(json), count);
}

beforeEach(() => {
  seen.length = 0;
});

describe('writes that are handed on together', () => {
  it('reach their route as they were sent, and each gets its own answer', async () => {
    const query = new URLSearchParams('ns=a&replace-existing-checks');
    const headers = { 'x-lictor-owner': 'k/n', connection: 'close', 'content-length': '3' };
    const writes = [write('\u00e9"\n', { query, headers }), write('bad'), write('text')];
    expect(await handed(encodeWrites(writes), 3)).toEqual([
      { json: true },
      { status: 400, text: 'no JSON', headers: { 'x-lictor-error': 'badRequest' } },
      { status: 500, text: 'No path to datacenter', headers: { 'x-a': 'b' } },
    ]);
    expect(seen[0]).toEqual({
      path: '/v1/catalog/register',
      query: 'ns=a&replace-existing-checks=',
      headers: { 'x-lictor-owner': 'k/n', [FORWARDED_HEADER]: 'server-2' },
      body: '\u00e9"\n',
    });
  });

  it('are refused where they are none that go together', async () => {
    const [answer] = await handed(encodeWrites([write('x', { path: '/v1/kv/a' })]), 1);
    expect(answer).toMatchObject({ status: 400, text: '"/v1/kv/a" does not go together with others' });
    const many = encodeWrites(Array.from({ length: MAX_HANDED_WRITES + 1 }, () => write('x')));
    await expect(handed(many, 1)).rejects.toMatchObject({ code: 'badRequest' });
    await expect(handed('[{"Path":1}]', 1)).rejects.toMatchObject({ code: 'badRequest' });
    expect(seen).toEqual([]);
  });

  it('are small ones to the catalog', () => {
    expect(goesTogether(write('x'))).toBe(true);
    expect(goesTogether(write('x', { path: '/v1/kv/a' }))).toBe(false);
    expect(goesTogether(write('x', { method: 'GET' }))).toBe(false);
    expect(goesTogether(write('x'.repeat(2100)))).toBe(false);
    expect(goesTogether(write('x', { headers: { 'x-long': 'x'.repeat(2100) } }))).toBe(false);
  });

  it('need as many answers', () => {
    expect(() => decodeAnswers('[{"json":true}]', 2)).toThrow('2 writes');
    expect(() => decodeAnswers('{}', 1)).toThrow('1 writes');
  });
});
