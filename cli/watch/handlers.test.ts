import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { eventually } from '../../test/support/eventually.ts';
import { removeFolder, tempFolder } from '../../test/support/processes/temp-folder.ts';
import { shellHandler } from './handlers.ts';

describe('a command that handles a watch', () => {
  let out = '';
  const sink = () =>
    new Writable({
      write(chunk, _encoding, done) {
        out += String(chunk);
        done();
      },
    });
  const io = { stdout: sink(), stderr: sink(), env: process.env };
  const { signal } = new AbortController();
  const change = { index: '1', value: null };
  const folder = tempFolder('handlers');
  beforeEach(() => {
    out = '';
  });
  afterAll(() => removeFolder(folder));

  it('is done when it has ended itself, not what it left in the background, whose output is still shown', async () => {
    const waiting = `while [ -d ${folder} ] && [ ! -e ${folder}/go ]; do sleep 0.1; done`;
    await shellHandler(`(${waiting}; echo later; exec sleep 30) & echo now $!`, io)(change, signal);
    expect(out).toMatch(/^now \d+\n$/);
    writeFileSync(join(folder, 'go'), '');
    await eventually(async () => out.includes('later'), { withinMs: 10_000 });
    process.kill(Number(/now (\d+)/.exec(out)![1]));
  });

  it('says how it failed', async () => {
    await expect(shellHandler('echo all of it; exit 3', io)(change, signal)).rejects.toThrow('ended with exit code 3');
    expect(out).toBe('all of it\n');
    await expect(shellHandler('kill -9 $$', io)(change, signal)).rejects.toThrow('ended with SIGKILL');
  });
});
