import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type AgentProcess, startServer } from '../support/processes/lictor.ts';
import { runLictor } from '../support/processes/run-lictor.ts';
import { removeFolder, tempFolder } from '../support/processes/temp-folder.ts';

describe('the program against an agent', () => {
  let agent: AgentProcess;
  let folder: string;
  beforeAll(async () => {
    folder = tempFolder('commands');
    agent = await startServer();
  });
  afterAll(async () => {
    await agent.stop();
    removeFolder(folder);
  });
  const run = (args: string[], input?: string) => runLictor(args, { agent, cwd: folder, input });
  /** What a command prints that succeeds without a word on standard error. */
  async function out(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await run(args);
    expect([args, code, stderr]).toEqual([args, 0, '']);
    return stdout;
  }
  const parsed = async <T>(...args: string[]) => JSON.parse(await out(...args, '-format=json')) as T;

  it('kv, session and lock', async () => {
    expect(await out('kv', 'put', 'app/color', 'blue')).toBe('Success! Data written to: app/color\n');
    expect(await out('kv', 'get', 'app/color')).toBe('blue\n');
    const session = (await out('session', 'create', '-name=s', '-ttl=60s')).trim();
    expect(await out('session', 'list')).toContain(session);
    expect(await out('kv', 'put', '-acquire', `-session=${session}`, 'app/lead', 'me')).toMatch(
      /^Success! Lock acquired/,
    );
    expect(await out('session', 'destroy', session)).toBe(`Success! Destroyed session: ${session}\n`);
    expect(await run(['lock', 'app/lock', 'echo', '-n', 'held'])).toMatchObject({ code: 0, stdout: 'held' });
    expect(await run(['lock', '-shell=false', 'app/lock', 'echo', '-n', '$HOME'])).toMatchObject({ stdout: '$HOME' });
    const exported = await out('kv', 'export', 'app/color');
    await out('kv', 'delete', '-recurse', 'app/');
    expect((await run(['kv', 'import', '-'], exported)).stdout).toBe('Imported: app/color\n');
  });

  it('services of the agent, seen from the catalog', async () => {
    await out('services', 'register', '-name=web', '-id=web-1', '-port=80');
    expect(await out('catalog', 'services')).toBe('consul\nweb\n');
    expect(await out('catalog', 'datacenters')).toBe('dc1\n');
    expect(await out('resolve', 'web')).toMatch(/^web-1 +server-1 +127\.0\.0\.1:80 +passing$/m);
    expect(await out('explain', 'web')).toContain('web-1');
    expect(await out('maint', '-enable', '-service=web-1', '-reason=disk')).toBe(
      'Service maintenance is now enabled for "web-1"\n',
    );
    expect(await out('maint')).toBe('Service:\n  ID:     web-1\n  Reason: disk\n\n');
    expect(await out('resolve', 'web')).toMatch(/ critical +Service Maintenance Mode: disk/);
    await out('maint', '-disable', '-service=web-1');
    expect(await parsed<object[]>('watch', '-type=service', '-service=web')).toHaveLength(1);
  });

  it('event, rtt, reload, info and exec', async () => {
    expect(await out('event', '-name=deploy', 'v2')).toMatch(/^Event ID: [0-9a-f-]{36}\n$/);
    expect(await out('rtt', 'server-1', 'server-1')).toMatch(/^Estimated server-1 <-> server-1 rtt: /);
    expect(await out('reload')).toBe('Configuration reload triggered\n');
    expect(await parsed<{ consul: { server: string } }>('info')).toMatchObject({ consul: { server: 'true' } });
    expect((await run(['exec', 'uptime'])).code).toBe(1);
  });

  it('operator raft, autopilot and usage', async () => {
    expect(await out('operator', 'raft', 'list-peers')).toMatch(/^server-1 .* leader /m);
    expect((await run(['operator', 'raft', 'transfer-leader'])).code).toBe(1);
    expect((await run(['operator', 'raft', 'remove-peer', '-id=none'])).stderr).toContain('none');
    expect(await out('operator', 'autopilot', 'set-config', '-min-quorum=3')).toBe('Configuration updated!\n');
    expect(await out('operator', 'autopilot', 'get-config')).toContain('MinQuorum = 3\n');
    expect(await out('operator', 'autopilot', 'state')).toMatch(/^Healthy: +true\n/);
    expect(await out('operator', 'usage', 'instances')).toMatch(/^dc1 +\d+ +\d+ *$/m);
  });

  it('connect ca and connect expose', async () => {
    const file = join(folder, 'ca.json');
    writeFileSync(file, await out('connect', 'ca', 'get-config'));
    expect(await out('connect', 'ca', 'set-config', '-config-file', file)).toBe('Configuration updated!\n');
    const expose = ['connect', 'expose', '-service=web', '-ingress-gateway=ingress', '-port=8080'];
    expect(await out(...expose)).toBe(
      'Successfully updated config entry for ingress service "ingress"\nSuccessfully set up intention for "ingress" -> "web"\n',
    );
    expect(await out(...expose)).toContain('Intention already exists for "ingress" -> "web"\n');
    expect(await out('intention', 'check', 'ingress', 'web')).toBe('Allowed\n');
    expect(await parsed('config', 'read', '-kind=ingress-gateway', '-name=ingress')).toMatchObject({
      Listeners: [{ Port: 8080, Protocol: 'tcp', Services: [{ Name: 'web' }] }],
    });
    expect((await run([...expose, '-protocol=http'])).stderr).toMatch(/port 8080 speaks tcp, not http/);
    await out('intention', 'create', '-replace', '-deny', 'ingress', 'web');
    expect((await run(expose)).stderr).toMatch(/there is the intention ingress => web \(deny\); 'lictor intention/);
  });

  it('namespace', async () => {
    expect(await out('namespace', 'create', '-name=shop', '-description=the shop', '-meta=owner=ann')).toBe(
      'Name: shop\nDescription:\n   the shop\nMeta:\n   owner => ann\n',
    );
    expect(await out('namespace', 'update', '-name=shop', '-meta=room=1')).toBe(
      'Name: shop\nDescription:\n   the shop\nMeta:\n   owner => ann\n   room => 1\n',
    );
    expect(await out('namespace', 'update', '-name=shop', '-no-merge', '-description=new')).toBe(
      'Name: shop\nDescription:\n   new\n',
    );
    writeFileSync(join(folder, 'shop.hcl'), 'Name = "shop"\nDescription = "from a file"\nMeta { a = "b" }');
    expect(await out('namespace', 'write', 'shop.hcl')).toContain('a => b');
    expect(await out('namespace', 'list')).toMatch(/^default:\n(?:.*\n)*shop:\n {3}Description:\n {6}from a file\n/);
    await out('services', 'register', '-name=cart', '-namespace=shop');
    expect((await run(['namespace', 'delete', 'shop'])).stderr).toContain('is not empty: remove its services first');
    await out('services', 'deregister', '-id=cart', '-namespace=shop');
    expect(await out('namespace', 'delete', 'shop')).toBe('Namespace "shop" deleted!\n');
    expect((await run(['namespace', 'read', 'shop'])).stderr).toContain('there is no namespace "shop"');
  });

  it('snapshot save, inspect and restore', async () => {
    await out('kv', 'put', 'kept', 'before');
    expect(await out('snapshot', 'save', 'a.snap')).toMatch(/^Saved and verified snapshot to index \d+\n$/);
    expect(await parsed('snapshot', 'save', '-append-filename=dc,node,status', 'b.snap')).toMatchObject({
      File: 'b-dc1-server-1-leader.snap',
    });
    expect(existsSync(join(folder, 'b-dc1-server-1-leader.snap'))).toBe(true);
    await out('kv', 'put', 'kept', 'after');
    expect(await out('snapshot', 'inspect', '-kvdetails', 'a.snap')).toMatch(
      / Key Name +Count +Size\n(?:.*\n)* kept +1 /,
    );
    expect(await out('snapshot', 'restore', 'a.snap')).toBe('Restored snapshot\n');
    expect(await out('kv', 'get', 'kept')).toBe('before\n');
  });

  it('what needs no agent', async () => {
    expect(Buffer.from(await out('keygen'), 'base64')).toHaveLength(32);
    await out('tls', 'ca', 'create');
    expect(existsSync(join(folder, 'consul-agent-ca.pem'))).toBe(true);
    writeFileSync(join(folder, 'agent.hcl'), 'data_dir = "data"');
    expect(await out('validate', 'agent.hcl')).toBe('Configuration is valid!\n');
    const long = `name = "${'n'.repeat(1025)}"`;
    for (const block of [`service { ${long} }`, `check {\n  ${long}\n  ttl = "10s"\n}`]) {
      writeFileSync(join(folder, 'long.hcl'), `data_dir = "data"\n${block}`);
      expect((await run(['validate', 'long.hcl'])).stderr).toContain('Invalid Name: it has 1025 bytes');
    }
    mkdirSync(join(folder, 'manifests'));
    expect((await run(['lint', 'manifests'])).stderr).toContain('no .yaml or .yml file');
    expect(await parsed<{ Version: string }>('version')).toMatchObject({
      Version: expect.stringMatching(/^\d+\.\d+\.\d+$/),
    });
    expect(await out('completion', 'bash')).toContain('_lictor_complete');
  });

  it('says what to do about a wrong command, sub-command or flag', async () => {
    const wrong = async (...args: string[]) => (await run(args)).stderr;
    expect(await wrong('catlog')).toBe(
      'lictor: there is no command "catlog"; did you mean "catalog"? \'lictor --help\' lists them\n',
    );
    expect(await wrong('kv', 'gett', 'a')).toBe(
      "lictor kv: unknown command 'gett'; did you mean get? (see 'lictor kv --help')\n",
    );
    expect(await wrong('operator', 'raft', 'list-peer')).toContain(
      "did you mean list-peers? (see 'lictor operator raft --help')",
    );
    expect(await wrong('kv', 'get', '-recurs', 'a')).toBe(
      "lictor kv get: unknown option '--recurs'; did you mean --recurse? (see 'lictor kv get --help')\n",
    );
  });
});
