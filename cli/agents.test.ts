import { FakeApi } from '../test/support/command-run.ts';
import { forceLeaveCommand } from './force-leave.ts';
import { infoCommand } from './info.ts';
import { joinCommand } from './join.ts';
import { leaveCommand } from './leave.ts';
import { membersCommand } from './members.ts';
import { monitorCommand } from './monitor.ts';

const member = (Name: string, Status: number, Tags: Record<string, string>) => ({
  Name,
  Addr: Name === 'six' ? '2001:db8::6' : '10.0.0.1',
  Port: 8301,
  Status,
  Tags,
  ProtocolCur: 2,
});
const MEMBERS = [
  member('b', 1, { role: 'node', dc: 'dc1', build: '1.21.4:abc' }),
  member('a', 4, { role: 'node', dc: 'dc1', build: '1.21.4' }),
  member('six', 1, { role: 'consul', dc: 'dc1', build: '1.21.4', segment: '' }),
];

let api: FakeApi;
beforeAll(async () => {
  api = await FakeApi.start({
    'GET /v1/agent/members': { body: MEMBERS },
    'PUT /v1/agent/join/10.0.0.5%3A8301': {},
    'PUT /v1/agent/join/none': { status: 500, body: 'Failed to join none' },
    'PUT /v1/agent/leave': {},
    'PUT /v1/agent/force-leave/n3': {},
    'PUT /v1/agent/force-leave/none': { status: 500, body: "agent: No node found with name 'none'" },
    'GET /v1/agent/self': {
      body: { Stats: { runtime: { os: 'linux', arch: 'amd64' }, agent: { checks: '1' }, serf_lan: {} } },
    },
    'GET /v1/agent/monitor': { body: 'a line\n' },
  });
});
afterAll(() => api.stop());

describe('lictor members', () => {
  it("has Consul's columns, servers first", async () => {
    expect((await api.run(membersCommand, [])).stdout.split('\n').map((line) => line.split(/ {2,}/))).toEqual([
      ['Node', 'Address', 'Status', 'Type', 'Build', 'Protocol', 'DC', 'Partition', 'Segment'],
      ['six', '[2001:db8::6]:8301', 'alive', 'server', '1.21.4', '2', 'dc1', 'default', '<all>'],
      ['a', '10.0.0.1:8301', 'failed', 'client', '1.21.4', '2', 'dc1', 'default', '<default>'],
      ['b', '10.0.0.1:8301', 'alive', 'client', '1.21.4', '2', 'dc1', 'default', '<default>'],
      [''],
    ]);
    expect((await api.run(membersCommand, ['-detailed'])).stdout).toMatch(
      /^a .*failed {2}build=1\.21\.4,dc=dc1,role=node$/m,
    );
  });

  it('keeps those whose status matches, and ends with 2 without any', async () => {
    const { stdout } = await api.run(membersCommand, ['-status=^f', '-format=json']);
    expect((JSON.parse(stdout) as { Name: string }[]).map(({ Name }) => Name)).toEqual(['a']);
    expect((await api.run(membersCommand, ['-status=left'])).code).toBe(2);
    await expect(api.run(membersCommand, ['-status=('])).rejects.toThrow(/-status=\(: error parsing regexp/);
    await api.run(membersCommand, ['-wan', '-segment=_all', '-filter=Name == "a"']);
    expect(api.seen.at(-1)!.url).toBe('/v1/agent/members?wan=&segment=_all&filter=Name+%3D%3D+%22a%22');
  });
});

describe('lictor join, leave, force-leave and info', () => {
  it('joins what answers, and names what does not', async () => {
    expect(await api.run(joinCommand, ['-wan', 'none', '10.0.0.5:8301'])).toMatchObject({
      code: 0,
      stdout: 'Successfully joined cluster by contacting 1 nodes.\n',
      stderr: expect.stringMatching(/^Error joining address 'none': .*Failed to join none\n$/),
    });
    expect(api.seen.at(-1)!.url).toBe('/v1/agent/join/10.0.0.5%3A8301?wan=1');
    const failed = await api.run(joinCommand, ['none']);
    expect([failed.code, failed.stderr]).toEqual([1, expect.stringContaining('Failed to join any nodes.')]);
  });

  it('leaves', async () => {
    expect((await api.run(leaveCommand, [])).stdout).toBe('Graceful leave complete\n');
    expect((await api.run(forceLeaveCommand, ['-prune', 'n3'])).stdout).toBe('');
    expect(api.seen.at(-1)!.url).toBe('/v1/agent/force-leave/n3?prune=1');
    await expect(api.run(forceLeaveCommand, ['none'])).rejects.toThrow(/Error force leaving: .*No node found/);
  });

  it('shows figures by part', async () => {
    expect((await api.run(infoCommand, [])).stdout).toBe(
      'agent:\n\tchecks = 1\nruntime:\n\tarch = amd64\n\tos = linux\nserf_lan:\n',
    );
  });
});

describe('lictor monitor', () => {
  it('prints the log, and fails when the agent ends it', async () => {
    expect(await api.run(monitorCommand, ['-log-level=WARN', '-log-json'])).toMatchObject({
      code: 1,
      stdout: 'a line\n',
      stderr: expect.stringContaining('ended the log'),
    });
    expect(api.seen.at(-1)!.url).toBe('/v1/agent/monitor?loglevel=warn&logjson=');
  });

  it('names a wrong level', async () => {
    await expect(api.run(monitorCommand, ['-log-level=debgu'])).rejects.toThrow(/did you mean debug\?/);
    await expect(api.run(monitorCommand, ['-log-level=loud'])).rejects.toThrow(/use one of trace, debug, /);
  });
});
