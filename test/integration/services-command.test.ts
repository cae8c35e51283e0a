import { symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type AgentProcess, startServer } from '../support/processes/lictor.ts';
import { LICTOR_BIN, runLictor } from '../support/processes/run-lictor.ts';
import { removeFolder, tempFolder } from '../support/processes/temp-folder.ts';

describe('lictor services, the program against an agent', () => {
  let agent: AgentProcess;
  let folder: string;
  beforeAll(async () => {
    folder = tempFolder('services');
    agent = await startServer();
  });
  afterAll(async () => {
    await agent.stop();
    removeFolder(folder);
  });
  const run = (args: string[], input?: string) => runLictor(args, { agent, cwd: folder, input });
  const services = () => agent.get<Record<string, { Service: string; Port: number }>>('/v1/agent/services');

  it('registers from files, flags and standard input, and removes them', async () => {
    writeFileSync(
      join(folder, 'web.hcl'),
      'service { name = "web" port = 80 check { name = "up" ttl = "1m" } check { tcp = "127.0.0.1:1" interval = "1m" } }',
    );
    writeFileSync(join(folder, 'db.json'), '{"services": [{"ID": "db-1", "Name": "db", "Port": 5432}]}');
    expect(await run(['services', 'register', 'web.hcl', 'db.json'])).toEqual({
      code: 0,
      stdout: 'Registered service: web\nRegistered service: db\n',
      stderr: '',
    });
    expect(Object.keys(await agent.get<object>('/v1/agent/checks')).sort()).toEqual(['service:web:1', 'service:web:2']);
    await run(['services', 'register', '-name=api', '-port=81', '-tag=v1']);
    expect(await run(['services', 'register', '-'], 'service { name = "stdin" }')).toMatchObject({ code: 0 });
    expect(Object.keys(await services()).sort()).toEqual(['api', 'db-1', 'stdin', 'web']);
    expect((await run(['services', 'deregister', '-id=api'])).stdout).toBe('Deregistered service: api\n');
    expect((await run(['services', 'deregister', 'web.hcl', 'db.json'])).stdout).toBe(
      'Deregistered service: web\nDeregistered service: db-1\n',
    );
    expect(Object.keys(await services())).toEqual(['stdin']);
    const gone = await run(['services', 'deregister', '-id=api']);
    expect(gone.code).toBe(1);
    expect(gone.stderr).toMatch(/^lictor services: Error deregistering service "api": .*404.*api.*\n$/);
  });

  it('exports a service, and lists what is exported', async () => {
    await run(['services', 'register', '-name=shop']);
    expect((await run(['services', 'export', '-name=shop', '-consumer-peers=east,west'])).stdout).toBe(
      'Successfully exported service "shop" to cluster peers "east,west"\n',
    );
    await run(['services', 'export', '-name=shop', '-consumer-peers=north']);
    expect((await run(['services', 'exported-services'])).stdout).toBe(
      'Service  Consumer Peers\nshop     east, north, west\n',
    );
  });

  it('is the same by a symlink named consul', async () => {
    const bin = join(folder, 'consul');
    symlinkSync(LICTOR_BIN, bin);
    const wrong = await runLictor(['services', 'register', '-nam=x'], { agent, bin });
    expect(wrong).toEqual({
      code: 1,
      stdout: '',
      stderr:
        "consul services register: unknown option '--nam=x'; did you mean --name? (see 'consul services register --help')\n",
    });
    expect(await runLictor(['services', 'register', '-name=x'], { agent, bin })).toMatchObject({ code: 0 });
    expect((await runLictor(['servics'], { bin })).stderr).toBe(
      'consul: there is no command "servics"; did you mean "services"? \'consul --help\' lists them\n',
    );
  });
});
