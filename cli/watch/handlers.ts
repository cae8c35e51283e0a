import { spawn } from 'node:child_process';
import { request } from 'undici';
import { AppError, errorText } from '../../core/errors.ts';
import { type ChildExit, type ChildIo, exited, forwardOutput } from '../child-process.ts';
import type { WatchChange } from './follow.ts';

/** What a change starts. Resolves when it is done; rejects with an AppError that says why it failed. */
export type WatchHandler = (change: WatchChange, signal: AbortSignal) => Promise<void>;

export interface HandlerIo extends ChildIo {
  readonly env: Readonly<Record<string, string | undefined>>;
}

/**
 * Runs a command for each change: JSON on its standard input, the index in CONSUL_INDEX (Consul's contract). It is done
 * when the command itself has ended, whatever it has left in the background.
 */
export function commandHandler(args: readonly string[], io: HandlerIo): WatchHandler {
  return async (change, signal) => {
    const [file, ...rest] = args;
    const env = { ...io.env, CONSUL_INDEX: change.index };
    const child = spawn(file!, rest, { env, stdio: ['pipe', 'pipe', 'pipe'], signal });
    forwardOutput(child, io);
    // A handler need not read its input.
    child.stdin.on('error', () => {});
    child.stdin.end(`${JSON.stringify(change.value)}\n`);
    let ended: ChildExit;
    try {
      ended = await exited(child);
    } catch (cause) {
      if (signal.aborted) return;
      throw new AppError('config', `cannot run ${file}: ${errorText(cause)}`, { cause });
    }
    if (ended.code === 0 || signal.aborted) return;
    throw new AppError('config', `${file} ended with ${ended.signal ?? `exit code ${ended.code}`}`);
  };
}

/** Runs a line in /bin/sh for each change. */
export function shellHandler(line: string, io: HandlerIo): WatchHandler {
  return commandHandler(['/bin/sh', '-c', line], io);
}

/** Sends each change to a URL. */
export function httpHandler(target: {
  path: string;
  method: string;
  timeoutMs: number;
  header: Readonly<Record<string, readonly string[]>>;
}): WatchHandler {
  return async (change, signal) => {
    const headers = Object.fromEntries(Object.entries(target.header).map(([name, values]) => [name, [...values]]));
    let status: number;
    try {
      const answer = await request(target.path, {
        method: target.method as 'POST',
        headers: { 'content-type': 'application/json', 'x-consul-index': change.index, ...headers },
        body: JSON.stringify(change.value),
        signal: AbortSignal.any([signal, AbortSignal.timeout(target.timeoutMs)]),
      });
      await answer.body.dump();
      status = answer.statusCode;
    } catch (cause) {
      throw new AppError('unavailable', `${target.method} ${target.path}: ${errorText(cause)}`, { cause });
    }
    if (status >= 400) throw new AppError('unavailable', `${target.method} ${target.path} answered ${status}`);
  };
}
