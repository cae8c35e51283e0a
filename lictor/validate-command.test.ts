import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runForTest } from '../test/support/command-run.ts';
import { validateCommand } from './validate-command.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lictor-validate-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));
const write = (name: string, text: string) => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};
const run = (...argv: string[]) => runForTest(validateCommand, argv);

describe('lictor validate', () => {
  it('reads all paths as one configuration, folders too', async () => {
    mkdirSync(join(folder, 'd'));
    write('d/b.json', '{"log_rotate_bytes": 5}');
    write('d/notes.txt', 'not read');
    const file = write('a.hcl', 'data_dir = "/d"');
    const result = await run(file, join(folder, 'd'));
    expect(result).toMatchObject({ code: 0, stdout: 'Configuration is valid!\n' });
    expect(result.stderr).toContain('log_rotate_bytes has no effect here');
    expect(await run('-quiet', file)).toEqual({ code: 0, stdout: '', stderr: '' });
    expect(JSON.parse((await run('-format=json', file)).stdout)).toEqual({ valid: true, warnings: [] });
  });

  it('ends with 1 and names file and key', async () => {
    const wrong = write('a.hcl', 'data_dir = "/d"\nports { dns = "x" }');
    expect(await run(wrong)).toEqual({
      code: 1,
      stdout: '',
      stderr: `Config validation failed: ${wrong}: ports.dns must be a whole number, found "x"\n`,
    });
    expect((await run('-config-format=json', wrong)).stderr).toMatch(/is not valid JSON/);
    expect((await run(join(folder, 'none.hcl'))).stderr).toMatch(
      /none.hcl cannot be read: there is no such file or folder; check the path\n$/,
    );
    await expect(run()).rejects.toThrow(/missing required argument/);
  });
});
