import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ROOT } from '../arch/sources.ts';

const run = promisify(execFile);

describe('the packed tarball', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'lictor-tarball-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('installs into an empty folder and runs the demo there', async () => {
    await run(join(ROOT, 'scripts/make-dist'), ['--pack-destination', folder], { cwd: ROOT });
    const tarball = readdirSync(folder).find((name) => name.endsWith('.tgz'));
    expect(tarball).toBeDefined();
    await run('npm', ['init', '-y'], { cwd: folder });
    await run('npm', ['install', '--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund', `./${tarball}`], {
      cwd: folder,
    });
    const version = await run('node_modules/.bin/lictor', ['version'], { cwd: folder });
    expect(version.stdout).toMatch(/^Lictor v\d/);
    const demo = await run('node_modules/.bin/lictor', ['demo', '--once'], { cwd: folder });
    expect(demo.stdout).toMatch(/every step was seen/);
  }, 240_000);
});
