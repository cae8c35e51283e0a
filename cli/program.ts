import { Command as Program } from 'commander';
import { AppError } from '../core/errors.ts';
import { type CommandIo, normaliseFlags } from './command.ts';
import { type ApiOptions, apiOptions, HttpApi } from './http-api.ts';

/** Flags that every client command has. */
export interface ClientFlags {
  httpAddr?: string;
  token?: string;
  namespace?: string;
  datacenter?: string;
  caFile?: string;
  format: 'pretty' | 'json';
}

/** A commander program that prints through `io`, takes Go-style flags and never ends the process. */
export function program(name: string, description: string, examples: readonly string[], io: CommandIo): Program {
  return new Program(name)
    .description(description)
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(text),
      outputError: () => {}, // printed once by the caller
    })
    .exitOverride()
    .addHelpText('after', `\nExamples:\n${examples.map((line) => `  ${line}`).join('\n')}`);
}

/** Adds Consul's client flags and `--format`. */
export function withClientFlags(target: Program): Program {
  return target
    .option('--http-addr <address>', 'address of the HTTP API (CONSUL_HTTP_ADDR; default 127.0.0.1:8500)')
    .option('--token <token>', 'ACL token (CONSUL_HTTP_TOKEN)')
    .option('--namespace <name>', 'namespace (CONSUL_NAMESPACE; default "default")')
    .option('--datacenter <name>', 'datacenter (default: the agent’s own)')
    .option('--ca-file <path>', 'CA certificate for HTTPS (CONSUL_CACERT)')
    .option('--format <format>', 'pretty or json', 'pretty');
}

/** Checks the client flags. @throws AppError `config` naming the flag. */
export function clientOptions(flags: ClientFlags, io: CommandIo): ApiOptions {
  if (flags.format !== 'pretty' && flags.format !== 'json') {
    throw new AppError('config', `-format=${String(flags.format)}: use pretty or json`);
  }
  return apiOptions(flags, io.env);
}

/** Parses and runs; help is a success, a wrong flag is an AppError `config`. */
export async function runProgram(target: Program, argv: readonly string[]): Promise<number> {
  try {
    await target.parseAsync(normaliseFlags(argv), { from: 'user' });
    return 0;
  } catch (error) {
    if (isCommanderError(error)) {
      if (error.exitCode === 0) return 0;
      throw new AppError('config', `${error.message.replace(/^error: /, '')} (see '${commandPath(target)} --help')`, {
        cause: error,
      });
    }
    throw error;
  }
}

/** Runs `fn` with a connected API client and closes it. */
export async function withApi<T>(flags: ClientFlags, io: CommandIo, fn: (api: HttpApi) => Promise<T>): Promise<T> {
  const api = new HttpApi(clientOptions(flags, io));
  try {
    return await fn(api);
  } finally {
    await api.close();
  }
}

function commandPath(target: Program): string {
  return target.parent ? `${commandPath(target.parent)} ${target.name()}` : target.name();
}

function isCommanderError(error: unknown): error is Error & { exitCode: number; code: string } {
  return error instanceof Error && typeof (error as { code?: unknown }).code === 'string' && 'exitCode' in error;
}
