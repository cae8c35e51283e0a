import { type ChildProcess, spawn } from 'node:child_process';
import { SystemClock } from '../core/clock.ts';
import { parseGoDuration } from '../core/duration.ts';
import { AppError, errorText } from '../core/errors.ts';
import { stopAtFirstArgument } from './arguments.ts';
import { CommandExit, type CommandIo } from './command.ts';
import { HttpApi } from './http-api.ts';
import { HeldLock, type LockOptions } from './lock-holder.ts';
import { type ClientFlags, clientOptions, command, program, withClientFlags } from './program.ts';

interface LockFlags extends ClientFlags {
  childExitCode?: boolean;
  monitorRetry: string;
  n: string;
  name?: string;
  passStdin?: boolean;
  shell: boolean;
  timeout?: string;
  try?: boolean;
  verbose?: boolean;
}

/** The child may end by itself for so long after it was told to; then it is killed. */
const CHILD_GRACE_MS = 5_000;
/** The exit code when the child failed and -child-exit-code is given. */
const CHILD_FAILED = 2;

/** `lictor lock`: runs a command while it holds a lock. */
export const lockCommand = command({
  name: 'lock',
  summary: 'Run a command while holding a lock',
  program(io) {
    const target = program(
      'lictor lock',
      'Runs a command while it holds a lock, or one of N places. The command is killed when the lock is lost.',
      [
        'lictor lock service/backup/lock ./backup.sh',
        'lictor lock -n 3 workers ./work --verbose',
        'lictor lock -try -timeout=15s -child-exit-code deploy ./deploy.sh',
      ],
      io,
    );
    withClientFlags(stopAtFirstArgument(target))
      .argument('<prefix>', 'below which the keys of the lock lie')
      .argument('<child...>', 'the command and its arguments')
      .option('--child-exit-code', 'exit 2 when the command failed')
      .option('--monitor-retry <number>', 'how often to ask again when servers do not answer while it holds', '3')
      .option('-n, --n <number>', 'how many may hold it at a time; all must say the same', '1')
      .option('--name <name>', 'name of the session (default: from the command and the prefix)')
      .option('--pass-stdin', 'the command reads this command’s standard input')
      .option('--no-shell', 'start the command itself, not through a shell (also -shell=false)')
      .option('--timeout <duration>', 'how long to try to get the lock (default: for ever)')
      .option('--try', 'try once, for as long as -timeout says')
      .option('--verbose', 'say what happens');
    return target.action((prefix: string, child: string[], flags: LockFlags) => lock(prefix, child, flags, io));
  },
});

async function lock(prefix: string, child: string[], flags: LockFlags, io: CommandIo): Promise<void> {
  const options = lockOptions(prefix, child, flags);
  const say = (text: string) => {
    if (flags.verbose) io.stdout.write(`${text}\n`);
  };
  // Its own signal: the session has to be ended after the command was told to stop.
  const api = new HttpApi(clientOptions(flags, io));
  const held = new HeldLock({ api, say, clock: new SystemClock() }, options);
  try {
    say(`Setting up lock at path: ${options.prefix}`);
    say('Attempting lock acquisition');
    if (!(await held.acquire(io.signal))) {
      if (io.signal.aborted) throw new CommandExit(1, 'Shutdown triggered or timeout during lock acquisition');
      throw new CommandExit(1, 'Lock acquisition failed: timed out');
    }
    await runChild(child, flags, { io, lost: held.lost, say });
  } finally {
    say('Releasing lock');
    await held.release().catch((error: unknown) => io.stderr.write(`Lock release failed: ${errorText(error)}\n`));
    await api.close();
  }
}

function lockOptions(prefix: string, child: readonly string[], flags: LockFlags): LockOptions {
  // A single letter keeps the sign between it and its value.
  const limit = Number(flags.n.replace(/^=/, ''));
  if (!Number.isInteger(limit) || limit < 1) throw new AppError('config', `-n=${flags.n}: a whole number from 1`);
  const retries = Number(flags.monitorRetry);
  if (!Number.isInteger(retries) || retries < 0) {
    throw new AppError('config', `-monitor-retry=${flags.monitorRetry}: a whole number from 0`);
  }
  const timeoutMs = flags.timeout === undefined ? 0 : parseGoDuration(flags.timeout);
  if (timeoutMs === undefined || timeoutMs < 0) {
    throw new AppError('config', `-timeout=${flags.timeout}: a duration such as 15s`);
  }
  if (flags.try && timeoutMs === 0) throw new AppError('config', '-try needs -timeout');
  const path = prefix.replace(/^\/+|\/+$/g, '');
  if (path === '') throw new AppError('config', 'the prefix must not be empty');
  const name = flags.name || `Consul lock for '${child.join(' ')}' at '${path}'`;
  return { prefix: path, limit, retries, timeoutMs, name };
}

interface ChildDeps {
  readonly io: CommandIo;
  readonly lost: AbortSignal;
  readonly say: (text: string) => void;
}

async function runChild(argv: readonly string[], flags: LockFlags, { io, lost, say }: ChildDeps): Promise<void> {
  say('Starting handler');
  const options = {
    // A group of its own, so that what a shell has started is told too.
    detached: true,
    stdio: [flags.passStdin ? 'inherit' : 'ignore', 'pipe', 'pipe'] as ['inherit' | 'ignore', 'pipe', 'pipe'],
    env: { ...io.env, CONSUL_LOCK_HELD: 'true' },
  };
  const child = flags.shell
    ? spawn('/bin/sh', ['-c', argv.join(' ')], options)
    : spawn(argv[0]!, argv.slice(1), options);
  child.stdout?.pipe(io.stdout, { end: false });
  child.stderr?.pipe(io.stderr, { end: false });
  const ended = new Promise<number>((resolve, reject) => {
    child.once('error', (cause) =>
      reject(new AppError('config', `cannot start ${argv[0]}: ${errorText(cause)}`, { cause })),
    );
    child.once('close', (code) => resolve(code ?? 1));
  });
  const stop = (why: string) => () => {
    say(`${why}, killing child`);
    void kill(child, ended);
  };
  const onLost = stop('Lock lost');
  const onStop = stop('Shutdown triggered');
  lost.addEventListener('abort', onLost, { once: true });
  io.signal.addEventListener('abort', onStop, { once: true });
  if (lost.aborted) onLost();
  let code: number;
  try {
    code = await ended;
  } finally {
    lost.removeEventListener('abort', onLost);
    io.signal.removeEventListener('abort', onStop);
  }
  if (lost.aborted) throw new CommandExit(1, 'Lock lost, the command was killed');
  if (code !== 0) say(`Child exited with ${code}`);
  if (code !== 0 && flags.childExitCode) throw new CommandExit(CHILD_FAILED);
}

async function kill(child: ChildProcess, ended: Promise<unknown>): Promise<void> {
  signal(child, 'SIGTERM');
  const timer = AbortSignal.timeout(CHILD_GRACE_MS);
  timer.addEventListener('abort', () => signal(child, 'SIGKILL'));
  await ended.catch(() => {});
}

/** To the whole group of the child. */
function signal(child: ChildProcess, name: NodeJS.Signals): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  try {
    process.kill(-child.pid, name);
  } catch {
    // It has ended in between.
  }
}
