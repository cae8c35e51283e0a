import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type AgentProcess, startServer } from '../support/processes/lictor.ts';
import { runLictor } from '../support/processes/run-lictor.ts';
import { removeFolder, tempFolder } from '../support/processes/temp-folder.ts';

describe('lictor config, the program against an agent', () => {
  let agent: AgentProcess;
  let folder: string;
  beforeAll(async () => {
    folder = tempFolder('config');
    agent = await startServer();
  });
  afterAll(async () => {
    await agent.stop();
    removeFolder(folder);
  });
  const run = (...args: string[]) => runLictor(['config', ...args], { agent, cwd: folder });
  const file = (name: string, text: string) => writeFileSync(join(folder, name), text);
  const ok = (stdout: string) => ({ code: 0, stdout, stderr: '' });

  it('writes blocks of HCL, reads, lists and deletes entries', async () => {
    file('web.hcl', 'kind = "service-defaults"\nname = "web"\nprotocol = "http"');
    file(
      'splits.hcl',
      'Kind = "service-splitter"\nName = "web"\nSplits { Weight = 90 }\nSplits { Weight = 10 Service = "new" }',
    );
    file('new.json', '{"Kind": "service-defaults", "Name": "new", "Protocol": "http"}');
    expect(await run('write', 'web.hcl', 'new.json', 'splits.hcl')).toEqual(
      ok(
        'Config entry written: service-defaults/web\nConfig entry written: service-defaults/new\nConfig entry written: service-splitter/web\n',
      ),
    );
    expect(JSON.parse((await run('read', '-kind', 'service-splitter', '-name', 'web')).stdout)).toMatchObject({
      Kind: 'service-splitter',
      Splits: [{ Weight: 90 }, { Weight: 10, Service: 'new' }],
    });
    expect(await run('list', '-kind=service-defaults')).toEqual(ok('new\nweb\n'));
    const refused = await run('delete', '-kind=service-defaults', '-name=web');
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(
      /^lictor config: Error deleting config entry service-defaults\/web: .*inconsistent protocols/,
    );
    expect(await run('delete', '-filename', 'splits.hcl')).toEqual(ok('Config entry deleted: service-splitter/web\n'));
    expect(await run('list', '-kind=service-splitter')).toEqual(ok(''));
  });

  it('writes maps of repeated blocks and free-form values', async () => {
    file(
      'map.hcl',
      `Kind = "service-resolver"
      Name = "map"
      Subsets "v1" { Filter = "Service.Meta.version == 1" }
      Subsets "v2" { OnlyPassing = true }
      Failover { "*" { Targets { Service = "other" } } }`,
    );
    file('proxy.hcl', 'kind = "proxy-defaults"\nname = "global"\nconfig { a_b = "c" nested { list = [1, 2] } }');
    expect((await run('write', 'map.hcl', 'proxy.hcl')).stderr).toBe('');
    expect(await agent.get('/v1/config/service-resolver/map')).toMatchObject({
      Subsets: { v1: { Filter: 'Service.Meta.version == 1' }, v2: { OnlyPassing: true } },
      Failover: { '*': { Targets: [{ Service: 'other' }] } },
    });
    expect(await agent.get('/v1/config/proxy-defaults/global')).toMatchObject({
      Config: { a_b: 'c', nested: { list: [1, 2] } },
    });
  });

  it('writes and deletes by check-and-set', async () => {
    file('db.hcl', 'kind = "service-defaults"\nname = "db"');
    expect((await run('write', '-cas', 'db.hcl')).code).toBe(0);
    expect(await run('write', '-cas', 'db.hcl')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('Config entry not updated: service-defaults/db'),
    });
    const { ModifyIndex } = await agent.get<{ ModifyIndex: number }>('/v1/config/service-defaults/db');
    const remove = (index: number) =>
      run('delete', '-kind=service-defaults', '-name=db', '-cas', `-modify-index=${index}`);
    expect((await remove(ModifyIndex + 1)).code).toBe(1);
    expect(await remove(ModifyIndex)).toEqual(ok('Config entry deleted: service-defaults/db\n'));
    expect(await run('read', '-kind=service-defaults', '-name=db')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('Config entry not found for "service-defaults" / "db"'),
    });
  });
});
