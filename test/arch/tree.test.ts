import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { ERROR_TABLE } from '../../core/errors.ts';
import { PRODUCT_FOLDERS, productSources, ROOT } from './sources.ts';

const sources = productSources();
const folders = PRODUCT_FOLDERS.filter(
  (folder) => existsSync(join(ROOT, folder)) && readdirSync(join(ROOT, folder)).length > 0,
);

describe('file names', () => {
  it('are kebab-case', () => {
    const wrong = sources
      .map((source) => basename(source.path))
      .filter((name) => !/^[a-z0-9]+([-.][a-z0-9]+)*\.ts$/.test(name));
    expect(wrong).toEqual([]);
  });

  it('are never attics', () => {
    const attics = /^(utils?|helpers?|common|misc|manager)(\.ts)?$/;
    const wrong = sources
      .map((source) => source.path)
      .filter((path) => path.split('/').some((part) => attics.test(part)) && !path.startsWith('operator/manager/'));
    expect(wrong).toEqual([]);
  });
});

describe('folder READMEs', () => {
  const headings = ['## Purpose', '## Flow in/out', '## Contracts', '## Failure modes', '## Metrics'];
  it.each(folders)('%s has one with the fixed headings', (folder) => {
    const readme = join(ROOT, folder, 'README.md');
    expect(existsSync(readme)).toBe(true);
    const text = readFileSync(readme, 'utf8');
    expect(headings.filter((heading) => !text.includes(`\n${heading}\n`))).toEqual([]);
  });
});

describe('docs/errors.md', () => {
  it('says the same as the error table, both ways', () => {
    const text = readFileSync(join(ROOT, 'docs/errors.md'), 'utf8');
    const rows = [...text.matchAll(/^\| `(\w+)` \| (\d+) \| (\w+) \| (\w+) \| (yes|no) \| (.+) \|$/gm)].map(
      (match) => ({
        code: match[1],
        http: Number(match[2]),
        rcode: match[3],
        grpc: match[4],
        retryable: match[5] === 'yes',
        meaning: match[6],
      }),
    );
    expect(rows).toEqual(Object.entries(ERROR_TABLE).map(([code, row]) => ({ code, ...row })));
  });
});

describe('metric names', () => {
  it('are lictor_<part>_<what>, in snake case', () => {
    const names = sources
      .filter((source) => !source.test)
      .flatMap((source) => [...source.text.matchAll(/name: '(lictor_[^']*)'/g)].map((match) => match[1]!));
    expect(names.filter((name) => !/^lictor_[a-z0-9]+(_[a-z0-9]+)+$/.test(name))).toEqual([]);
  });
});

describe('the lockfile', () => {
  const lock = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { resolved?: string; deprecated?: string; hasInstallScript?: boolean; dev?: boolean }>;
  };
  it('names no registry host', () => {
    expect(Object.values(lock.packages).filter((entry) => entry.resolved)).toEqual([]);
  });
  it('has no package that its authors gave up, among those that ship', () => {
    const given = Object.entries(lock.packages).filter(([, entry]) => entry.deprecated && !entry.dev);
    expect(given.map(([name]) => name)).toEqual([]);
  });
  it('holds the optional packages of every platform, without which npm ci refuses it', () => {
    const entries = Object.values(lock.packages) as { optionalDependencies?: Record<string, string> }[];
    const named = entries.flatMap((entry) => Object.keys(entry.optionalDependencies ?? {}));
    expect(named.filter((name) => !lock.packages[`node_modules/${name}`])).toEqual([]);
  });
  it('runs nothing at install time', () => {
    expect(readFileSync(join(ROOT, '.npmrc'), 'utf8')).toContain('ignore-scripts=true');
  });
});

describe('the launcher', () => {
  it('is executable', () => {
    expect(statSync(join(ROOT, 'bin/lictor')).mode & 0o111).not.toBe(0);
  });
});
