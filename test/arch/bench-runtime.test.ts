import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '..', '..');
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');

describe('the server of the benches', () => {
  const bench = read('bench/server-process.ts');
  const launcher = read('bin/lictor');

  it('runs with the flags with which bin/lictor starts a server', () => {
    const flagsOf = (text: string) => [...text.matchAll(/--[a-z-]+(=\w+)?/g)].map(([flag]) => flag);
    const line = launcher.split('\n').find((one) => one.includes('*) exec'));
    const flags = flagsOf(/const FLAGS = (.*)/.exec(bench)?.[1] ?? '');
    expect(flags.length).toBeGreaterThan(0);
    expect(flags).toEqual(flagsOf(line ?? ''));
  });

  it('runs with the allocator settings that bin/lictor gives', () => {
    const given = [...launcher.matchAll(/export (MALLOC_\w+)="\$\{\w+:-(\d+)\}"/g)].map(([, name, value]) => [
      name,
      value,
    ]);
    const used = [...bench.matchAll(/(MALLOC_\w+): '(\d+)'/g)].map(([, name, value]) => [name, value]);
    expect(used.length).toBeGreaterThan(0);
    expect(used).toEqual(given);
  });
});
