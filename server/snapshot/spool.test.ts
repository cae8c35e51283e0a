import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Spool } from './spool.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lictor-spool-'));
  await mkdir(join(folder, 'restore-aB3dE6'));
  await writeFile(join(folder, 'restore-aB3dE6', 'archive'), 'left');
  await mkdir(join(folder, 'restore-points'));
  await writeFile(join(folder, 'restore-points', 'monday'), 'of somebody');
  await writeFile(join(folder, 'restore-aB3dE7'), 'a file of somebody');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const OTHERS = ['restore-aB3dE7', 'restore-points'];
const names = async () => (await readdir(folder)).sort();

describe('a spool', () => {
  it('removes what was left over, and nothing else', async () => {
    await new Spool({ folder, own: true }).sweep();
    expect(await names()).toEqual(OTHERS);
  });

  it('removes it before the next archive, and never one that is in use', async () => {
    const spool = new Spool({ folder, own: true });
    await spool.lend(async (first) => {
      expect(await names()).toHaveLength(OTHERS.length + 1);
      await writeFile(first, 'first');
      await spool.lend(async (second) => {
        expect(second).not.toBe(first);
        expect(await readFile(first, 'utf8')).toBe('first');
      });
      expect(await readFile(first, 'utf8')).toBe('first');
    });
    expect(await names()).toEqual(OTHERS);
  });

  it('leaves what lies in a folder that others use, too', async () => {
    const spool = new Spool({ folder, own: false });
    await spool.lend(async () => {});
    expect(await names()).toEqual(['restore-aB3dE6', ...OTHERS]);
  });
});
