import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { lintCommand } from './lint.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lictor-lint-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function lint(...argv: string[]): Promise<{ code: number; out: string }> {
  let out = '';
  const sink = new Writable({
    write(chunk, _encoding, done) {
      out += String(chunk);
      done();
    },
  });
  const code = await lintCommand.run(argv, {
    stdout: sink,
    stderr: sink,
    env: {},
    signal: new AbortController().signal,
  });
  return { code, out };
}

const service = (spec: string) =>
  `apiVersion: lictor.dev/v1alpha1\nkind: Service\nmetadata: {name: web}\nspec: ${spec}\n`;

describe('lictor lint', () => {
  it('accepts a good folder and says what it read', async () => {
    writeFileSync(join(folder, 'web.yaml'), service('{selector: {matchLabels: {app: web}}}'));
    expect(await lint(folder)).toEqual({ code: 0, out: '1 object in 1 file, no problem\n' });
  });

  it('names file, line, object and field of what is wrong, and ends with 1', async () => {
    writeFileSync(join(folder, 'web.yaml'), service('{selector: {matchLabels: {app: web}}, tagz: [v1]}'));
    const { code, out } = await lint(folder);
    expect(code).toBe(1);
    expect(out).toMatch(/web\.yaml:\d+: Service default\/web: spec\.tagz/);
    const json = JSON.parse((await lint(join(folder, 'web.yaml'), '-format=json')).out) as {
      problems: { field: string }[];
    };
    expect(json.problems[0]!.field).toBe('spec.tagz');
  });

  it('takes an empty folder for a mistake', async () => {
    await expect(lint(folder)).rejects.toThrow(/no \.yaml or \.yml file/);
  });

  it('says which path it cannot read', async () => {
    await expect(lint(join(folder, 'none'))).rejects.toThrow(
      /^cannot read .*none: there is no such file or folder; check the path$/,
    );
  });
});
