import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { removeFolder, tempFolder } from '../../test/support/processes/temp-folder.ts';
import { FolderLock } from './folder-lock.ts';

describe('the lock of a data folder', () => {
  let folder: string;
  let warned: unknown[];
  const log = { warn: (text: string, fields?: object) => warned.push({ text, ...fields }) };
  const acquire = () => FolderLock.acquire(folder, log);
  const file = (name: string) => join(folder, name);
  beforeEach(() => {
    folder = tempFolder('lock');
    warned = [];
  });
  afterEach(() => removeFolder(folder));

  it('is held also where the disk is full for the name of its holder, which is told', () => {
    symlinkSync('/dev/full', file('LOCK.pid'));
    const lock = acquire();
    const text = 'the holder of the data folder cannot be written down; it is held all the same';
    const problem = 'the disk is full; make room, or use another path';
    expect(warned).toEqual([{ text, file: file('LOCK.pid'), problem }]);
    expect(existsSync(file('LOCK.pid'))).toBe(false);
    expect(acquire).toThrow(/is in use by this process/);
    lock.release();
    acquire().release();
    expect(readFileSync(file('LOCK.pid'), 'utf8')).toBe(`${process.pid}\n`);
  });

  it('is taken whatever an earlier holder has left', () => {
    for (const name of ['LOCK', 'LOCK.pid']) writeFileSync(file(name), '');
    acquire().release();
    writeFileSync(file('LOCK.pid'), '1\n');
    acquire().release();
    expect(warned).toEqual([]);
  });

  it('names the file that cannot be used, and is free afterwards', () => {
    mkdirSync(file('LOCK'));
    expect(acquire).toThrow(
      /^data folder \S+ cannot be locked by its file \S+\/LOCK \(.*unable to open.*\); make room/,
    );
    rmSync(file('LOCK'), { recursive: true });
    writeFileSync(file('LOCK'), 'something else'.repeat(100));
    expect(acquire).toThrow(/cannot be locked by its file \S+\/LOCK \(.*not a database.*\); .* or remove that file/);
    rmSync(file('LOCK'));
    acquire().release();
  });
});
