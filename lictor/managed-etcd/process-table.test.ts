import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { removeFolder, tempFolder } from '../../test/support/processes/temp-folder.ts';
import { describeReal, findProgram } from '../../test/support/require-real.ts';
import { findEtcdOf, isEtcdOf } from './process-table.ts';

/** May not see where processes of root were started. */
const NOBODY = 65_534;
const unshare = process.getuid?.() === 0 ? findProgram('unshare') : undefined;

describe('the etcd of a data folder', () => {
  let folder: string;
  let data: string;
  const started: ChildProcess[] = [];
  beforeEach(() => {
    folder = tempFolder('table');
    data = join(folder, 'data');
  });
  afterEach(async () => {
    for (const child of started.splice(0)) {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGKILL');
      await ended;
    }
    removeFolder(folder);
  });

  /** Something that runs with these arguments, and says when it does. */
  async function run(args: readonly string[], inside: readonly string[] = [], cwd = '/'): Promise<number> {
    const [file = '', ...line] = [...inside, 'sh', '-c', 'echo here; read -r _', 'etcd', ...args];
    const child = spawn(file, line, { cwd, stdio: ['pipe', 'pipe', 'inherit'] });
    started.push(child);
    await new Promise((resolve) => child.stdout.once('data', resolve));
    return child.pid!;
  }
  const etcdArgs = () => ['--data-dir', data, '--listen-peer-urls', 'http://127.0.0.1:1'];

  it('is known by its arguments, before and after it has made the folder', async () => {
    expect(findEtcdOf(data)).toBeUndefined();
    const pid = await run(etcdArgs());
    expect([findEtcdOf(data), isEtcdOf(pid, data)]).toEqual([pid, true]);
    mkdirSync(data);
    expect([findEtcdOf(data), findEtcdOf(folder)]).toEqual([pid, undefined]);
  });

  it('is not what else is told of the folder', async () => {
    mkdirSync(data);
    for (const args of [
      [data],
      ['--data-dir', data],
      ['--wal-dir', data, '--data-dir', folder, '--listen-peer-urls', 'x'],
    ]) {
      expect(isEtcdOf(await run(args), data)).toBe(false);
    }
    expect(findEtcdOf(data)).toBeUndefined();
  });

  it('is that of the folder it was started in where its path is not absolute', async () => {
    const args = ['--data-dir', 'data', '--listen-peer-urls', 'x'];
    const [one, two] = [join(folder, 'one'), join(folder, 'two')];
    for (const each of [one, two]) mkdirSync(join(each, 'data'), { recursive: true });
    const pid = await run(args, [], one);
    expect([findEtcdOf(join(one, 'data')), findEtcdOf(join(two, 'data'))]).toEqual([pid, undefined]);
  });

  describeReal('another user', process.getuid?.() === 0, 'as root', 'of another user', () => {
    it('is none of this folder where it cannot be seen from where its path leads', async () => {
      const pid = await run(['--data-dir', './one/data', '--listen-peer-urls', 'x'], [], folder);
      const asked = [join(folder, 'one', 'data'), join(folder, 'two', 'one', 'data')];
      expect(asked.map((path) => isEtcdOf(pid, path))).toEqual([true, false]);
      process.seteuid!(NOBODY);
      try {
        expect(asked.map((path) => isEtcdOf(pid, path))).toEqual([false, false]);
        expect(asked.map(findEtcdOf)).toEqual([undefined, undefined]);
      } finally {
        process.seteuid!(0);
      }
    });
  });

  describeReal('unshare', unshare !== undefined, 'as root, with util-linux', 'in another container', () => {
    it('is another one', async () => {
      mkdirSync(data);
      const mount = `mount -t tmpfs none ${folder} && mkdir ${data} && exec "$0" "$@"`;
      const pid = await run(etcdArgs(), [unshare!, '-m', 'sh', '-c', mount]);
      expect([isEtcdOf(pid, data), findEtcdOf(data)]).toEqual([true, undefined]);
    });
  });
});
