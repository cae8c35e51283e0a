import { eventually } from '../support/eventually.ts';
import { type AgentProcess, startClientAgent, startServer } from '../support/processes/lictor.ts';
import { runLictor } from '../support/processes/run-lictor.ts';

describe('the commands about agents, the program against two agents', () => {
  let server: AgentProcess;
  let client: AgentProcess;
  beforeAll(async () => {
    server = await startServer();
    client = await startClientAgent(server, { node: 'client-1' });
  });
  afterAll(async () => {
    await client.stop();
    await server.stop();
  });
  const run = (...args: string[]) => runLictor(args, { agent: server });
  const rows = (stdout: string) =>
    stdout
      .trim()
      .split('\n')
      .map((line) => line.split(/ {2,}/));

  it('list members', async () => {
    await eventually(async () => (await server.get<object[]>('/v1/agent/members')).length === 2, { withinMs: 30_000 });
    const [header, ...members] = rows((await run('members')).stdout);
    expect(header).toEqual(['Node', 'Address', 'Status', 'Type', 'Build', 'Protocol', 'DC', 'Partition', 'Segment']);
    expect(members.map(([node, , status, type, , , dc]) => [node, status, type, dc])).toEqual([
      ['server-1', 'alive', 'server', 'dc1'],
      ['client-1', 'alive', 'client', 'dc1'],
    ]);
    expect((await run('members', '-detailed', '-filter', 'Name == "client-1"')).stdout).toMatch(
      /^client-1 .*role=node/m,
    );
    expect(rows((await run('members', '-wan')).stdout)[1]![0]).toBe('server-1.dc1');
    expect((await run('members', '-status=failed')).code).toBe(2);
  });

  it('list the catalog with its filters', async () => {
    expect(rows((await run('catalog', 'nodes', '-near=_agent')).stdout).map(([name]) => name)).toEqual([
      'Node',
      'server-1',
      'client-1',
    ]);
    expect((await run('catalog', 'nodes', '-detailed', '-filter=Node == "client-1"')).stdout).toMatch(
      /^client-1 .* lan=127\.0\.0\.1, .*consul-version=/m,
    );
    expect((await run('catalog', 'nodes', '-node-meta=rack=none')).stdout).toMatch(/^No nodes match/);
    expect((await run('catalog', 'nodes', '-service=consul')).stdout).toContain('server-1');
    expect((await run('catalog', 'services', '-node-meta=consul-version=1.21.4', '-tags')).stdout).toBe('consul\n');
    expect((await run('catalog', 'services', '-node=client-1')).stdout).toBe('');
  });

  it('show figures, and join', async () => {
    expect((await run('info')).stdout).toMatch(/^agent:\n\tcheck_monitors = 0\n(?:.*\n)*\tserver = true\n/);
    const joined = await runLictor(['join', `127.0.0.1:${server.serverPort}`], { agent: client });
    expect(joined).toEqual({ code: 0, stdout: 'Successfully joined cluster by contacting 1 nodes.\n', stderr: '' });
    expect((await run('join', '127.0.0.1:1')).stderr).toContain('Failed to join any nodes.');
  });

  it('follow the log until Ctrl-C', async () => {
    let ended = false;
    const monitored = runLictor(['monitor', '-log-level=info', '-log-json'], {
      agent: server,
      onOutput: (stdout, end) => stdout.includes('reloaded') && end(),
    }).finally(() => {
      ended = true;
    });
    // Nothing tells when it listens: something is logged until it has seen it.
    const writing = eventually(() => run('reload').then(() => ended), { withinMs: 50_000 });
    const { code, stdout, stderr } = await monitored;
    expect([code, stderr]).toEqual([0, '']);
    for (const line of stdout.trim().split('\n')) expect(JSON.parse(line)).toHaveProperty('@message');
    await writing;
  });

  it('make agents leave', async () => {
    expect((await run('force-leave', '-prune', 'none')).stderr).toContain("No node found with name 'none'");
    expect(await run('force-leave', 'client-1')).toEqual({ code: 0, stdout: '', stderr: '' });
    expect(await runLictor(['leave'], { agent: client })).toEqual({
      code: 0,
      stdout: 'Graceful leave complete\n',
      stderr: '',
    });
    await eventually(async () => (await server.get<object[]>('/v1/catalog/nodes')).length === 1, { withinMs: 30_000 });
  });
});
