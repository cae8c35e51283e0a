import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { removeFolder, tempFolder } from '../test/support/processes/temp-folder.ts';
import { withPidFile } from './pid-file.ts';

describe('withPidFile', () => {
  let folder: string;
  let path: string;
  beforeEach(() => {
    folder = tempFolder('pid');
    path = join(folder, 'agent.pid');
  });
  afterEach(() => removeFolder(folder));

  it('holds the id while the work goes on, over one that a crash has left', async () => {
    writeFileSync(path, '1');
    let during = '';
    await withPidFile(path, async () => {
      during = readFileSync(path, 'utf8');
    });
    expect([during, existsSync(path)]).toEqual([String(process.pid), false]);
  });

  it('goes after work that fails, too, but not when it is another process’s by then', async () => {
    await expect(withPidFile(path, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(existsSync(path)).toBe(false);
    await withPidFile(path, async () => writeFileSync(path, '1'));
    expect(readFileSync(path, 'utf8')).toBe('1');
  });

  it('is named when it cannot be written, and nothing begins', async () => {
    let begun = false;
    const work = async () => {
      begun = true;
    };
    await expect(withPidFile(join(folder, 'none', 'x'), work)).rejects.toThrow(/^pid_file: cannot write .*ENOENT/);
    expect(begun).toBe(false);
    await withPidFile('', work);
    expect(begun).toBe(true);
  });
});
