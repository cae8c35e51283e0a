import { randomBytes, X509Certificate } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import type { ClientAgent } from '../../agent/main.ts';
import type { HealthCheck, HealthEntry } from '../../api/shapes/catalog.ts';
import type { StreamEvent } from '../../api/shapes/stream.ts';
import { type Running, startClientAgent, startServer } from '../support/agent-cluster.ts';
import { eventually } from '../support/eventually.ts';
import { jsonLines } from '../support/ndjson.ts';

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
  it('follows nodes and services elsewhere for its alias checks', async () => {
    const register = (more: object) =>
      put(server.origin, '/v1/catalog/register', { Node: 'far', Address: '10.0.0.9', ...more });
    const status = (Status: string) => register({ Check: { Node: 'far', CheckID: 'disk', Name: 'disk', Status } });
    await status('passing');
    const alias = { ID: 'node', Name: 'far away', AliasNode: 'far' };
    const ofService = { ID: 'web', Name: 'web there', AliasNode: 'FAR', AliasService: 'web-1' };
    for (const check of [alias, ofService]) {
      expect(await put(agent.origin, '/v1/agent/check/register', check)).toMatchObject({ status: 200 });
    }
    const shown = (expected: object) =>
      eventually(async () => {
        const { node, web } = await get<Record<string, HealthCheck>>(agent.origin, '/v1/agent/checks');
        expect({ node: node?.Status, web: web?.Status, why: web?.Output }).toMatchObject(expected);
      }, WITHIN);
    await shown({ node: 'passing', web: 'critical', why: 'Service web-1 could not be found on node FAR' });
    await register({ Service: { ID: 'web-1', Service: 'web' } });
    await shown({ node: 'passing', web: 'passing' });
    await status('warning');
    await shown({ node: 'warning', web: 'warning' });
    await put(server.origin, '/v1/catalog/deregister', { Node: 'far' });
    await shown({ node: 'critical', web: 'critical', why: 'Node FAR could not be found' });
  });

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

  it('takes over tags that others have changed where enable_tag_override says so, and nothing else', async () => {
    const first = async (name: string) => (await get<HealthEntry[]>(server.origin, `/v1/health/service/${name}`))[0];
    const tags = async (name: string) => (await first(name))?.Service.Tags;
    const port = async (name: string) => (await first(name))?.Service.Port;
    const others = (Name: string, more: object) =>
      put(server.origin, '/v1/catalog/register', {
        Node: 'node-1',
        Address: '127.0.0.1',
        SkipNodeUpdate: true,
        Service: { ID: Name, Service: Name, Port: 80, Tags: ['theirs'], ...more },
      });
    for (const Name of ['free', 'free-but-port']) {
      await put(agent.origin, '/v1/agent/service/register', { Name, Port: 80, Tags: ['own'], EnableTagOverride: true });
    }
    await put(agent.origin, '/v1/agent/service/register', { Name: 'fixed', Port: 80, Tags: ['own'] });
    await others('free', { EnableTagOverride: true });
    await others('free-but-port', { EnableTagOverride: true, Port: 81 });
    await others('fixed', {});
    expect(await tags('fixed')).toEqual(['theirs']);
    // With its start an agent compares all.
    await agent.stop();
    agent = await startClientAgent({ dataDir, servers: join8300() });
    await eventually(async () => expect(await tags('fixed')).toEqual(['own']), WITHIN);
    await eventually(async () => expect(await port('free-but-port')).toBe(80), WITHIN);
    await eventually(() => agent.parts.agent.synced(), WITHIN);
    // Its next write of the service keeps them, too.
    await put(agent.origin, '/v1/agent/check/register', { Name: 'c', ServiceID: 'free', TTL: '60s' });
    await eventually(async () => expect((await first('free'))?.Checks).toHaveLength(2), WITHIN);
    for (const name of ['free', 'free-but-port']) {
      expect(await tags(name)).toEqual(['theirs']);
      expect(await get(agent.origin, `/v1/agent/service/${name}`)).toMatchObject({ Tags: ['theirs'], Port: 80 });
    }
  });

  it('hands streams through, line by line', async () => {
    const stop = new AbortController();
    const answer = await fetch(`${agent.origin}/v1/stream/health?service=web`, { signal: stop.signal });
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'application/x-ndjson']);
    const lines = jsonLines<StreamEvent>(Readable.fromWeb(answer.body as ReadableStream));
    const until = async (type: string) => {
      for (;;) {
        const event = (await lines.next()).value as StreamEvent;
        if (event.Type === type) return event;
      }
    };
    await until('synced');
    await put(agent.origin, '/v1/agent/service/register', { Name: 'web', Port: 80 });
    expect(await until('upsert')).toMatchObject({ Entry: { Service: { Service: 'web', Port: 80 } } });
    await put(agent.origin, '/v1/agent/service/deregister/web');
    expect(await until('delete')).toMatchObject({ Node: 'node-1', ServiceID: 'web' });
    stop.abort();
    await lines.return?.().catch(() => {});
  });

  it('serves the mesh: roots, leaf certificates, intentions and decisions', async () => {
    const { ActiveRootID, TrustDomain } = await eventually(async () => {
      const roots = await get<{ ActiveRootID: string; TrustDomain: string }>(
        agent.origin,
        '/v1/agent/connect/ca/roots',
      );
      expect(roots.ActiveRootID).not.toBe('');
      return roots;
    }, WITHIN);
    expect(await get(agent.origin, '/v1/connect/ca/roots')).toMatchObject({ ActiveRootID, TrustDomain });
    const leaf = await get<{ CertPEM: string; ServiceURI: string }>(agent.origin, '/v1/agent/connect/ca/leaf/web');
    expect(leaf).toMatchObject({ Service: 'web', ServiceURI: `spiffe://${TrustDomain}/ns/default/dc/dc1/svc/web` });
    expect(new X509Certificate(leaf.CertPEM).subjectAltName).toContain(leaf.ServiceURI);

    const url = '/v1/connect/intentions/exact?source=web&destination=db';
    expect((await put(agent.origin, url, { Action: 'deny' })).status).toBe(200);
    expect(await get(agent.origin, url)).toMatchObject({ SourceName: 'web', DestinationName: 'db', Action: 'deny' });
    const check = '/v1/connect/intentions/check?source=web&destination=db';
    expect(await get(agent.origin, check)).toEqual({ Allowed: false });
    const authorize = async () => {
      const body = { Target: 'db', ClientCertURI: leaf.ServiceURI, ClientCertSerial: '01' };
      const answer = await fetch(`${agent.origin}/v1/agent/connect/authorize`, {
        method: 'POST',
        body: JSON.stringify(body),
      });
      return (await answer.json()) as { Authorized: boolean };
    };
    expect(await authorize()).toMatchObject({ Authorized: false });
    await fetch(agent.origin + url, { method: 'DELETE' });
    expect((await fetch(agent.origin + url)).status).toBe(404);
    expect(await authorize()).toMatchObject({ Authorized: true });
  });

  it('hands transactions, keys and sessions through, with their refusals', async () => {
    const set = (verb: string, more: object = {}) => ({ KV: { Verb: verb, Key: 'a', Value: 'eA==', ...more } });
    const done = await put(agent.origin, '/v1/txn', [set('set'), set('get')]);
    expect([done.status, JSON.parse(done.text)]).toMatchObject([200, { Results: [{}, { KV: { Value: 'eA==' } }] }]);
    const refused = await put(agent.origin, '/v1/txn', [set('cas', { Index: 1 })]);
    expect([refused.status, JSON.parse(refused.text)]).toMatchObject([409, { Errors: [{ OpIndex: 0 }] }]);
    const many = Array.from({ length: 129 }, () => set('set'));
    expect((await put(agent.origin, '/v1/txn', many)).status).toBe(413);

    await eventually(async () => {
      const made = await put(agent.origin, '/v1/session/create', {});
      expect(made.status).toBe(200);
      const { ID } = JSON.parse(made.text) as { ID: string };
      // Of the agent's own node, not of the server's.
      expect(await get(agent.origin, `/v1/session/info/${ID}`)).toMatchObject([{ Node: 'node-1' }]);
      expect((await put(agent.origin, `/v1/kv/lock?acquire=${ID}`)).text.trim()).toBe('true');
      expect(await get(server.origin, '/v1/kv/lock')).toMatchObject([{ Session: ID }]);
    }, WITHIN);
  });

  it('answers a blocked query of a key, and gives its place up when the client goes', async () => {
    await put(agent.origin, '/v1/kv/watched', 'a');
    const first = await fetch(`${agent.origin}/v1/kv/watched`);
    const blockedOn = `${agent.origin}/v1/kv/watched?index=${first.headers.get('x-consul-index')}&wait=60s`;
    const gone = new AbortController();
    const leaving = fetch(blockedOn, { signal: gone.signal }).catch((error: unknown) => error);
    const blocked = fetch(blockedOn);
    gone.abort();
    expect(await leaving).toMatchObject({ name: 'AbortError' });
    await put(server.origin, '/v1/kv/watched', 'b');
    expect(await (await blocked).json()).toMatchObject([
      { Key: 'watched', Value: Buffer.from('"b"').toString('base64') },
    ]);
  });
});
