import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ClientAgent } from '../../agent/main.ts';
import type { HealthCheck, HealthEntry } from '../../api/shapes/catalog.ts';
import { type Running, startClientAgent, startServer } from '../support/agent-cluster.ts';
import { eventually } from '../support/eventually.ts';

const WITHIN = { withinMs: 10_000 };

let dataDir: string;
let server: Awaited<ReturnType<typeof startServer>>;
let agent: Running<ClientAgent>;
let target: Server;
let targetStatus: number;
let targetPort: number;

const put = async (origin: string, path: string, body?: unknown, headers: Record<string, string> = {}) => {
  const response = await fetch(origin + path, {
    method: 'PUT',
    body: body === undefined ? undefined : JSON.stringify(body),
    headers,
  });
  return { status: response.status, text: await response.text() };
};
const get = async <T>(origin: string, path: string): Promise<T> => (await fetch(origin + path)).json() as Promise<T>;
const checksOf = (service: string) => get<HealthCheck[]>(server.origin, `/v1/health/checks/${service}`);
const join8300 = () => [`127.0.0.1:${server.parts.port}`];

/** As an operator does: an instance with a check on the agent's node. */
const assign = (check: object = {}) =>
  put(
    server.origin,
    '/v1/catalog/register',
    {
      Node: 'node-1',
      Address: '127.0.0.1',
      SkipNodeUpdate: true,
      Service: { ID: 'pod-1', Service: 'shop', Port: targetPort, Address: '127.0.0.1' },
      Checks: [
        {
          Node: 'node-1',
          CheckID: 'pod-1:http',
          Name: 'http',
          ServiceID: 'pod-1',
          Definition: { HTTP: `http://127.0.0.1:${targetPort}/`, Interval: '1s', ...check },
        },
      ],
    },
    { 'x-lictor-owner': 'operator/main', 'x-lictor-epoch': '1' },
  );

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'lictor-agent-'));
  targetStatus = 200;
  target = createServer((_, response) => response.writeHead(targetStatus).end('hello'));
  await new Promise<void>((resolve) => target.listen(0, '127.0.0.1', resolve));
  targetPort = (target.address() as AddressInfo).port;
  server = await startServer();
  agent = await startClientAgent({ dataDir, servers: join8300() });
});
afterEach(async () => {
  await agent.stop();
  await server.stop();
  target.closeAllConnections();
  target.close();
  await rm(dataDir, { recursive: true, force: true });
});

describe('a client agent', () => {
  it('passes on archives of any size', async () => {
    for (let at = 0; at < 5; at++) {
      await fetch(`${agent.origin}/v1/kv/k${at}`, {
        method: 'PUT',
        body: randomBytes(500_000).toString('base64').slice(0, 500_000),
      });
    }
    const archive = Buffer.from(await (await fetch(`${agent.origin}/v1/snapshot`)).arrayBuffer());
    expect(archive.length).toBeGreaterThan(1024 * 1024);
    await fetch(`${agent.origin}/v1/kv/k0`, { method: 'DELETE' });
    const restored = await fetch(`${agent.origin}/v1/snapshot`, { method: 'PUT', body: archive });
    expect([restored.status, await restored.text()]).toEqual([200, '']);
    expect(await get<string[]>(agent.origin, '/v1/kv/?keys')).toHaveLength(5);
    const refused = await fetch(`${agent.origin}/v1/snapshot`, { method: 'PUT', body: 'garbage' });
    expect([refused.status, await refused.text()]).toEqual([500, expect.stringContaining('snapshot')]);
  });

  it('registers its node, which is alive', async () => {
    await eventually(async () => {
      const checks = await get<HealthCheck[]>(agent.origin, '/v1/health/node/node-1');
      expect(checks).toMatchObject([{ CheckID: 'serfHealth', Status: 'passing' }]);
    }, WITHIN);
    const self = await get<{ Config: object; Member: object }>(agent.origin, '/v1/agent/self');
    expect(self).toMatchObject({ Config: { NodeName: 'node-1', Server: false }, Member: { Tags: { role: 'node' } } });
    await eventually(() => agent.parts.agent.synced(), WITHIN);
  });

  it('has a registration in the catalog before it answers', async () => {
    expect(await put(agent.origin, '/v1/agent/service/register', { Name: 'web', Port: 80 })).toEqual({
      status: 200,
      text: '',
    });
    expect(await get<HealthEntry[]>(server.origin, '/v1/health/service/web')).toMatchObject([
      { Service: { Port: 80 } },
    ]);
    expect((await put(agent.origin, '/v1/agent/service/deregister/web')).status).toBe(200);
    expect(await get<HealthEntry[]>(server.origin, '/v1/health/service/web')).toEqual([]);
  });

  it('runs an assigned check at once and follows its target', async () => {
    await eventually(() => agent.parts.agent.synced(), WITHIN);
    expect((await assign()).status).toBe(200);
    await eventually(async () => expect(await checksOf('shop')).toMatchObject([{ Status: 'passing' }]), WITHIN);
    targetStatus = 500;
    await eventually(async () => expect(await checksOf('shop')).toMatchObject([{ Status: 'critical' }]), WITHIN);
    // It belongs to its declarer: it is not one of the agent's own.
    expect(await get(agent.origin, '/v1/agent/checks')).toEqual({});
    await put(server.origin, '/v1/catalog/deregister', { Node: 'node-1', ServiceID: 'pod-1' });
    expect(await checksOf('shop')).toEqual([]);
  });

  it('does not turn a check critical by its restart', async () => {
    await put(agent.origin, '/v1/agent/service/register', { Name: 'web', Port: 80, Check: { TTL: '1h' } });
    await put(agent.origin, '/v1/agent/check/pass/service:web?note=fine');
    await assign();
    await eventually(async () => expect(await checksOf('shop')).toMatchObject([{ Status: 'passing' }]), WITHIN);
    await eventually(async () => expect(await checksOf('web')).toMatchObject([{ Status: 'passing' }]), WITHIN);
    const seen = new Set<string>();
    let watching = true;
    const watch = (async () => {
      while (watching) {
        for (const check of [...(await checksOf('shop')), ...(await checksOf('web'))]) seen.add(check.Status);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    })();
    await agent.stop();
    agent = await startClientAgent({ dataDir, servers: join8300() });
    await eventually(() => agent.parts.agent.synced(), WITHIN);
    const own = await get<Record<string, HealthCheck>>(agent.origin, '/v1/agent/checks');
    expect(own['service:web']).toMatchObject({ Status: 'passing', Output: 'fine' });
    await new Promise((resolve) => setTimeout(resolve, 300));
    watching = false;
    await watch;
    expect([...seen]).toEqual(['passing']);
  });

  it('answers from its view with the servers away, and finds them again', async () => {
    await put(agent.origin, '/v1/agent/service/register', { Name: 'web', Port: 80 });
    const { view } = agent.parts;
    await eventually(() => view.synced(), WITHIN);
    expect(await view.service('default', 'WEB')).toMatchObject({ found: true, entries: [{ Service: { Port: 80 } }] });
    expect(await view.service('default', 'nothing')).toEqual({ found: false, entries: [] });
    expect(await view.node('node-1')).toMatchObject({ Node: 'node-1' });
    const { store, port } = server.parts;
    await server.stop();
    expect(await view.service('default', 'web')).toMatchObject({ found: true });
    await expect(view.service('default', 'other')).rejects.toMatchObject({ code: 'unavailable' });
    expect((await fetch(`${agent.origin}/v1/health/service/web`)).status).toBeGreaterThanOrEqual(500);
    // Kept by the agent, written when the servers are back.
    expect((await put(agent.origin, '/v1/agent/service/register', { Name: 'later', Port: 81 })).status).toBe(200);
    server = await startServer({ store, port });
    await eventually(
      async () => {
        expect(await get<HealthEntry[]>(server.origin, '/v1/health/service/later')).toHaveLength(1);
      },
      { withinMs: 30_000 },
    );
    await put(agent.origin, '/v1/agent/service/register', { Name: 'web', Port: 8080 });
    await eventually(
      async () => {
        expect(await view.service('default', 'web')).toMatchObject({ entries: [{ Service: { Port: 8080 } }] });
      },
      { withinMs: 30_000 },
    );
  }, 90_000);

  it('hands blocking queries, headers and errors through', async () => {
    await put(agent.origin, '/v1/agent/service/register', { Name: 'web', Port: 80 });
    const first = await fetch(`${agent.origin}/v1/health/service/web`);
    const index = first.headers.get('x-consul-index');
    expect(index).toMatch(/^\d+$/);
    const blocked = fetch(`${agent.origin}/v1/health/service/web?index=${index}&wait=60s`);
    await put(agent.origin, '/v1/agent/service/register', { Name: 'web', Port: 81 });
    const answer = await blocked;
    expect(Number(answer.headers.get('x-consul-index'))).toBeGreaterThan(Number(index));
    expect(await answer.json()).toMatchObject([{ Service: { Port: 81 } }]);
    const bad = await fetch(`${agent.origin}/v1/health/service/web?index=x`);
    expect([bad.status, await bad.text()]).toEqual([400, 'Invalid index']);
    const written = await put(agent.origin, '/v1/catalog/register', { Node: 'ext', Address: '10.0.0.9' });
    expect(written).toEqual({ status: 200, text: 'true' });
  });
});
