import { request } from 'undici';
import { SystemClock } from '../../core/clock.ts';
import { silentLogger } from '../../core/log.ts';
import { Metrics } from '../../core/metrics.ts';
import { applyPolicy, DEFAULT_POLICY, type HttpPolicy, refusalOf } from './http-policy.ts';
import type { Route } from './route.ts';
import { createHttpServer } from './server.ts';

const policy = (extra: Partial<HttpPolicy> = {}): HttpPolicy => ({ ...DEFAULT_POLICY, ...extra });
const applied = (extra: Partial<HttpPolicy>, path: string, query = '') => {
  const params = new URLSearchParams(query);
  applyPolicy(policy(extra), path, params);
  return params.toString();
};

describe('applyPolicy', () => {
  it.each([
    ['index=5', 'index=5&wait=5m0s'],
    ['index=5&wait=10s', 'index=5&wait=10s'],
    ['index=5&wait=0', 'index=5&wait=5m0s'],
    ['index=5&wait=2h', 'index=5&wait=10m0s'],
    ['hash=abc', 'hash=abc&wait=5m0s'],
    ['index=5&wait=tomorrow', 'index=5&wait=tomorrow'],
    ['wait=2h', 'wait=2h'],
    ['', ''],
  ])('makes ?%s wait as ?%s', (query, expected) => {
    expect(applied({}, '/v1/kv/a', query)).toBe(expected);
  });

  it('takes other limits of waits', () => {
    const limits = { defaultQueryMs: 1_000, maxQueryMs: 7_200_000 };
    expect(applied(limits, '/v1/kv/a', 'index=5')).toBe('index=5&wait=1s');
    expect(applied(limits, '/v1/kv/a', 'index=5&wait=3h')).toBe('index=5&wait=2h0m0s');
  });

  it('leaves out ?cached where the cache is off', () => {
    expect(applied({ useCache: false }, '/v1/health/service/web', 'cached&dc=a')).toBe('dc=a');
    expect(applied({}, '/v1/health/service/web', 'cached')).toBe('cached=');
  });

  it.each([
    ['/v1/catalog/nodes', '', 'max_stale=10s'],
    ['/v1/health/service/web', 'passing', 'passing=&max_stale=10s'],
    ['/v1/health/service/web', 'leader', 'leader='],
    ['/v1/health/service/web', 'consistent', 'consistent='],
    ['/v1/health/service/web', 'stale', 'stale='],
    ['/v1/health/service/web', 'max_stale=1s', 'max_stale=1s'],
    ['/v1/kv/a', '', ''],
  ])('discovery_max_stale makes %s?%s ?%s', (path, query, expected) => {
    expect(applied({ discoveryMaxStaleMs: 10_000 }, path, query)).toBe(expected);
  });
});

describe('refusalOf', () => {
  const ask = (extra: Partial<HttpPolicy>, method: string, path: string) =>
    refusalOf(policy(extra), method, { path: () => path, remoteAddress: () => '10.0.0.1' });

  it('blocks everything that begins as an entry does', () => {
    const blocked = { blockedPrefixes: ['/v1/acl', '/v1/agent/leave'] };
    expect(ask(blocked, 'GET', '/v1/acl/policies')).toBe('Endpoint is blocked by agent configuration');
    expect(ask(blocked, 'PUT', '/v1/agent/leave')).toBe('Endpoint is blocked by agent configuration');
    expect(ask(blocked, 'GET', '/v1/agent/self')).toBeUndefined();
  });

  it('refuses writes of those who may not, and never reads', () => {
    const closed = { mayWrite: (address: string) => address !== '10.0.0.1' };
    for (const method of ['PUT', 'POST', 'DELETE', 'PATCH']) {
      expect(ask(closed, method, '/v1/kv/a')).toBe('Access is restricted');
    }
    for (const method of ['GET', 'HEAD', 'OPTIONS']) expect(ask(closed, method, '/v1/kv/a')).toBeUndefined();
  });
});

describe('a listener with a policy', () => {
  let current = policy();
  let base: string;
  const controller = new AbortController();
  let done: Promise<void>;
  const answer = { bytes: Buffer.from('1'), headers: { 'x-own': 'the endpoint' } };
  const routes: Route[] = [
    { method: 'GET', path: '/v1/again', handle: () => ({ ...answer, again: () => answer }) },
    { method: 'GET', path: '/v1/thing/:name', handle: (r) => ({ json: r.query.toString() }) },
    { method: 'PUT', path: '/v1/thing/:name', handle: () => ({ json: true }) },
  ];
  beforeAll(async () => {
    const deps = { clock: new SystemClock(), log: silentLogger, metrics: new Metrics() };
    const server = createHttpServer(deps, { routes, host: '127.0.0.1', port: 0, policy: () => current });
    await new Promise<void>((ready, fail) => {
      done = server.run({ signal: controller.signal, ready });
      done.catch(fail);
    });
    base = `http://127.0.0.1:${server.address().port}`;
  });
  afterAll(async () => {
    controller.abort();
    await done;
  });
  const call = async (path: string, method = 'GET') => {
    const { statusCode: status, headers, body } = await request(`${base}${path}`, { method: method as 'GET' });
    return { status, headers, text: await body.text() };
  };

  it('adds headers to all answers, below those of the endpoint, and stops when told', async () => {
    expect((await call('/v1/again')).headers).toMatchObject({ 'x-own': 'the endpoint' });
    current = policy({ headers: { 'x-own': 'all', 'access-control-allow-origin': '*' } });
    for (const _ of [1, 2]) {
      expect((await call('/v1/again')).headers).toMatchObject({
        'x-own': 'the endpoint',
        'access-control-allow-origin': '*',
      });
    }
    for (const path of ['/v1/thing/a', '/v1/nosuch', '/', '/v1/thing', '/v1/thing/%00']) {
      expect((await call(path)).headers).toMatchObject({ 'x-own': 'all', 'access-control-allow-origin': '*' });
    }
    current = policy();
    expect((await call('/v1/again')).headers['access-control-allow-origin']).toBeUndefined();
  });

  it('blocks a URL that was answered before, in whatever way it is written', async () => {
    expect((await call('/v1/again')).status).toBe(200);
    current = policy({ blockedPrefixes: ['/v1/again', '/v1/thing/secret'] });
    const blocked = { status: 403, text: 'Endpoint is blocked by agent configuration' };
    for (const path of ['/v1/again', '/v1/again?x', '/v1/%61gain', '/v1/thing/secret', '/v1/thing/%73ecret/x']) {
      expect({ path, ...(await call(path)) }).toMatchObject({ path, ...blocked });
    }
    expect((await call('/v1/thing/public')).status).toBe(200);
    current = policy();
    expect((await call('/v1/again')).status).toBe(200);
  });

  it('hands the decided parameters to the route', async () => {
    current = policy({ useCache: false, defaultQueryMs: 2_000 });
    expect((await call('/v1/thing/a?cached&index=1')).text).toBe('"index=1&wait=2s"');
  });

  it('refuses writes with 403', async () => {
    current = policy({ mayWrite: () => false });
    expect(await call('/v1/thing/a', 'PUT')).toMatchObject({ status: 403, text: 'Access is restricted' });
    expect((await call('/v1/thing/a')).status).toBe(200);
  });
});
