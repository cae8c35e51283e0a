import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from '../support/eventually.ts';
import { type AgentProcess, startClientAgent, startServer } from '../support/processes/lictor.ts';
import { runLictor } from '../support/processes/run-lictor.ts';
import { removeFolder, tempFolder } from '../support/processes/temp-folder.ts';

describe('the program against an agent in client mode', () => {
  let server: AgentProcess;
  let client: AgentProcess;
  let folder: string;
  beforeAll(async () => {
    folder = tempFolder('client-commands');
    server = await startServer();
    client = await startClientAgent(server, { node: 'client-1' });
  });
  afterAll(async () => {
    await client.stop();
    await server.stop();
    removeFolder(folder);
  });
  async function out(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await runLictor(args, { agent: client, cwd: folder });
    expect([args, code, stderr]).toEqual([args, 0, '']);
    return stdout;
  }

  it('writes configuration and intentions, and reads them back', async () => {
    writeFileSync(join(folder, 'web.hcl'), 'kind = "service-defaults"\nname = "web"\nprotocol = "http"');
    await out('config', 'write', 'web.hcl');
    await eventually(async () => expect(await out('config', 'list', '-kind=service-defaults')).toBe('web\n'), {
      withinMs: 10_000,
    });
    await out('intention', 'create', '-deny', 'web', 'db');
    await eventually(async () => expect(await out('intention', 'match', 'db')).toBe('web => db (deny)\n'), {
      withinMs: 10_000,
    });
    expect((await runLictor(['intention', 'check', 'web', 'db'], { agent: client })).code).toBe(2);
    await out('config', 'delete', '-kind=service-defaults', '-name=web');
    await out('services', 'export', '-name=web', '-consumer-peers=east');
    await out('namespace', 'create', '-name=shop');
    expect(await out('namespace', 'list')).toContain('shop:');
  });

  it('registers a service of its own, and follows it from there', async () => {
    await out('services', 'register', '-name=web', '-port=80');
    expect(await out('catalog', 'nodes', '-service=web')).toMatch(/^client-1 /m);
    const { stdout } = await runLictor(['watch', '-service=web', '-service=db'], {
      agent: client,
      onOutput: (_, end) => end(),
    });
    expect(stdout).toMatch(/^\+ web +web +client-1 +127\.0\.0\.1:80 +passing\n$/);
    expect(await out('members')).toMatch(/^client-1 .* client /m);
    expect(await out('info')).toContain('\tserver = false\n');
    const flags = ['-no-archive', '-capture=agent', '-capture=metrics', '-duration=1s', '-interval=1s'];
    const captured = await runLictor(['debug', '-output=c', ...flags], { agent: client, cwd: folder });
    expect(captured).toMatchObject({ code: 0, stdout: 'Saved debug folder: c\n' });
  });

  it('names an agent that does not answer in time, and one that is not there', async () => {
    server.pause();
    try {
      const late = runLictor(['config', 'list', '-kind=mesh'], { agent: client });
      expect((await late).stderr).toMatch(
        /^lictor config: http:\/\/127\.0\.0\.1:\d+ (gave no answer in time|answered 5\d\d)/,
      );
    } finally {
      server.resume();
    }
    const gone = await runLictor(['info', '-http-addr=127.0.0.1:1']);
    expect([gone.code, gone.stderr]).toEqual([1, expect.stringContaining('Set -http-addr or CONSUL_HTTP_ADDR')]);
  });
});
