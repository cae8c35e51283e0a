import { FakeApi, runForTest } from '../test/support/command-run.ts';
import { execCommand } from './exec.ts';
import { keygenCommand } from './keygen.ts';
import { keyringCommand } from './keyring.ts';
import { operatorToolsCommand } from './operator.ts';
import { reloadCommand } from './reload.ts';

const CONFIG = {
  CleanupDeadServers: true,
  LastContactThreshold: '200ms',
  MaxTrailingLogs: 250,
  MinQuorum: 0,
  ServerStabilizationTime: '10s',
  RedundancyZoneTag: '',
  DisableUpgradeMigration: false,
  UpgradeVersionTag: '',
  ModifyIndex: 4,
};
const server = (Node: string, Leader: boolean, LastIndex: number) => ({
  ID: `id-${Node}`,
  Node,
  Address: '10.0.0.1:8300',
  Leader,
  ProtocolVersion: '3',
  Voter: true,
  LastIndex,
});

let api: FakeApi;
beforeAll(async () => {
  api = await FakeApi.start({
    'GET /v1/operator/raft/configuration': {
      body: { Servers: [server('a', true, 9), server('b', false, 7)], Index: 1 },
    },
    'GET /v1/operator/keyring': () => ({
      body: [
        { WAN: true, Datacenter: 'dc1', Keys: { [KEY]: 1 }, PrimaryKeys: { [KEY]: 1 }, NumNodes: 1 },
        {
          WAN: false,
          Datacenter: 'dc1',
          Messages: { n3: 'no answer' },
          Keys: { [OTHER]: 2, [KEY]: 3 },
          PrimaryKeys: { [KEY]: 3 },
          NumNodes: 3,
        },
      ],
    }),
    'POST /v1/operator/keyring': {},
    'PUT /v1/operator/keyring': {},
    'DELETE /v1/operator/keyring': {},
    'DELETE /v1/operator/raft/peer': ({ url }) => (url.includes('none') ? { status: 500, body: 'no such peer' } : {}),
    'POST /v1/operator/raft/transfer-leader': ({ url }) => ({ body: { Success: !url.includes('id=b') } }),
    'GET /v1/operator/autopilot/configuration': { body: CONFIG },
    'PUT /v1/operator/autopilot/configuration': ({ body }) => ({ body: !body.includes('"MinQuorum":9') }),
    'GET /v1/operator/autopilot/state': {
      status: 429,
      body: {
        Healthy: false,
        FailureTolerance: 0,
        Leader: 'id-a',
        Voters: ['id-a'],
        Servers: { 'id-a': { Name: 'a', Healthy: true } },
      },
    },
    'GET /v1/operator/usage': {
      body: {
        Usage: {
          dc1: {
            Services: 2,
            ServiceInstances: 4,
            BillableServiceInstances: 3,
            ConnectServiceInstances: { 'connect-proxy': 1 },
          },
        },
      },
    },
    'PUT /v1/agent/reload': { status: 500, body: 'a.hcl: line 1, column 5: expected a value' },
  });
});
afterAll(() => api.stop());
const run = (...argv: string[]) => api.run(operatorToolsCommand, argv);

describe('lictor operator', () => {
  it('raft list-peers has the columns of Consul', async () => {
    expect((await run('raft', 'list-peers')).stdout).toBe(
      `Node  ID    Address        State     Voter  RaftProtocol  Commit Index  Trails Leader By
a     id-a  10.0.0.1:8300  leader    true   3             9             -
b     id-b  10.0.0.1:8300  follower  true   3             7             2 commits
`,
    );
    expect(JSON.parse((await run('raft', 'list-peers', '-format=json')).stdout)).toMatchObject({ Index: 1 });
  });

  it('raft remove-peer and transfer-leader', async () => {
    expect((await run('raft', 'remove-peer', '-id', 'x')).stdout).toBe('Removed peer with id "x"\n');
    expect(api.seen.at(-1)).toMatchObject({ method: 'DELETE', url: '/v1/operator/raft/peer?id=x' });
    expect((await run('raft', 'remove-peer', '-address=a:1')).stdout).toBe('Removed peer with address "a:1"\n');
    await expect(run('raft', 'remove-peer')).rejects.toThrow('give either -id or -address');
    await expect(run('raft', 'remove-peer', '-id=none')).rejects.toThrow('no such peer');
    expect((await run('raft', 'transfer-leader')).stdout).toBe('Success\n');
    await expect(run('raft', 'transfer-leader', '-id=b')).rejects.toThrow('not transferred');
  });

  it('autopilot reads and changes settings by compare-and-set', async () => {
    expect((await run('autopilot', 'get-config')).stdout).toMatch(
      /^CleanupDeadServers = true\nLastContactThreshold = 200ms\n/,
    );
    const set = await run('autopilot', 'set-config', '-cleanup-dead-servers=false', '-min-quorum', '3');
    expect(set.stdout).toBe('Configuration updated!\n');
    expect(api.seen.at(-1)!.url).toBe('/v1/operator/autopilot/configuration?cas=4');
    expect(JSON.parse(api.seen.at(-1)!.body)).toMatchObject({
      CleanupDeadServers: false,
      MinQuorum: 3,
      MaxTrailingLogs: 250,
    });
    await expect(run('autopilot', 'set-config', '-min-quorum=9')).rejects.toThrow('could not be atomically updated');
    await expect(run('autopilot', 'set-config')).rejects.toThrow('give at least one setting');
    await expect(run('autopilot', 'set-config', '-min-quorum=x')).rejects.toThrow(/min-quorum.*whole number/s);
    await expect(run('autopilot', 'set-config', '-last-contact-threshold=x')).rejects.toThrow(/duration/);
  });

  it('autopilot state shows an unhealthy cluster too', async () => {
    expect((await run('autopilot', 'state')).stdout).toMatch(/^Healthy: +false\n[\s\S]*id-a\n +Name: +a\n/);
  });

  it('usage instances', async () => {
    const { stdout } = await run('usage', 'instances');
    expect(stdout).toContain('Billable Service Instances Total: 3\ndc1 Billable Service Instances: 3\n');
    expect(stdout).toMatch(/dc1 +connect-proxy +1/);
    expect((await run('usage', 'instances', '-only-connect')).stdout).not.toContain('Billable');
    await expect(run('usage', 'instances', '-only-connect', '-only-billable')).rejects.toThrow('Cannot specify both');
  });
});

const KEY = Buffer.alloc(32, 7).toString('base64');
const OTHER = Buffer.alloc(16, 9).toString('base64');

describe('keyring', () => {
  const keyring = (...args: string[]) => api.run(keyringCommand, args);

  it('lists the keys of each pool with how many agents have them, or those in use', async () => {
    expect((await keyring('-list', '-relay-factor', '2')).stdout).toBe(
      `==> Gathering installed encryption keys...\n\nWAN:\n  ${KEY} [1/1]\n\ndc1 (LAN):\n` +
        `  ===> n3: no answer\n  ${KEY} [3/3]\n  ${OTHER} [2/3]\n`,
    );
    expect(api.seen.at(-1)?.url).toBe('/v1/operator/keyring?relay-factor=2');
    const primary = await keyring('-list-primary', '-local-only');
    expect(primary.stdout).toContain(`dc1 (LAN):\n  ===> n3: no answer\n  ${KEY} [3/3]\n`);
    expect(primary.stdout).not.toContain(OTHER);
    expect(api.seen.at(-1)?.url).toBe('/v1/operator/keyring?local-only=true');
  });

  it.each([
    ['-install', 'POST', '==> Installing new gossip encryption key...\n'],
    ['-use', 'PUT', '==> Changing primary gossip encryption key...\n'],
    ['-remove', 'DELETE', '==> Removing gossip encryption key...\n'],
  ])('%s changes them', async (flag, method, text) => {
    expect((await keyring(flag, KEY)).stdout).toBe(text);
    expect(api.seen.at(-1)).toMatchObject({ method, body: JSON.stringify({ Key: KEY }) });
  });

  it.each([
    [[], /exactly one of -install/],
    [['-list', '-use', KEY], /exactly one of -install/],
    [['-list', '-relay-factor', '6'], /-relay-factor 6: give a number from 0 to 5/],
    [['-use', KEY, '-local-only'], /-local-only is for -list/],
    [['-install', 'c2hvcnQ='], /^-install: a key is 16, 24 or 32 bytes in base64; lictor keygen makes one$/],
  ])('%j is refused before anybody is asked', async (args, text) => {
    const calls = api.seen.length;
    await expect(keyring(...args)).rejects.toThrow(text);
    expect(api.seen.length).toBe(calls);
  });
});

describe('small commands', () => {
  it('keygen gives 32 bytes', async () => {
    const { stdout } = await runForTest(keygenCommand, []);
    expect(Buffer.from(stdout.trim(), 'base64')).toHaveLength(32);
  });

  it('exec is refused with what to do instead, whatever its flags', async () => {
    await expect(runForTest(execCommand, ['uptime', '-p'])).rejects.toThrow(/kubectl exec/);
  });

  it('reload shows what is wrong with the files', async () => {
    await expect(api.run(reloadCommand, [])).rejects.toThrow(/a.hcl: line 1, column 5/);
  });
});
