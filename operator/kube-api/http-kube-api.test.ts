import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { SystemClock } from '../../core/clock.ts';
import { SeededRandom } from '../../core/random.ts';
import { HttpKubeApi } from './http-kube-api.ts';
import type { KubeAuth } from './kube-auth.ts';
import { PODS, SERVICES } from './resources.ts';

const deps = { clock: new SystemClock(), random: new SeededRandom(1) };
const never = new AbortController().signal;
let server: Server;
let answer: (request: IncomingMessage, response: ServerResponse) => void;
let api: HttpKubeApi;
let refreshes: number;

beforeEach(async () => {
  server = createServer((request, response) => answer(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  refreshes = 0;
  const auth: KubeAuth = {
    credentials: async (options) => {
      if (options?.refresh) refreshes++;
      const server_ = `http://127.0.0.1:${(server.address() as AddressInfo).port}/proxied`;
      return { server: server_, headers: { authorization: `Bearer secret-${refreshes}` }, tls: {} };
    },
  };
  api = new HttpKubeApi({ ...deps, auth }, { listMs: 3_000, writeMs: 3_000, maxLineBytes: 2_000, maxBodyBytes: 5_000 });
});
afterEach(async () => {
  await api.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const reply = (status: number, body: unknown) => (_: IncomingMessage, response: ServerResponse) => {
  response.writeHead(status);
  response.end(typeof body === 'string' ? body : JSON.stringify(body));
};
const list = () => api.list(PODS, { limit: 10 }, never);
async function watchAll(idleMs = 2_000): Promise<unknown[]> {
  const events: unknown[] = [];
  for await (const event of api.watch(PODS, { resourceVersion: '1', idleMs }, never)) events.push(event);
  return events;
}

describe('API server client', () => {
  it('asks under the server’s path, with credentials', async () => {
    let seen = '';
    answer = (request, response) => {
      seen = `${request.method} ${request.url} ${request.headers.authorization}`;
      reply(200, { metadata: { resourceVersion: '5' }, items: [] })(request, response);
    };
    expect(await api.list(SERVICES, { namespace: 'a', limit: 3, continueToken: 'x' }, never)).toEqual({
      items: [],
      resourceVersion: '5',
    });
    expect(seen).toBe('GET /proxied/apis/lictor.dev/v1alpha1/namespaces/a/services?limit=3&continue=x Bearer secret-0');
  });

  it('waits for credentials no longer than for an answer, nor after its caller has gone', async () => {
    const auth: KubeAuth = { credentials: () => new Promise(() => {}) };
    const limits = { listMs: 100, writeMs: 100, maxLineBytes: 2_000, maxBodyBytes: 5_000 };
    const waiting = new HttpKubeApi({ ...deps, auth }, limits);
    await expect(waiting.list(PODS, { limit: 1 }, never)).rejects.toMatchObject({ code: 'deadline' });
    const gone = new AbortController();
    const asked = expect(waiting.list(PODS, { limit: 1 }, gone.signal)).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('credentials'),
    });
    gone.abort();
    await asked;
    await waiting.close();
  });

  it('asks for new credentials once when they are refused', async () => {
    answer = (request, response) =>
      request.headers.authorization === 'Bearer secret-0'
        ? reply(401, {})(request, response)
        : reply(200, { metadata: { resourceVersion: '5' }, items: [] })(request, response);
    await list();
    answer = reply(401, { reason: 'Unauthorized' });
    await expect(list()).rejects.toMatchObject({ code: 'permissionDenied' });
    expect(refreshes).toBe(2);
  });

  it.each([
    [400, 'badRequest'],
    [403, 'permissionDenied'],
    [404, 'notFound'],
    [409, 'conflict'],
    [410, 'compacted'],
    [422, 'badRequest'],
    [429, 'rateLimited'],
    [500, 'unavailable'],
    [503, 'unavailable'],
  ])('gives %d as %s, without the body and the credentials', async (status, code) => {
    answer = reply(status, { reason: 'Some', details: 'password=hunter2' });
    const error = (await list().catch((thrown: unknown) => thrown)) as Error & { code: string };
    expect(error.code).toBe(code);
    expect(error.message).toContain(`${status} Some`);
    expect(JSON.stringify(error) + error.message + error.stack).not.toMatch(/hunter2|secret-/);
  });

  it('gives up a call without an answer, and one with an endless answer', async () => {
    answer = () => {};
    await expect(list()).rejects.toMatchObject({ code: 'deadline' });
    answer = reply(200, `{"x":"${'y'.repeat(6_000)}"}`);
    await expect(list()).rejects.toMatchObject({ code: 'tooLarge' });
    answer = reply(200, '<html>');
    await expect(list()).rejects.toMatchObject({ code: 'decode', message: expect.not.stringContaining('html') });
  });

  it('ends a watch in the right words', async () => {
    const line = (type: string, object: object) => `${JSON.stringify({ type, object })}\n`;
    answer = reply(200, line('ADDED', { metadata: { name: 'a', resourceVersion: '2' } }));
    expect(await watchAll()).toHaveLength(1);
    answer = reply(200, line('ERROR', { code: 410, reason: 'Expired' }));
    await expect(watchAll()).rejects.toMatchObject({ code: 'compacted' });
    answer = reply(200, line('ADDED', { metadata: { name: 'a'.repeat(3_000) } }));
    await expect(watchAll()).rejects.toMatchObject({ code: 'tooLarge' });
    answer = reply(200, line('WHAT', {}));
    await expect(watchAll()).rejects.toMatchObject({ code: 'decode' });
    answer = reply(200, '{"type":"ADDED","obj');
    await expect(watchAll()).rejects.toMatchObject({ code: 'unavailable' });
    answer = (_, response) => void response.writeHead(200).flushHeaders();
    await expect(watchAll(100)).rejects.toMatchObject({ code: 'deadline' });
  });

  it('knows a missing lease from one that cannot be read', async () => {
    answer = reply(404, { reason: 'NotFound' });
    expect(await api.getLease({ namespace: 'a', name: 'l' })).toBeUndefined();
    answer = reply(500, {});
    await expect(api.getLease({ namespace: 'a', name: 'l' })).rejects.toMatchObject({ code: 'unavailable' });
  });
});
