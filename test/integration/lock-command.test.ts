import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from '../support/eventually.ts';
import { type AgentProcess, startServer } from '../support/processes/lictor.ts';
import { LICTOR_BIN, runLictor } from '../support/processes/run-lictor.ts';
import { removeFolder, tempFolder } from '../support/processes/temp-folder.ts';

describe('lictor lock, the program against an agent', () => {
  let agent: AgentProcess;
  let folder: string;
  const started: ChildProcess[] = [];
  beforeAll(async () => {
    folder = tempFolder('lock');
    agent = await startServer();
  });
  afterAll(async () => {
    for (const child of started) child.kill('SIGKILL');
    await agent.stop();
    removeFolder(folder);
  });
  const lock = (...args: string[]) => runLictor(['lock', ...args], { agent });
  const keys = async (prefix: string) => (await runLictor(['kv', 'get', '-keys', prefix], { agent })).stdout;

  /** Starts it without reading its output, as a service manager does. */
  function start(...args: string[]): { child: ChildProcess; ended: Promise<number | null> } {
    const env = { ...process.env, CONSUL_HTTP_ADDR: agent.url };
    const child = spawn(LICTOR_BIN, ['lock', ...args], { env, stdio: 'ignore' });
    started.push(child);
    return { child, ended: new Promise((resolve) => child.once('exit', resolve)) };
  }
  /** The process id that the command has written into the file. */
  const pidIn = (file: string) =>
    eventually(() => Number(/^(\d+)\n/.exec(readFileSync(join(folder, file), 'utf8'))![1]), { withinMs: 20_000 });

  it('leaves no key behind that another kind of lock would stumble over', async () => {
    expect(await lock('-n=2', '-verbose', 'p', 'true')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('Cleanup succeeded\n'),
    });
    expect(await lock('-n=3', 'p', 'true')).toMatchObject({ code: 0, stderr: '' });
    expect(await lock('-verbose', 'p', 'true')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('Setting up lock at path: p/.lock\n'),
      stderr: '',
    });
    expect(await keys('p/')).toBe('');
  });

  it('leaves the key to others that use it', async () => {
    const other = start('-n=2', 'shared', `echo $$ > ${folder}/other; sleep 60`);
    await pidIn('other');
    expect((await lock('-n=2', '-verbose', 'shared', 'true')).stdout).toContain('Cleanup aborted, lock in use\n');
    expect(await keys('shared/')).toContain('shared/.lock\n');
    other.child.kill('SIGINT');
    expect(await other.ended).toBe(0);
    expect(await keys('shared/')).toBe('');
  });

  it('lets go when the command has ended, whatever it has left in the background', async () => {
    const { ended } = start('background', `sleep 60 & echo $! > ${folder}/left`);
    const left = await pidIn('left');
    expect(await Promise.race([ended, sleep(10_000)])).toBe(0);
    expect(isAlive(left)).toBe(true);
    process.kill(left);
    expect(await keys('background/')).toBe('');
  });

  it('does not let go before all that was told to end has ended', async () => {
    const line = `(trap '' TERM; sleep 60) & echo $! > ${folder}/deaf; wait`;
    const { child, ended } = start('deaf', line);
    const deaf = await pidIn('deaf');
    child.kill('SIGINT');
    const isFree = async () => (await fetch(`${agent.url}/v1/kv/deaf/?keys`)).status === 404;
    expect(await isFree()).toBe(false);
    await eventually(isFree, { withinMs: 50_000 });
    // It was killed before; were it still to be told, that would be seconds away.
    await eventually(() => !isAlive(deaf), { withinMs: 2_000 });
    await ended;
  });

  it('ends the command when the terminal hangs up', async () => {
    const { child, ended } = start('-child-exit-code', 'hangup', `echo $$ > ${folder}/hangup; sleep 60; true`);
    const pid = await pidIn('hangup');
    child.kill('SIGHUP');
    expect(await ended).toBe(2);
    expect(isAlive(pid)).toBe(false);
    expect(await keys('hangup/')).toBe('');
  });

  it('ends soon when its server has fallen silent, and says what remains', async () => {
    const env = { ...process.env, CONSUL_HTTP_ADDR: agent.url };
    const child = spawn(LICTOR_BIN, ['lock', 'silent', `echo $$ > ${folder}/silent; sleep 60`], { env, stdio: 'pipe' });
    started.push(child);
    let said = '';
    child.stderr.on('data', (text) => {
      said += text;
    });
    const ended = new Promise((resolve) => child.once('exit', resolve));
    await pidIn('silent');
    agent.pause();
    try {
      child.kill('SIGINT');
      expect(await Promise.race([ended, sleep(25_000)])).toBe(0);
      expect(said).toMatch(
        /^Lock release failed: .* gave no answer in time; the session \S+ ends by its TTL within 30 s/,
      );
    } finally {
      agent.resume();
    }
  });

  it('takes the command with it when it is interrupted twice', async () => {
    const told = `trap 'echo 1 > ${folder}/told' TERM`;
    const { child, ended } = start(
      'twice',
      `${told}; echo $$ > ${folder}/twice; for i in $(seq 300); do sleep 0.2; done`,
    );
    const pid = await pidIn('twice');
    child.kill('SIGINT');
    // Two signals at once would count as one.
    await eventually(() => existsSync(join(folder, 'told')), { withinMs: 20_000 });
    child.kill('SIGINT');
    expect(await ended).toBe(130);
    await eventually(() => !isAlive(pid), { withinMs: 10_000 });
  });
});

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref());
}

/** A process that has ended but was not waited for by whoever has to counts as ended. */
function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
