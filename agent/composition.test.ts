import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { doesNotWait, type Route } from '../api/http/route.ts';
import { FakeClock } from '../core/clock.ts';
import { AppError } from '../core/errors.ts';
import { silentLogger } from '../core/log.ts';
import { Metrics } from '../core/metrics.ts';
import { SeededRandom } from '../core/random.ts';
import { started } from '../test/support/started.ts';
import { FakeServerCatalog } from './anti-entropy/fake-server-catalog.ts';
import { composeAgent } from './composition.ts';
import { parseAgentConfig } from './config.ts';

const FILE = JSON.stringify({ check: { id: 'app', name: 'app', ttl: '30s' } });

const deps = () => ({
  clock: new FakeClock(),
  log: silentLogger,
  metrics: new Metrics(),
  random: new SeededRandom(1),
  servers: new FakeServerCatalog(),
  identity: { nodeId: 'an-id', address: '127.0.0.1', version: '1', consulVersion: '1.21.4' },
});

function call(routes: readonly Route[], method: string, path: string, params: Record<string, string>, query = '') {
  const route = routes.find((one) => one.method === method && one.path === path);
  return route!.handle({
    method,
    path,
    params,
    query: new URLSearchParams(query),
    headers: {},
    body: Buffer.alloc(0),
    remoteAddress: '127.0.0.1',
    signal: new AbortController().signal,
    hold: doesNotWait,
  });
}

describe('an agent whose listeners open', () => {
  it('takes updates of TTL checks from the first request on, also before it syncs', async () => {
    const world = { readFile: () => FILE, readFolder: () => [], hostname: () => 'n1' };
    const { config } = parseAgentConfig(['-dev', '-config-file', '/app.json'], world);
    const agent = composeAgent(config, deps());
    const stop = await started(agent.localState);
    await call(agent.routes, 'PUT', '/v1/agent/check/pass/:id', { id: 'app' });
    const { json } = await call(agent.routes, 'GET', '/v1/agent/checks', {});
    expect(json).toMatchObject({ app: { Status: 'passing' } });
    await stop();
  });

  it('keeps the status of its checks alone with discard_check_output', async () => {
    const world = { readFile: () => FILE, readFolder: () => [], hostname: () => 'n1' };
    const argv = ['-dev', '-config-file', '/app.json', '-hcl', 'discard_check_output = true'];
    const { config, warnings } = parseAgentConfig(argv, world);
    expect(warnings).toEqual([]);
    const agent = composeAgent(config, deps());
    const stop = await started(agent.localState);
    await call(agent.routes, 'PUT', '/v1/agent/check/pass/:id', { id: 'app' }, 'note=all+is+well');
    const { json } = await call(agent.routes, 'GET', '/v1/agent/checks', {});
    expect(json).toMatchObject({ app: { Status: 'passing', Output: '' } });
    await stop();
  });
});

describe('an agent that is told to join a server', () => {
  it('brings what it declares there at once', async () => {
    const world = { readFile: () => FILE, readFolder: () => [], hostname: () => 'n1' };
    const { config } = parseAgentConfig(['-dev', '-config-file', '/app.json'], world);
    const clock = new FakeClock();
    const servers = new FakeServerCatalog();
    servers.failure = new AppError('noLeader', 'No known Consul servers', { facts: { servers: 0 } });
    const agent = composeAgent(config, {
      ...deps(),
      clock,
      servers,
      join: async () => {
        servers.failure = undefined;
      },
    });
    const stop = new AbortController();
    const done = agent.runnable.run({ signal: stop.signal, ready: () => {} });
    await clock.advance(60_000);
    await call(agent.routes, 'PUT', '/v1/agent/join/:address', { address: '10.0.0.5' });
    await clock.advance(1);
    expect(servers.checks.has('app')).toBe(true);
    expect(agent.synced()).toBe(true);
    stop.abort();
    servers.wake();
    await clock.advance(1);
    await done;
  });
});

describe('an agent that reads its configuration anew', () => {
  it('brings back what somebody has taken out of the catalog, and keeps tags that others have set there', async () => {
    const shared = { name: 'shared', tags: ['v1'], enable_tag_override: true };
    const file = JSON.stringify({ services: [{ name: 'web' }, shared] });
    const world = { readFile: () => file, readFolder: () => [], hostname: () => 'n1' };
    const { config } = parseAgentConfig(['-dev', '-config-file', '/app.json'], world);
    const clock = new FakeClock();
    const servers = new FakeServerCatalog();
    const agent = composeAgent(config, { ...deps(), clock, servers });
    const stop = new AbortController();
    const done = agent.runnable.run({ signal: stop.signal, ready: () => {} });
    await clock.advance(1_000);
    const tagsOf = () => servers.services.get('shared')!.registration.Service!.Tags;
    const entry = servers.services.get('shared')!;
    entry.registration = { ...entry.registration, Service: { ...entry.registration.Service!, Tags: ['primary'] } };
    servers.services.delete('web');
    await clock.advance(1_000);
    expect(servers.services.has('web')).toBe(false);
    await agent.reconfigure(config);
    await clock.advance(1_000);
    expect([servers.services.has('web'), tagsOf()]).toEqual([true, ['primary']]);
    stop.abort();
    servers.wake();
    await clock.advance(1);
    await done;
  });
});

describe('an agent that starts anew', () => {
  let dataDir: string;
  beforeEach(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'lictor-agent-'));
  });
  afterEach(() => rm(dataDir, { recursive: true, force: true }));

  /** Starts the part that answers, does something and stops. */
  async function during(service: object, act: (routes: readonly Route[]) => Promise<void>) {
    const world = { readFile: () => JSON.stringify({ service }), readFolder: () => [], hostname: () => 'n1' };
    const argv = ['-retry-join=127.0.0.1', `-data-dir=${dataDir}`, '-config-file', '/app.json'];
    const agent = composeAgent(parseAgentConfig(argv, world).config, deps());
    const stop = await started(agent.localState);
    await act(agent.routes);
    await stop();
  }
  const put = (routes: readonly Route[], path: string, id: string, query = '') =>
    call(routes, 'PUT', path, { id }, query);
  const checks = async (routes: readonly Route[]) => {
    const { json } = await call(routes, 'GET', '/v1/agent/checks', {});
    return Object.keys(json as object).sort();
  };

  it('keeps in maintenance what its configuration declares, with its sidecar', async () => {
    const web = { name: 'web', port: 80, connect: { sidecar_service: { checks: [] } } };
    const maintained = ['_service_maintenance:web', '_service_maintenance:web-sidecar-proxy'];
    await during(web, async (routes) => {
      for (const id of ['web', 'web-sidecar-proxy']) {
        await put(routes, '/v1/agent/service/maintenance/:id', id, 'enable=true&reason=disk');
      }
      expect(await checks(routes)).toEqual(expect.arrayContaining(maintained));
    });
    await during(web, async (routes) => {
      expect(await checks(routes)).toEqual(expect.arrayContaining(maintained));
    });
    await during({ name: 'other' }, async (routes) => {
      expect(await checks(routes)).toEqual([]);
    });
    await during(web, async (routes) => {
      expect(await checks(routes)).not.toEqual(expect.arrayContaining(maintained.slice(0, 1)));
    });
  });
});
