import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Member } from '../../api/routes/agent-local-backend.ts';
import type { Node } from '../../api/shapes/catalog.ts';
import { startClientAgent, startServer } from '../support/agent-cluster.ts';
import { eventually } from '../support/eventually.ts';

const get = async <T>(url: string): Promise<T> => (await fetch(url)).json() as Promise<T>;
async function put(url: string): Promise<{ status: number; text: string }> {
  const response = await fetch(url, { method: 'PUT' });
  return { status: response.status, text: await response.text() };
}

describe('agents that come and go', () => {
  let folder: string;
  let server: Awaited<ReturnType<typeof startServer>>;
  const running: { stop(): Promise<void> }[] = [];

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'lictor-members-'));
    server = await startServer();
  });
  afterEach(async () => {
    for (const one of running.splice(0)) await one.stop();
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  });

  async function client(node: string, serfPort?: number) {
    const servers = [`127.0.0.1:${server.parts.port}`];
    let asked = (): void => {};
    const stopped = new Promise<void>((resolve) => {
      asked = resolve;
    });
    const one = await startClientAgent({ node, dataDir: join(folder, node), servers, serfPort, stop: () => asked() });
    running.push(one);
    void stopped.then(() => one.stop());
    await eventually(async () => expect(await nodes()).toContain(node), { withinMs: 10_000 });
    return { ...one, stopped };
  }
  /** Of agents; the server has none here. */
  async function nodes(): Promise<string[]> {
    const all = await get<Node[]>(`${server.origin}/v1/catalog/nodes`);
    return all.map(({ Node }) => Node).filter((name) => name !== 'server-1');
  }

  it('lists every node that has had an agent, and takes those from the catalog that have failed', async () => {
    const first = await client('node-1');
    const second = await client('node-2');
    const members = () => get<Member[]>(`${first.origin}/v1/agent/members`);
    await eventually(async () => expect((await members()).map(({ Name }) => Name)).toEqual(['node-1', 'node-2']), {
      withinMs: 10_000,
    });
    const alive = await put(`${first.origin}/v1/agent/force-leave/node-2`);
    expect(alive).toEqual({ status: 200, text: '' });
    expect(await nodes()).toHaveLength(2);

    await second.stop();
    const statusOf = async () => (await members()).find(({ Name }) => Name === 'node-2')?.Status;
    await eventually(async () => expect(await statusOf()).toBe(4), { withinMs: 60_000 });
    expect(await put(`${first.origin}/v1/agent/force-leave/node-2?prune=1`)).toEqual({ status: 200, text: '' });
    expect(await nodes()).toEqual(['node-1']);
    expect((await put(`${first.origin}/v1/agent/force-leave/node-2`)).text).toBe(
      "agent: No node found with name 'node-2'",
    );
  }, 90_000);

  it('lists each with its own port, whoever is asked', async () => {
    const [first, second] = [await client('node-1', 22_301), await client('node-2', 22_302)];
    for (const { origin } of [first, second]) {
      await eventually(
        async () => {
          const members = await get<Member[]>(`${origin}/v1/agent/members`);
          expect(Object.fromEntries(members.map(({ Name, Port }) => [Name, Port]))).toEqual({
            'node-1': 22_301,
            'node-2': 22_302,
          });
        },
        { withinMs: 60_000 },
      );
    }
    const report = (port: string) =>
      fetch(`${server.origin}/v1/internal/agent/node-1/verdicts?serf_port=${port}`, {
        method: 'PUT',
        body: '{"HeartbeatMs": 5000}',
      });
    for (const port of ['x', '', '70000', '-2']) expect((await report(port)).status).toBe(400);
  }, 130_000);

  it('shows 0 of one whose port is off, whoever is asked', async () => {
    const [first, second] = [await client('node-1', -1), await client('node-2', 22_302)];
    const ports = async (origin: string, path = '/v1/agent/members') =>
      Object.fromEntries((await get<Member[]>(`${origin}${path}`)).map(({ Name, Port }) => [Name, Port]));
    const shown = { 'node-1': 0, 'node-2': 22_302 };
    for (const { origin } of [first, second]) {
      await eventually(async () => expect(await ports(origin)).toEqual(shown), { withinMs: 60_000 });
    }
    expect(await ports(server.origin, '/v1/internal/members')).toEqual(shown);
    // As agents of earlier versions tell it.
    const told = await fetch(`${server.origin}/v1/internal/agent/node-2/verdicts?serf_port=-1`, {
      method: 'PUT',
      body: '{"HeartbeatMs": 5000}',
    });
    expect(told.status).toBe(200);
    expect((await ports(server.origin, '/v1/internal/members'))['node-2']).not.toBe(-1);
  }, 130_000);

  it('leaves: the node is out of the catalog when the answer comes', async () => {
    const agent = await client('node-1');
    expect(await put(`${agent.origin}/v1/agent/leave`)).toEqual({ status: 200, text: '' });
    await agent.stopped;
    expect(await nodes()).toEqual([]);
  });

  it('joins servers that answer, and says why it cannot join another', async () => {
    const agent = await client('node-1');
    expect((await put(`${agent.origin}/v1/agent/join/127.0.0.1:${server.parts.port}`)).status).toBe(200);
    const other = await put(`${agent.origin}/v1/agent/join/127.0.0.1:1`);
    expect(other.status).toBe(500);
    expect(other.text).toMatch(/^1 error occurred:\n\t\* Failed to join 127\.0\.0\.1:1: .*ECONNREFUSED/);
    expect((await put(`${agent.origin}/v1/agent/join/a%20b`)).text).toContain('must be host or host:port');
  });
});
