import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeFolder } from './make-folder.ts';

describe('makeFolder', () => {
  let scratch: string;
  beforeEach(() => {
    scratch = mkdtempSync(join(tmpdir(), 'lictor-folder-'));
  });
  afterEach(() => rmSync(scratch, { recursive: true, force: true }));

  it('makes what is missing with its mode, and does nothing the second time', () => {
    const path = join(scratch, 'a', 'b');
    makeFolder(path, 0o700);
    makeFolder(path, 0o700);
    expect(statSync(path).mode & 0o777).toBe(0o700);
  });

  it('fails where a file is in the way', () => {
    writeFileSync(join(scratch, 'a'), '');
    expect(() => makeFolder(join(scratch, 'a', 'b'))).toThrow(/ENOTDIR/);
  });

  const onLinux = existsSync('/proc/self') ? it : it.skip;
  onLinux('ends with an error on a file system that takes no folders', () => {
    expect(() => makeFolder('/proc/lictor/a')).toThrow();
  });
});
