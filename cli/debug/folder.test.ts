import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { CaptureFolder } from './folder.ts';

describe('the folder of a capture', () => {
  let parent: string;
  beforeEach(() => {
    parent = mkdtempSync(join(tmpdir(), 'lictor-capture-'));
  });
  afterEach(() => rmSync(parent, { recursive: true }));
  const never = new AbortController().signal;

  it('is for its owner alone, and not made over what is there', () => {
    const path = join(parent, 'c');
    const folder = CaptureFolder.create(path, { archive: false });
    folder.write('0/heap.prof', 'x');
    expect([statSync(path).mode & 0o777, statSync(join(path, '0/heap.prof')).mode & 0o777]).toEqual([0o700, 0o600]);
    expect(() => CaptureFolder.create(path, { archive: true })).toThrow(/c is there already; choose another name/);
    expect(() => CaptureFolder.create('/proc/none/x', { archive: true })).toThrow(/-output: cannot make/);
  });

  it('cuts a stream off at its limit, and says so', async () => {
    const folder = CaptureFolder.create(join(parent, 'c'), { archive: false });
    const endless = new Readable({ read: () => endless.push('0123456789') });
    expect(await folder.writeStream('log', endless, never, 25)).toBe(true);
    expect(readFileSync(join(parent, 'c/log'), 'utf8')).toBe('0123456789012345678901234');
  });

  it('keeps what came before the end of a stream, and fails when the stream does', async () => {
    const folder = CaptureFolder.create(join(parent, 'c'), { archive: false });
    const stop = new AbortController();
    let asked = 0;
    // Asked again when its first chunk is taken: then it is silent, and the capture ends.
    const silent = new Readable({ read: () => (asked++ === 0 ? silent.push('first') : stop.abort()) });
    expect(await folder.writeStream('log', silent, stop.signal)).toBe(false);
    expect(readFileSync(join(parent, 'c/log'), 'utf8')).toBe('first');
    const broken = new Readable({ read: () => broken.destroy(new Error('reset')) });
    await expect(folder.writeStream('other', broken, never)).rejects.toThrow('reset');
  });

  it('becomes an archive that replaces it', async () => {
    const path = join(parent, 'c');
    const folder = CaptureFolder.create(path, { archive: true });
    folder.write('a.json', '{}');
    await folder.finish(0);
    expect([existsSync(path), existsSync(`${path}.tar.gz`)]).toEqual([false, true]);
  });
});
