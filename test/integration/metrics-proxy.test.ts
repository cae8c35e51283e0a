import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { metricsProxy } from '../../agent/config/metrics-proxy.ts';
import { HttpMetricsSource } from '../../agent/metrics-proxy/http-metrics-source.ts';
import { createHttpServer } from '../../api/http/server.ts';
import { metricsProxyRoute } from '../../api/routes/metrics-proxy-route.ts';
import { SystemClock } from '../../core/clock.ts';
import { silentLogger } from '../../core/log.ts';
import { Metrics } from '../../core/metrics.ts';

const asked: { url: string | undefined; headers: NodeJS.Dict<string | string[]> }[] = [];
const metrics = createServer((request, response) => {
  asked.push({ url: request.url, headers: request.headers });
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end('{"status":"success"}');
});
const stop = new AbortController();
const header = (name: string, value: string) => ({ file: 'a.hcl', key: 'add_headers[0]', value: { name, value } });
const GIVEN = { provider: 'prometheus', addHeaders: [header('X-Org', 'a')], pathAllowlist: [] };
let origin = '';
let done = Promise.resolve();

beforeAll(async () => {
  await new Promise<void>((ready) => {
    metrics.listen(0, '127.0.0.1', ready);
  });
  const baseUrl = `http://127.0.0.1:${(metrics.address() as AddressInfo).port}/prom`;
  const source = new HttpMetricsSource(metricsProxy({ ...GIVEN, baseUrl })!);
  const http = createHttpServer(
    { clock: new SystemClock(), log: silentLogger, metrics: new Metrics() },
    { routes: [metricsProxyRoute(source)], host: '127.0.0.1', port: 0, drainMs: 100 },
  );
  await new Promise<void>((ready, fail) => {
    done = http.run({ signal: stop.signal, ready });
    done.catch(fail);
  });
  origin = `http://127.0.0.1:${http.address().port}/v1/internal/ui/metrics-proxy`;
});
afterAll(async () => {
  stop.abort();
  await done;
  metrics.close();
});

it('asks the configured place, with its own headers alone', async () => {
  const answer = await fetch(`${origin}/api/v1/query?query=up%7B%7D`, { headers: { 'x-consul-token': 'secret' } });
  expect([answer.status, await answer.text()]).toEqual([200, '{"status":"success"}']);
  expect(asked.at(-1)).toMatchObject({ url: '/prom/api/v1/query?query=up%7B%7D', headers: { 'x-org': 'a' } });
  expect(asked.at(-1)?.headers).not.toHaveProperty('x-consul-token');
});

it('refuses other paths than those of the list', async () => {
  const before = asked.length;
  for (const path of ['/api/v1/admin', '/api/v1/query/', '/api/v1/%2e%2e/query']) {
    expect((await fetch(origin + path)).status).toBe(403);
  }
  expect(asked).toHaveLength(before);
});

it.each([
  [{ baseUrl: 'ftp://x' }, /base_url: .*must be a URL of http or https/],
  [{ baseUrl: 'http://a:b@x' }, /base_url: must not hold a user name/],
  [{ pathAllowlist: ['x'] }, /path_allowlist\[0\]: "x" must begin with a slash/],
  [{ addHeaders: [header('a b', '')] }, /^a.hcl: add_headers\[0\].name must/],
])('is not configured with %j', (more, error) => {
  expect(() => metricsProxy({ ...GIVEN, baseUrl: 'http://x', ...more })).toThrow(error);
});

it('is off without a base URL', () => {
  expect(metricsProxy({ ...GIVEN, baseUrl: '' })).toBeUndefined();
});
