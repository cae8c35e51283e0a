import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';

/** What to start, and where its output goes. */
export interface ProcessSpec {
  /** For messages: `etcd`, `operator 2`. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** Added to this process's own environment; `undefined` removes a variable. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  /** Both output streams are appended here, so that a slow reader never blocks the process. */
  readonly logFile: string;
  /**
   * The process whose end kills this one. Default: the one that calls `startTied`. With another's pid the process
   * stays when its starter ends, which is how several test files share one.
   */
  readonly tiedTo?: number;
  /** Folders removed once this process was killed because the one it is tied to has ended. */
  readonly removeOnDeath?: readonly string[];
}

/** How a process ended: one of the two is not null. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/**
 * A real process that a test started. It never outlives the process it is tied to, however that one ends: a watchdog
 * waits for its end and kills with SIGKILL, which reaches a stopped process too.
 */
export class TiedProcess {
  readonly name: string;
  readonly pid: number;
  readonly logFile: string;
  readonly exited: Promise<Exit>;
  #exit: Exit | undefined;
  readonly #releaseWatchdog: () => void;

  constructor(spec: ProcessSpec, child: ChildProcess, releaseWatchdog: () => void) {
    this.name = spec.name;
    this.pid = child.pid!;
    this.logFile = spec.logFile;
    this.#releaseWatchdog = releaseWatchdog;
    this.exited = new Promise((resolve) => {
      child.once('exit', (code, signal) => {
        this.#exit = { code, signal };
        this.#releaseWatchdog();
        resolve(this.#exit);
      });
    });
  }

  get running(): boolean {
    return this.#exit === undefined;
  }

  /** How it ended; undefined while it runs. */
  get exit(): Exit | undefined {
    return this.#exit;
  }

  /** All that it printed so far, both streams. */
  log(): string {
    return readFileSync(this.logFile, 'utf8');
  }

  /** The last lines of what it printed, for messages. */
  logTail(lines = 30): string {
    return this.log().trimEnd().split('\n').slice(-lines).join('\n');
  }

  /** Sends a signal to this process; nothing when it has ended. */
  signal(signal: NodeJS.Signals): void {
    if (this.running) process.kill(this.pid, signal);
  }

  /** SIGSTOP: it keeps its connections and leases but does nothing until `resume`. */
  pause(): void {
    this.signal('SIGSTOP');
  }

  resume(): void {
    this.signal('SIGCONT');
  }

  /** SIGKILL, and waits for the end. */
  async kill(): Promise<Exit> {
    this.signal('SIGKILL');
    return this.exited;
  }

  /** SIGTERM, and SIGKILL after the grace period; waits for the end. */
  async stop(graceMs = 10_000): Promise<Exit> {
    this.resume();
    this.signal('SIGTERM');
    const timer = setTimeout(() => this.signal('SIGKILL'), graceMs);
    try {
      return await this.exited;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Memory that is in use now, in bytes (Linux). */
  residentBytes(): number {
    const line = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${this.pid}/status`, 'utf8'));
    if (!line) throw new Error(`${this.name} has no resident size`);
    return Number(line[1]) * 1024;
  }

  /** The highest memory use since its start, in bytes (Linux). */
  peakResidentBytes(): number {
    const line = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${this.pid}/status`, 'utf8'));
    if (!line) throw new Error(`${this.name} has no peak size`);
    return Number(line[1]) * 1024;
  }

  /** Processor time used since its start, user and system, in seconds (Linux, 100 ticks a second). */
  cpuSeconds(): number {
    const fields = readFileSync(`/proc/${this.pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
    return (Number(fields[11]) + Number(fields[12])) / 100;
  }
}

/**
 * Starts a process that cannot outlive the one it is tied to.
 * @throws Error when the program cannot be started.
 */
export async function startTied(spec: ProcessSpec): Promise<TiedProcess> {
  const shared = spec.tiedTo !== undefined;
  const log = openSync(spec.logFile, 'a');
  const env: NodeJS.ProcessEnv = { ...process.env, ...spec.env };
  const child = spawn(spec.command, spec.args, { cwd: spec.cwd, env, stdio: ['ignore', log, log], detached: shared });
  closeSync(log);
  if (child.pid === undefined) {
    await new Promise((_, reject) =>
      child.once('error', (cause) => reject(new Error(`${spec.name} does not start`, { cause }))),
    );
  }
  const release = shared ? watchOther(child.pid!, spec) : watchSelf(child.pid!, spec);
  if (shared) child.unref();
  return new TiedProcess(spec, child, release);
}

/** A shell that kills `pid` when the pipe from this process closes without a word; returns how to dismiss it. */
function watchSelf(pid: number, spec: ProcessSpec): () => void {
  const folders = spec.removeOnDeath ?? [];
  const script = 'read word && exit; pid=$1; shift; kill -9 "$pid"; [ $# = 0 ] || { sleep 1; rm -rf "$@"; }';
  const watchdog = spawn('/bin/sh', ['-c', script, 'watchdog', String(pid), ...folders], {
    // Its own session: Ctrl-C in the terminal of the test must not end it before the test.
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  watchdog.unref();
  const pipe = watchdog.stdin as typeof watchdog.stdin & { unref?: () => void };
  pipe.unref?.();
  pipe.on('error', () => {});
  return () => pipe.end('done\n');
}

/** A shell that kills `pid` once the process it is tied to is gone. */
function watchOther(pid: number, spec: ProcessSpec): () => void {
  const folders = spec.removeOnDeath ?? [];
  const script =
    'tied=$1; pid=$2; shift 2; while kill -0 "$tied" && kill -0 "$pid"; do sleep 1; done; kill -9 "$pid"; [ $# = 0 ] || { sleep 1; rm -rf "$@"; }';
  const watchdog = spawn('/bin/sh', ['-c', script, 'watchdog', String(spec.tiedTo), String(pid), ...folders], {
    detached: true,
    stdio: 'ignore',
  });
  watchdog.unref();
  return () => {};
}
