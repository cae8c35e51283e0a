import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '../core/errors.ts';
import { fileProblem } from '../core/file-problem.ts';
import { formatProblem, loadManifests, type ManifestFile } from '../crds/manifests/load-manifests.ts';
import { CommandExit, type CommandIo } from './command.ts';
import { json } from './output.ts';
import { checkFormat, command, program } from './program.ts';

/** `lictor lint FILE|FOLDER…`: what an API server would say of the manifests, without one. */
export const lintCommand = command({
  name: 'lint',
  summary: 'Check manifests without a cluster',
  program(io) {
    return program(
      'lictor lint',
      'Checks manifests with the schema and rules that the API server uses: every problem with file, line, field and what would be right.',
      ['lictor lint manifests/', 'lictor lint web.yaml db.yaml', 'lictor lint manifests/ -format json'],
      io,
    )
      .argument('<paths...>', 'files, or folders whose .yaml and .yml files are read')
      .option('--format <format>', 'pretty or json', 'pretty')
      .action((paths: string[], { format }: { format: string }) => {
        const code = lint(paths, checkFormat(format), io);
        if (code !== 0) throw new CommandExit(code);
      });
  },
});

function lint(paths: readonly string[], format: 'pretty' | 'json', io: CommandIo): number {
  const files = paths.flatMap(manifestFiles);
  if (files.length === 0) throw new AppError('config', `no .yaml or .yml file in ${paths.join(', ')}`);
  const { objects, problems } = loadManifests(files);
  if (format === 'json') {
    io.stdout.write(json({ files: files.length, objects: objects.length, problems }));
  } else if (problems.length > 0) {
    for (const problem of problems) io.stdout.write(`${formatProblem(problem)}\n`);
  } else {
    io.stdout.write(`${counted(objects.length, 'object')} in ${counted(files.length, 'file')}, no problem\n`);
  }
  return problems.length > 0 ? 1 : 0;
}

/** `1 file`, `2 files`. */
function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

function manifestFiles(path: string): ManifestFile[] {
  try {
    if (!statSync(path).isDirectory()) return [{ file: path, text: readFileSync(path, 'utf8') }];
    return readdirSync(path, { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.ya?ml$/.test(name))
      .sort()
      .map((name) => ({ file: join(path, name), text: readFileSync(join(path, name), 'utf8') }));
  } catch (cause) {
    throw new AppError('config', `cannot read ${path}: ${fileProblem(cause)}`, { cause });
  }
}
