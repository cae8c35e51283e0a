import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const WRITER = fileURLToPath(new URL('./store-writer.ts', import.meta.url));

/** A running `store-writer.ts` and what it has said so far. */
export interface StoreChild {
  readonly lines: string[];
  /** Resolves at the first line that begins with `start`, also a former one; rejects when the process ends before. */
  said(start: string): Promise<string>;
  /** kill -9; resolves when the process is gone and all its lines are in. */
  kill(): Promise<void>;
  /** Resolves with the exit code when the process has ended and all its lines are in. */
  readonly ended: Promise<number | null>;
  readonly stderr: () => string;
}

/**
 * Starts the writer, under `wrapper` (a program and its arguments) if given. The process is killed by its own id, and
 * with it the wrapper, which ends with what it traces.
 */
export function startStoreChild(args: readonly string[], options: { wrapper?: readonly string[] } = {}): StoreChild {
  const command = [
    ...(options.wrapper ?? []),
    process.execPath,
    '--disable-warning=ExperimentalWarning',
    WRITER,
    ...args,
  ];
  const env: NodeJS.ProcessEnv = { ...process.env, UV_THREADPOOL_SIZE: '1' };
  delete env.NODE_OPTIONS;
  const child = spawn(command[0]!, command.slice(1), { stdio: ['ignore', 'pipe', 'pipe'], env });
  let errors = '';
  child.stderr.on('data', (chunk: Buffer) => {
    errors += chunk.toString();
  });
  const lines: string[] = [];
  const listeners = new Set<() => void>();
  const output = createInterface({ input: child.stdout });
  output.on('line', (line) => {
    lines.push(line);
    for (const listener of listeners) listener();
  });
  const ended = finished(child, output);
  let over = false;
  void ended.then(() => {
    over = true;
    for (const listener of listeners) listener();
  });
  return {
    lines,
    ended,
    stderr: () => errors,
    said: (start) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const line = lines.find((one) => one.startsWith(start));
          if (line === undefined && !over) return;
          listeners.delete(look);
          if (line !== undefined) resolve(line);
          else reject(new Error(`the writer ended without saying "${start}": ${lines.join(' | ')} ${errors}`));
        };
        listeners.add(look);
        look();
      }),
    async kill() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

async function finished(child: ChildProcess, output: NodeJS.EventEmitter): Promise<number | null> {
  const [code] = await Promise.all([
    new Promise<number | null>((resolve) => child.once('exit', resolve)),
    new Promise<void>((resolve) => output.once('close', resolve)),
  ]);
  return code;
}
