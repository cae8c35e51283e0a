import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { CommandIo } from '../cli/command.ts';
import { command, program, subProgram } from '../cli/program.ts';
import { AppError } from '../core/errors.ts';
import { completionScript, SHELLS, type Shell } from './completion-scripts.ts';
import { describeCommands } from './describe-commands.ts';

/** `lictor completion bash|zsh|fish`: a script that completes commands and flags. */
export const completionCommand = command({
  name: 'completion',
  summary: 'Print a script that completes commands and flags in your shell',
  program(io) {
    const root = program(
      'lictor completion',
      'Prints a script that completes commands and flags. lictor -autocomplete-install puts it into the start files of your shells.',
      ['source <(lictor completion bash)', 'lictor completion fish > ~/.config/fish/completions/lictor.fish'],
      io,
    );
    for (const shell of SHELLS) {
      const example = shell === 'fish' ? 'lictor completion fish | source' : `source <(lictor completion ${shell})`;
      subProgram(root, shell, `The script for ${shell}.`, [example], io).action(async () => {
        io.stdout.write(completionScript(shell, io.invokedAs ?? 'lictor', await describeCommands()));
      });
    }
    return root;
  },
});

/**
 * `lictor -autocomplete-install` and `-autocomplete-uninstall`: one line in the start files of bash and zsh that exist, a
 * file for fish. Doing it twice changes nothing. @throws AppError `config` when there is no shell to install for.
 */
export function changeAutocomplete(install: boolean, io: CommandIo): number {
  const name = io.invokedAs ?? 'lictor';
  const home = io.env.HOME;
  if (!home) throw new AppError('config', 'HOME must be set: the start files of shells lie there');
  const changed = [
    ...(['bash', 'zsh'] as const).filter((shell) =>
      changeStartFile(join(home, `.${shell}rc`), lineFor(shell, name), install),
    ),
    ...(changeFish(join(home, '.config/fish'), name, install) ? ['fish'] : []),
  ];
  const done = install ? 'installed for' : 'removed from';
  io.stdout.write(
    changed.length > 0 ? `Completion ${done} ${changed.join(', ')}; it counts in new shells\n` : 'Nothing to change\n',
  );
  return 0;
}

const lineFor = (shell: Shell, name: string) => `source <(${name} completion ${shell}) # completion of ${name}`;

function changeStartFile(file: string, line: string, install: boolean): boolean {
  if (!existsSync(file)) return false;
  const lines = readFileSync(file, 'utf8').split('\n');
  if (lines.includes(line) === install) return false;
  const kept = lines.filter((one) => one !== line);
  if (install) {
    if (kept.at(-1) === '') kept.pop();
    kept.push(line, '');
  }
  writeFileSync(file, kept.join('\n'));
  return true;
}

function changeFish(folder: string, name: string, install: boolean): boolean {
  const file = join(folder, 'completions', `${name}.fish`);
  if (!existsSync(folder) || existsSync(file) === install) return false;
  if (install) {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, `${name} completion fish | source\n`);
  } else rmSync(file);
  return true;
}
