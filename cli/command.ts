import type { Readable, Writable } from 'node:stream';
import type { Command as Program } from 'commander';

/** What a command may touch of the world. */
export interface CommandIo {
  readonly stdout: Writable;
  readonly stderr: Writable;
  /** Absent = nothing to read. */
  readonly stdin?: Readable;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Aborts on SIGINT or SIGTERM. */
  readonly signal: AbortSignal;
  /** Calls back on SIGHUP until the function it gives is called; absent where there are no signals. */
  readonly onHangup?: (listener: () => void) => () => void;
  /** Where the agent tells its service manager how it is (systemd's NOTIFY_SOCKET); absent where nobody asks for it. */
  readonly notifySocket?: string | undefined;
  /** The name that the user typed (`consul` by a symlink); `lictor` when absent. */
  readonly invokedAs?: string;
}

/** A flag as help, completion and documentation show it, without dashes. */
export interface FlagDescription {
  readonly name: string;
  /** What its value is called; absent for flags without one. */
  readonly value?: string;
  readonly text: string;
}

/** One command of `lictor`; `run` gives the exit code. Thrown AppErrors are printed as one line and give 1. */
export interface Command {
  readonly name: string;
  readonly summary: string;
  /** Its flags, sub-commands and examples, from which help, completion and docs/cli.md come. */
  program?(io: CommandIo): Program;
  /** Flags and examples that it reads without a program. */
  readonly own?: { readonly flags: readonly FlagDescription[]; readonly examples: readonly string[] };
  run(argv: readonly string[], io: CommandIo): Promise<number>;
}

/** Thrown by an action to end with another code than 1; `message` goes to standard error unless it is empty. */
export class CommandExit extends Error {
  readonly exitCode: number;
  constructor(exitCode: number, message = '') {
    super(message);
    this.name = 'CommandExit';
    this.exitCode = exitCode;
  }
}
