import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { AppError } from '../../core/errors.ts';
import type { FormationMemory } from './formation.ts';
import { FormationFile } from './formation-file.ts';

const MEMORY: FormationMemory = {
  pledged: true,
  counted: [
    { name: 'a', address: '10.0.0.1:8300', id: 'id-a' },
    { name: 'b', address: '10.0.0.2:8300', id: '' },
  ],
  formed: { name: 'c', address: '10.0.0.3:8300', clusterId: '77' },
};

let folder: string;
let path: string;
beforeEach(() => {
  folder = join(mkdtempSync(join(tmpdir(), 'formation-file-')), 'etcd');
  path = join(folder, 'formation.json');
});
afterEach(() => rmSync(join(folder, '..'), { recursive: true, force: true }));

describe('FormationFile', () => {
  it('gives back what was saved last, for its owner alone, and nothing once it was removed', async () => {
    const file = new FormationFile(folder);
    expect(await file.read()).toBeUndefined();
    await file.save({ pledged: false, counted: [] });
    // Those that are asked to save meanwhile wait for each other.
    await Promise.all([file.save({ ...MEMORY, pledged: false }), file.save(MEMORY), file.save(MEMORY)]);
    expect(await new FormationFile(folder).read()).toEqual(MEMORY);
    expect(readdirSync(folder)).toEqual(['formation.json']);
    await file.remove();
    await file.save(MEMORY);
    expect(existsSync(path)).toBe(false);
    expect(await file.read()).toBeUndefined();
  });

  it.each<[string, string, RegExp]>([
    ['nothing', '', /cannot be read \(.*JSON/],
    ['half of it', '{"version":1,"pledged":true,"cou', /cannot be read \(.*JSON/],
    ['no object', '[]', /cannot be read \(the file must be an object\)/],
    ['a wrong version', '{"version":"1"}', /version must be 1/],
    ['no pledge', '{"version":1,"counted":[]}', /pledged must be true or false/],
    ['a server without a name', '{"version":1,"pledged":true,"counted":[{"address":"x:1"}]}', /name must be a text/],
    ['101 servers', JSON.stringify({ version: 1, pledged: true, counted: Array(101).fill({}) }), /up to 100 servers/],
    ['too much', `{"version":1,"pledged":true,"counted":[${' '.repeat(300_000)}]}`, /300\d+ bytes, more than 262144/],
  ])('names the file and what to do when it has %s', async (_, text, why) => {
    await new FormationFile(folder).save(MEMORY);
    writeFileSync(path, text);
    const error = await new FormationFile(folder).read().catch((one) => one);
    expect(error).toBeInstanceOf(AppError);
    expect(error).toMatchObject({ code: 'storeCorrupt' });
    expect(error.message).toMatch(why);
    expect(error.message).toMatch(
      /formation\.json, which says .*; start it when the others are in a cluster or stopped/,
    );
  });

  it('leaves what a newer version wrote to that', async () => {
    await new FormationFile(folder).save(MEMORY);
    writeFileSync(path, '{"version":2}');
    await expect(new FormationFile(folder).read()).rejects.toMatchObject({ code: 'storeVersion' });
  });

  it('reads any text as a memory or says that it cannot', async () => {
    await new FormationFile(folder).save(MEMORY);
    const valid = readFileSync(path, 'utf8');
    const torn = fc
      .tuple(fc.nat(valid.length), fc.nat(valid.length), fc.string({ maxLength: 3 }))
      .map(([at, to, more]) => {
        return valid.slice(0, Math.min(at, to)) + more + valid.slice(Math.max(at, to));
      });
    await fc.assert(
      fc.asyncProperty(fc.oneof(torn, fc.json()), async (text) => {
        writeFileSync(path, text);
        const read = await new FormationFile(folder).read().catch((error) => error);
        if (read instanceof AppError) expect(['storeCorrupt', 'storeVersion']).toContain(read.code);
        else expect(Array.isArray(read.counted)).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  it('says when it cannot be written', async () => {
    writeFileSync(folder, '');
    await expect(new FormationFile(folder).save(MEMORY)).rejects.toMatchObject({ code: 'storeReadOnly' });
    await expect(new FormationFile(folder).save(MEMORY)).rejects.toThrow(/formation\.json cannot be written: /);
  });
});
