import { Command as Program } from 'commander';
import { AppError } from '../core/errors.ts';
import { type ApiOptions, apiOptions, type ClientSettings } from './api-options.ts';
import { normaliseFlags } from './arguments.ts';
import { type Command, CommandExit, type CommandIo } from './command.ts';
import type { HttpApi } from './http-api.ts';

/** Flags that every client command has. */
export interface ClientFlags extends ClientSettings {
  format: 'pretty' | 'json';
}

/** A command whose flags and actions are those of a program; see `cli/README.md`. */
export function command(parts: { name: string; summary: string; program(io: CommandIo): Program }): Command {
  return { ...parts, run: (argv, io) => runProgram(parts.program(io), argv, io) };
}

/** A commander program that prints through `io`, takes Go-style flags and never ends the process. */
export function program(name: string, description: string, examples: readonly string[], io: CommandIo): Program {
  const target = prepared(new Program(name.replace(/^lictor\b/, io.invokedAs ?? 'lictor')), io);
  return withExamples(target.description(description), examples, io);
}

/** A sub-command (or a group of them, such as `operator raft`) below `parent`. */
export function subProgram(
  parent: Program,
  name: string,
  description: string,
  examples: readonly string[],
  io: CommandIo,
): Program {
  return withExamples(prepared(parent.command(name), io).description(description), examples, io);
}

function prepared(target: Program, io: CommandIo): Program {
  return target
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(text),
      outputError: () => {}, // printed once by the caller
    })
    .helpCommand(false)
    .exitOverride((error) => {
      FAILED.set(error, target);
      throw error;
    });
}

/** Which program an error of usage came from: the help of a sub-command says more than that of its root. */
const FAILED = new WeakMap<Error, Program>();

const EXAMPLES = new WeakMap<Program, readonly string[]>();

function withExamples(target: Program, examples: readonly string[], io: CommandIo): Program {
  const shown = examples.map((line) => line.replace(/^lictor\b/, io.invokedAs ?? 'lictor'));
  EXAMPLES.set(target, shown);
  return target.addHelpText('after', `\nExamples:\n${shown.map((line) => `  ${line}`).join('\n')}`);
}

/** The examples that a program was made with. */
export function examplesOf(target: Program): readonly string[] {
  return EXAMPLES.get(target) ?? [];
}

/** Collects a flag that may be repeated: `.option('--node-meta <pair>', '…', repeated)`. */
export function repeated(value: string, before: readonly string[] | undefined): string[] {
  return [...(before ?? []), value];
}

/** Adds Consul's client flags and `--format`. */
export function withClientFlags(target: Program): Program {
  return target
    .option('--http-addr <address>', 'address of the HTTP API (CONSUL_HTTP_ADDR; default 127.0.0.1:8500)')
    .option('--token <token>', 'ACL token (CONSUL_HTTP_TOKEN)')
    .option('--token-file <path>', 'file with the ACL token (CONSUL_HTTP_TOKEN_FILE)')
    .option('--ca-file <path>', 'CA certificate for HTTPS (CONSUL_CACERT)')
    .option('--ca-path <folder>', 'folder of CA certificates for HTTPS (CONSUL_CAPATH)')
    .option('--client-cert <path>', 'client certificate for HTTPS (CONSUL_CLIENT_CERT)')
    .option('--client-key <path>', 'key of the client certificate (CONSUL_CLIENT_KEY)')
    .option('--tls-server-name <name>', 'name that the server’s certificate must have (CONSUL_TLS_SERVER_NAME)')
    .option('--datacenter <name>', 'datacenter (default: the agent’s own)')
    .option('--stale', 'let any server answer, not the leader alone')
    .option('--namespace <name>', 'namespace (CONSUL_NAMESPACE; default "default")')
    .option('--partition <name>', 'not supported: use namespaces')
    .option('--format <format>', 'pretty or json', 'pretty');
}

/** Checks the client flags. @throws AppError `config` naming the flag. */
export function clientOptions(flags: ClientFlags, io: CommandIo): ApiOptions {
  checkFormat(flags.format);
  return apiOptions(flags, io.env);
}

/** @throws AppError `config` unless it is pretty or json. */
export function checkFormat(format: string): 'pretty' | 'json' {
  if (format === 'pretty' || format === 'json') return format;
  throw new AppError('config', `-format=${format}: use pretty or json`);
}

/**
 * Parses and runs. Help is a success; a group without its sub-command prints its help and gives 1, as Consul's; a wrong
 * flag is an AppError `config`; a `CommandExit` gives its code.
 */
export async function runProgram(target: Program, argv: readonly string[], io?: CommandIo): Promise<number> {
  try {
    await target.parseAsync(normaliseFlags(argv, target), { from: 'user' });
    return 0;
  } catch (error) {
    if (error instanceof CommandExit) {
      if (error.message !== '') io?.stderr.write(`${error.message}\n`);
      return error.exitCode;
    }
    if (!isCommanderError(error)) throw error;
    if (error.exitCode === 0) return 0;
    if (error.code === 'commander.help') return 1;
    const failed = fullName(FAILED.get(error) ?? target);
    throw new AppError('config', usageText(error, failed), { facts: { command: failed }, cause: error });
  }
}

/** One line: what was wrong, what was nearly it, and where the right ones are listed. */
function usageText(error: Error, command: string): string {
  const what = error.message
    .replace(/^error: /, '')
    .replace(/\n\(Did you mean (?:one of )?(.*)\?\)$/, '; did you mean $1?');
  return `${what} (see '${command} --help')`;
}

/** `lictor operator raft list-peers`. */
function fullName(target: Program): string {
  return target.parent ? `${fullName(target.parent)} ${target.name()}` : target.name();
}

/** Runs `fn` with a connected API client and closes it. */
export async function withApi<T>(flags: ClientFlags, io: CommandIo, fn: (api: HttpApi) => Promise<T>): Promise<T> {
  const options = clientOptions(flags, io);
  // Commands that call nobody, such as `lictor dev`, do without the HTTP client's memory.
  const { HttpApi: Api } = await import('./http-api.ts');
  const api = new Api(options, io.signal);
  try {
    return await fn(api);
  } finally {
    await api.close();
  }
}

function isCommanderError(error: unknown): error is Error & { exitCode: number; code: string } {
  return error instanceof Error && typeof (error as { code?: unknown }).code === 'string' && 'exitCode' in error;
}
