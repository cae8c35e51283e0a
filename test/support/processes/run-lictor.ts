import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { CommandResult } from '../command-run.ts';

/** LICTOR_BIN runs another build, e.g. an installed package. */
export const LICTOR_BIN = process.env.LICTOR_BIN ?? fileURLToPath(new URL('../../../bin/lictor', import.meta.url));

/** Ten times what a command takes on a busy machine. */
const DEADLINE_MS = 60_000;

export interface RunOptions {
  /** Whose HTTP API it speaks to. */
  readonly agent?: { readonly url: string };
  readonly input?: string;
  /** The program; a symlink named consul, for example. */
  readonly bin?: string;
  readonly cwd?: string;
  /** Told of everything on standard output so far; `end` sends SIGINT, as Ctrl-C does. */
  readonly onOutput?: (stdout: string, end: () => void) => void;
  /** The same of standard error. */
  readonly onStderr?: (stderr: string, end: () => void) => void;
}

/** Runs one command of the real program as a user does, and gives what it printed. */
export function runLictor(args: readonly string[], options: RunOptions = {}): Promise<CommandResult> {
  const env = { ...process.env, ...(options.agent ? { CONSUL_HTTP_ADDR: options.agent.url } : {}) };
  return new Promise((resolve, reject) => {
    const child = spawn(options.bin ?? LICTOR_BIN, args, { env, cwd: options.cwd, timeout: DEADLINE_MS });
    const printed = { stdout: '', stderr: '' };
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      printed.stdout += text;
      options.onOutput?.(printed.stdout, () => child.kill('SIGINT'));
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      printed.stderr += text;
      options.onStderr?.(printed.stderr, () => child.kill('SIGINT'));
    });
    // A command need not read its input.
    child.stdin.on('error', () => {});
    child.stdin.end(options.input ?? '');
    child.once('error', reject);
    child.once('close', (code, signal) => {
      if (code === null) reject(new Error(`lictor ${args.join(' ')} ended by ${signal}: ${printed.stderr}`));
      else resolve({ code, ...printed });
    });
  });
}
