import { SystemClock } from '../core/clock.ts';
import { parseGoDuration } from '../core/duration.ts';
import { AppError, errorText } from '../core/errors.ts';
import { stopAtFirstArgument } from './arguments.ts';
import { CommandExit, type CommandIo } from './command.ts';
import { HttpApi } from './http-api.ts';
import { kvPath } from './kv-pairs.ts';
import { LockChild } from './lock-child.ts';
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
  // The command does not see the terminal's hangup, being in a session of its own: without this it would go on alone.
  const hungUp = new AbortController();
  const off = io.onHangup?.(() => hungUp.abort());
  const stop = AbortSignal.any([io.signal, hungUp.signal]);
  try {
    say(`Setting up lock at path: ${options.prefix}${options.limit === 1 ? '/.lock' : ''}`);
    say('Attempting lock acquisition');
    const isHeld = await held.acquire(stop);
    // It may have come while the last request was on its way, too.
    if (stop.aborted) throw new CommandExit(1, 'Shutdown triggered or timeout during lock acquisition');
    if (!isHeld) throw new CommandExit(1, `Lock acquisition failed: ${held.lost.aborted ? LOST : 'timed out'}`);
    await runChild(child, flags, { io, stop, lost: held.lost, say });
  } finally {
    await letGo(held, { io, say });
    await api.close();
    off?.();
  }
}

const LOST = 'the session could not be renewed in time';

/** What fails here is told; how the command ended counts all the same. */
async function letGo(held: HeldLock, { io, say }: Pick<ChildDeps, 'io' | 'say'>): Promise<void> {
  say('Releasing lock');
  let what = 'release';
  try {
    const wasHeld = await held.release();
    if (!wasHeld) return;
    what = 'cleanup';
    say((await held.cleanUp()) === 'removed' ? 'Cleanup succeeded' : 'Cleanup aborted, lock in use');
  } catch (error) {
    io.stderr.write(`Lock ${what} failed: ${errorText(error)}\n`);
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
  kvPath(path);
  const name = flags.name || `Consul lock for '${child.join(' ')}' at '${path}'`;
  return { prefix: path, limit, retries, timeoutMs, name };
}

interface ChildDeps {
  readonly io: CommandIo;
  /** The user wants it to end. */
  readonly stop: AbortSignal;
  readonly lost: AbortSignal;
  readonly say: (text: string) => void;
}

async function runChild(argv: readonly string[], flags: LockFlags, deps: ChildDeps): Promise<void> {
  const { stop, lost, say } = deps;
  say('Starting handler');
  const child = new LockChild(argv, { ...deps, shell: flags.shell, passStdin: flags.passStdin ?? false });
  let ending: Promise<void> | undefined;
  const end = (why: string) => () => {
    say(`${why}, killing child`);
    ending ??= child.end(CHILD_GRACE_MS);
  };
  const off = [whenAborted(lost, end('Lock lost')), whenAborted(stop, end('Shutdown triggered'))];
  let code: number;
  try {
    code = await child.ended;
  } finally {
    for (const remove of off) remove();
    // What it has started may still be at work: nobody else may get the lock before.
    await ending;
    child.letGo();
  }
  if (lost.aborted) throw new CommandExit(1, 'Lock lost, the command was killed');
  if (code !== 0) say(`Child exited with ${code}`);
  if (code !== 0 && flags.childExitCode) throw new CommandExit(CHILD_FAILED);
}

/** Calls back once, also when it has aborted already; gives what takes that back. */
function whenAborted(signal: AbortSignal, listener: () => void): () => void {
  if (signal.aborted) listener();
  else signal.addEventListener('abort', listener, { once: true });
  return () => signal.removeEventListener('abort', listener);
}
