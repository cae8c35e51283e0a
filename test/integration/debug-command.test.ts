import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from '../support/eventually.ts';
import { type AgentProcess, startServer } from '../support/processes/lictor.ts';
import { runLictor } from '../support/processes/run-lictor.ts';
import { removeFolder, tempFolder } from '../support/processes/temp-folder.ts';

describe('lictor debug, the program against an agent', () => {
  let agent: AgentProcess;
  let folder: string;
  beforeAll(async () => {
    folder = tempFolder('debug');
    agent = await startServer();
  });
  afterAll(async () => {
    await agent.stop();
    removeFolder(folder);
  });
  const run = (args: string[]) => runLictor(['debug', ...args], { agent, cwd: folder });
  const file = (name: string) => execFileSync('tar', ['-xzOf', join(folder, 'out.tar.gz'), `out/${name}`]).toString();

  it('makes one archive of everything', async () => {
    let over = false;
    const captured = run(['-output=out', '-duration=4s', '-interval=1s']).finally(() => {
      over = true;
    });
    // Something to be logged while it listens.
    const reloading = eventually(() => runLictor(['reload'], { agent }).then(() => over), { withinMs: 50_000 });
    expect(await captured).toMatchObject({ code: 0, stdout: 'Saved debug archive: out.tar.gz\n' });
    await reloading;
    expect(existsSync(join(folder, 'out'))).toBe(false);
    const names = execFileSync('tar', ['-tzf', join(folder, 'out.tar.gz')])
      .toString()
      .trim()
      .split('\n');
    expect(names).toEqual(
      expect.arrayContaining(['out/agent.json', 'out/host.json', 'out/index.json', 'out/members.json']),
    );
    expect(JSON.parse(file('agent.json'))).toMatchObject({ Config: { NodeName: 'server-1' } });
    expect(file('consul.log')).toContain('the configuration is reloaded');
    expect(JSON.parse(file('metrics.json').split('\n')[0]!)).toHaveProperty('Gauges');
  });

  it('keeps what there is when it is interrupted', async () => {
    let ended = false;
    const { code, stdout } = await runLictor(
      ['debug', '-output=early', '-archive=false', '-duration=1h', '-capture=metrics'],
      {
        agent,
        cwd: folder,
        onStderr: (stderr, end) => {
          if (ended || !stderr.includes('Beginning capture')) return;
          ended = true;
          end();
        },
      },
    );
    expect([code, stdout]).toEqual([0, 'Saved debug folder: early\n']);
    expect(existsSync(join(folder, 'early/index.json'))).toBe(true);
  });
});
