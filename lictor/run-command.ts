import type { CommandIo } from '../cli/command.ts';
import { AppError, errorText } from '../core/errors.ts';
import { nearest } from '../core/nearest.ts';
import { COMMAND_GROUPS, COMMANDS, type CommandRow } from './commands.ts';

type Commands = Readonly<Record<string, CommandRow>>;

/** What `lictor --help` prints: the commands below the headings of their groups. */
export function usage(name = 'lictor', commands: Commands = COMMANDS): string {
  const width = Math.max(...Object.keys(commands).map((one) => one.length));
  const groups = COMMAND_GROUPS.map((group) => {
    const rows = Object.entries(commands).filter(([, row]) => row.group === group);
    const lines = rows.map(([one, row]) => `  ${one.padEnd(width)}  ${row.summary}\n`);
    return lines.length === 0 ? '' : `${group}:\n${lines.sort().join('')}\n`;
  });
  return `Usage: ${name} <command> [flags]

Service discovery, health checking and zero-trust service networking for Kubernetes.

${groups.join('')}'${name} <command> --help' shows flags and examples.

Examples:
  ${name} dev -f manifests/
  ${name} agent -dev
  ${name} catalog services
`;
}

/** Runs one command line; gives the exit code. Errors go to standard error, a line for each thing that is wrong. */
export async function runCommand(
  argv: readonly string[],
  io: CommandIo,
  commands: Commands = COMMANDS,
): Promise<number> {
  const name = io.invokedAs ?? 'lictor';
  const [given, ...rest] = argv;
  if (given === undefined || /^(help|--?help|-h)$/.test(given)) {
    io.stdout.write(usage(name, commands));
    return given === undefined ? 127 : 0;
  }
  const wanted = /^(--?version|-v)$/.test(given) ? 'version' : given;
  const autocomplete = /^--?autocomplete-(un)?install$/.exec(given);
  if (autocomplete)
    return reported(name, io, async () => (await autocompletion()).changeAutocomplete(!autocomplete[1], io));
  const found = Object.hasOwn(commands, wanted) ? commands[wanted] : undefined;
  if (!found) {
    const near = nearest(given, Object.keys(commands));
    const guess = near ? `did you mean "${near}"? ` : '';
    io.stderr.write(`${name}: there is no command "${given}"; ${guess}'${name} --help' lists them\n`);
    return 127;
  }
  return reported(`${name} ${wanted}`, io, async () => (await found.load()).run(rest, io));
}

const autocompletion = () => import('./completion-command.ts');

async function reported(name: string, io: CommandIo, run: () => Promise<number>): Promise<number> {
  try {
    return await run();
  } catch (error) {
    // Wrong usage is the sub-command's.
    const whose = (error instanceof AppError && error.facts.command) || name;
    io.stderr.write(`${whose}: ${named(described(error), io)}\n`);
    return 1;
  }
}

/** Hints at other commands speak of the program by the name it was called by. */
function named(text: string, { invokedAs = 'lictor' }: CommandIo): string {
  return text.replace(/'lictor (?=[a-z])/g, `'${invokedAs} `);
}

function described(error: unknown): string {
  if (error instanceof AppError && error.code !== 'internal') return error.message;
  return error instanceof Error ? (error.stack ?? error.message) : errorText(error);
}
