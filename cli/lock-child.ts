import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process';
import { SystemClock } from '../core/clock.ts';
import { AppError, errorText } from '../core/errors.ts';
import { exited, forwardOutput } from './child-process.ts';
import type { CommandIo } from './command.ts';

interface LockChildOptions {
  readonly io: CommandIo;
  /** Through /bin/sh, the arguments joined. */
  readonly shell: boolean;
  readonly passStdin: boolean;
}

/** How often it is looked whether anything of the group is left. */
const LOOK_MS = 20;

/** The command that runs while a lock is held, in a process group of its own, so that what a shell has started is told too. */
export class LockChild {
  readonly #child: ChildProcess;
  readonly #clock = new SystemClock();
  readonly #onExit = () => this.#signal('SIGKILL');
  /** Its exit code, 1 when a signal ended it; rejects with an AppError when it could not be started. */
  readonly ended: Promise<number>;

  constructor(argv: readonly string[], { io, shell, passStdin }: LockChildOptions) {
    const options = { detached: true, stdio: stdioOf(io, passStdin), env: { ...io.env, CONSUL_LOCK_HELD: 'true' } };
    const [file = '', ...args] = shell ? ['/bin/sh', '-c', argv.join(' ')] : argv;
    this.#child = spawn(file, args, options);
    forwardOutput(this.#child, io);
    // A second Ctrl-C ends this process at once: the command must not go on without its lock.
    process.on('exit', this.#onExit);
    this.ended = exited(this.#child).then(
      ({ code }) => code ?? 1,
      (cause: unknown) => {
        throw new AppError('config', `cannot start ${argv[0]}: ${errorText(cause)}`, { cause });
      },
    );
  }

  /** Tells the group to end; after the grace it is killed. Resolves when none of it is left, its leader or others. */
  async end(graceMs: number): Promise<void> {
    this.#signal('SIGTERM');
    const killAt = this.#clock.monotonic() + graceMs;
    while (this.#signal(0)) {
      if (this.#clock.monotonic() >= killAt) {
        this.#signal('SIGKILL');
        return;
      }
      await this.#clock.sleep(LOOK_MS);
    }
  }

  /** What it has left in the background is on its own from now on, as after any command. */
  letGo(): void {
    process.off('exit', this.#onExit);
  }

  /** To the whole group, also when its leader has gone; false when nobody is left in it. 0 only asks. */
  #signal(name: NodeJS.Signals | 0): boolean {
    if (this.#child.pid === undefined) return false;
    try {
      return process.kill(-this.#child.pid, name);
    } catch {
      return false;
    }
  }
}

/** Output that is this process's own is the command's, too: nothing stands between them when this process ends. */
function stdioOf(io: CommandIo, passStdin: boolean): StdioOptions {
  return [
    passStdin ? 'inherit' : 'ignore',
    io.stdout === process.stdout ? 'inherit' : 'pipe',
    io.stderr === process.stderr ? 'inherit' : 'pipe',
  ];
}
