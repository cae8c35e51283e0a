import { Writable } from 'node:stream';
import type { Command as Program } from 'commander';
import type { Command, CommandIo, FlagDescription } from '../cli/command.ts';
import { examplesOf } from '../cli/program.ts';
import { COMMANDS, type CommandRow } from './commands.ts';

/** A command or sub-command as completion and documentation show it. */
export interface CommandDescription {
  /** `['operator', 'raft', 'list-peers']`. */
  readonly path: readonly string[];
  readonly summary: string;
  /** Its arguments as in a usage line, such as `<key> [value]`. */
  readonly args: string;
  readonly flags: readonly FlagDescription[];
  readonly examples: readonly string[];
  readonly children: readonly CommandDescription[];
}

/** Every command, by name, from the tables that run them. */
export async function describeCommands(
  commands: Readonly<Record<string, CommandRow>> = COMMANDS,
): Promise<CommandDescription[]> {
  const names = Object.keys(commands).sort();
  return Promise.all(names.map(async (name) => describe(name, commands[name]!.summary, await commands[name]!.load())));
}

/** A command and all below it. */
export function withDescendants(one: CommandDescription): CommandDescription[] {
  return [one, ...one.children.flatMap(withDescendants)];
}

function describe(name: string, summary: string, command: Command): CommandDescription {
  const own = command.own;
  const found = command.program ? describeProgram(command.program(SILENT), [name]) : undefined;
  return {
    path: [name],
    summary,
    args: found?.args ?? '',
    flags: own?.flags ?? found?.flags ?? [],
    examples: own?.examples ?? found?.examples ?? [],
    children: found?.children ?? [],
  };
}

function describeProgram(target: Program, path: readonly string[]): CommandDescription {
  return {
    path,
    summary: target.description(),
    args: target.registeredArguments
      .map((one) => {
        const name = `${one.name()}${one.variadic ? '...' : ''}`;
        return one.required ? `<${name}>` : `[${name}]`;
      })
      .join(' '),
    flags: target.options
      .filter((option) => !option.hidden && option.long)
      .map((option) => ({
        name: option.long!.slice(2),
        ...(option.required || option.optional ? { value: /[<[]([^>\]]+)/.exec(option.flags)?.[1] ?? 'value' } : {}),
        text: option.description,
      })),
    examples: examplesOf(target),
    children: target.commands.map((sub) => describeProgram(sub, [...path, sub.name()])),
  };
}

const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });

/** Programs are built, not run: nothing is printed and nothing read. */
const SILENT: CommandIo = { stdout: nowhere, stderr: nowhere, env: {}, signal: new AbortController().signal };
