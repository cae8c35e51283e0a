import { spawn } from 'node:child_process';
import type { Writable } from 'node:stream';
import { request } from 'undici';
import { AppError, errorText } from '../../core/errors.ts';
import type { WatchChange } from './follow.ts';

/** What a change starts. Resolves when it is done; rejects with an AppError that says why it failed. */
export type WatchHandler = (change: WatchChange, signal: AbortSignal) => Promise<void>;

export interface HandlerIo {
  readonly stdout: Writable;
  readonly stderr: Writable;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Runs a command for each change: JSON on its standard input, the index in CONSUL_INDEX (Consul's contract). */
export function commandHandler(args: readonly string[], io: HandlerIo): WatchHandler {
  return (change, signal) =>
    new Promise((resolve, reject) => {
      const [file, ...rest] = args;
      const env = { ...io.env, CONSUL_INDEX: change.index };
      const child = spawn(file!, rest, { env, stdio: ['pipe', 'pipe', 'pipe'], signal });
      child.stdout.pipe(io.stdout, { end: false });
      child.stderr.pipe(io.stderr, { end: false });
      // A handler need not read its input.
      child.stdin.on('error', () => {});
      child.stdin.end(`${JSON.stringify(change.value)}\n`);
      child.once('error', (cause) => {
        if (signal.aborted) resolve();
        else reject(new AppError('config', `cannot run ${file}: ${errorText(cause)}`, { cause }));
      });
      child.once('close', (code, killed) => {
        if (code === 0 || signal.aborted) resolve();
        else reject(new AppError('config', `${file} ended with ${killed ?? `exit code ${code}`}`));
      });
    });
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
