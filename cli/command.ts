import type { Writable } from 'node:stream';

/** What a command may touch of the world. */
export interface CommandIo {
  readonly stdout: Writable;
  readonly stderr: Writable;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Aborts on SIGINT or SIGTERM. */
  readonly signal: AbortSignal;
}

/** One command of `lictor`; `run` gives the exit code. Thrown AppErrors are printed as one line and give 1. */
export interface Command {
  readonly name: string;
  readonly summary: string;
  run(argv: readonly string[], io: CommandIo): Promise<number>;
}

/**
 * Go programs take long flags with one dash (`-http-addr=x`), ours take both: `-http-addr` becomes `--http-addr`.
 * Single letters, numbers and everything after `--` stay as they are.
 */
export function normaliseFlags(argv: readonly string[]): string[] {
  const end = argv.indexOf('--');
  return argv.map((arg, at) =>
    (end < 0 || at < end) && /^-[a-z][a-z0-9]*[a-z0-9-]+(=|$)/i.test(arg) ? `-${arg}` : arg,
  );
}
