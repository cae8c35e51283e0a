import { chmod, chown, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger } from '../../core/log.ts';
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

/** Root may remove everything. */
const NOBODY = 65_534;
const OTHERS = ['restore-aB3dE7', 'restore-points'];
const names = async () => (await readdir(folder)).sort();

describe('a spool', () => {
  it('removes what was left over, and nothing else', async () => {
    await new Spool({ log: silentLogger }, { folder, own: true }).sweep();
    expect(await names()).toEqual(OTHERS);
  });

  it('removes it before the next archive, and never one that is in use', async () => {
    const spool = new Spool({ log: silentLogger }, { folder, own: true });
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
    const spool = new Spool({ log: silentLogger }, { folder, own: false });
    await spool.lend(async () => {});
    expect(await names()).toEqual(['restore-aB3dE6', ...OTHERS]);
  });

  it('sweeps for one after the other, though restores come while the start does', async () => {
    const said: string[] = [];
    const spool = new Spool({ log: { ...silentLogger, warn: (text) => said.push(text) } }, { folder, own: true });
    for (let round = 0; round < 100; round++) {
      for (const name of ['restore-aaaaaa', 'restore-bbbbbb', 'restore-cccccc']) {
        await mkdir(join(folder, name));
        await writeFile(join(folder, name, 'archive'), Buffer.alloc(100_000));
      }
      const started = spool.sweep();
      const lent = [1, 2, 3].map((n) =>
        spool.lend(async (path) => {
          await writeFile(path, `${n}`);
          return readFile(path, 'utf8');
        }),
      );
      expect(await Promise.all(lent)).toEqual(['1', '2', '3']);
      await started;
    }
    expect([await names(), said]).toEqual([OTHERS, []]);
  });

  it('lends also where something that was left over cannot be removed, and says so', async () => {
    const leftover = join(folder, 'restore-aB3dE6');
    const said: unknown[] = [];
    const log = { ...silentLogger, warn: (text: string, fields: object = {}) => said.push([text, fields]) };
    const spool = new Spool({ log }, { folder, own: true });
    await chmod(leftover, 0);
    const isRoot = process.geteuid?.() === 0;
    if (isRoot) {
      await chown(folder, NOBODY, NOBODY);
      process.seteuid!(NOBODY);
    }
    try {
      await spool.lend((path) => writeFile(path, 'archive'));
    } finally {
      if (isRoot) process.seteuid!(0);
      await chmod(leftover, 0o700);
    }
    expect(said).toEqual([
      ['what a restore left could not be deleted', { folder: leftover, text: expect.stringContaining('EACCES') }],
    ]);
    expect(await names()).toEqual(['restore-aB3dE6', ...OTHERS]);
  });
});
