import { spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync, renameSync, rmSync, statSync, truncateSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { writeFileAtomically } from '../../core/atomic-file.ts';
import { Backoff } from '../../core/backoff.ts';
import type { Clock } from '../../core/clock.ts';
import { AppError, errorText } from '../../core/errors.ts';
import { fileProblem } from '../../core/file-problem.ts';
import type { RunContext, Runnable } from '../../core/lifecycle.ts';
import type { Logger } from '../../core/log.ts';
import { makeFolder } from '../../core/make-folder.ts';
import type { Random } from '../../core/random.ts';
import type { JsonCalls } from './json-calls.ts';
import { NARROWING_FLAGS } from './member-tls-args.ts';
import { EtcdMembers, type Membership } from './members.ts';
import { ProcessIdFile } from './process-id-file.ts';
import { argumentsOf, findEtcdOf, isEtcdOf } from './process-table.ts';

export interface EtcdProcessDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly random: Random;
  readonly calls: JsonCalls;
}

export interface EtcdProcessOptions {
  /** A path, or a name on PATH. */
  readonly bin: string;
  /** Holds `data`, `etcd.log` and `etcd.pid`. */
  readonly folder: string;
  readonly name: string;
  readonly clientUrl: string;
  readonly listenPeerUrl: string;
  readonly peerUrl: string;
  /** Its flags for TLS as of its next start, where the URLs begin with `https:`. */
  readonly tlsArgs?: () => readonly string[];
}

/** How a member without data begins. */
export interface InitialCluster {
  /** `name=url,…` */
  readonly members: string;
  readonly state: 'new' | 'existing';
  readonly token: string;
}

/** Etcd's log is cut when it gets longer; its last part stays as etcd.log.1 at a start. */
const MAX_LOG_BYTES = 32 * 2 ** 20;
/** Etcd's last words once others have taken it out. */
const REMOVED = /permanently removed from the cluster/;
/** Etcd's words (raft's log.go) when the others know more of its log than it has itself. */
const FORGETS = /tocommit\(\d+\) is out of range/;
/** A trace of Go's stack follows. */
const TRACE_BYTES = 64 * 1024;
const LOOK_MS = 500;
/** An etcd that does not answer within this does not start. */
export const START_MS = 60_000;
const STOP_MS = 20_000;
/** For what was killed to be gone. */
const KILL_MS = 10_000;
const RESTART_MS = 15_000;

/**
 * An etcd beside the server: it goes on when the server ends, and the next one finds it by the file of its process id.
 * As a runnable it starts the etcd again when that has ended.
 */
export class EtcdProcess implements Runnable {
  readonly name = 'etcd';
  readonly members: EtcdMembers;
  readonly #deps: EtcdProcessDeps;
  readonly #options: EtcdProcessOptions;
  readonly #pidFile: ProcessIdFile;
  #initial: InitialCluster | undefined;
  #restarts = false;
  /** Its process when it was looked at last. */
  #pid: number | undefined;
  /** Where the log of the present run begins. */
  #logFrom = 0;

  constructor(deps: EtcdProcessDeps, options: EtcdProcessOptions) {
    this.#deps = deps;
    // Others may have a folder of the same name where they were started.
    this.#options = { ...options, folder: resolve(options.folder) };
    this.members = new EtcdMembers(deps, options.clientUrl);
    this.#pidFile = new ProcessIdFile(deps, options.folder);
  }

  /** Whether it has been a member before. Etcd puts its log there as a whole; without it, it begins anew. */
  get hasData(): boolean {
    return existsSync(join(this.#options.folder, 'data', 'member', 'wal'));
  }

  /** Etcd's cluster that its data is of; '' when that is not known. */
  get clusterId(): string {
    try {
      return readFileSync(join(this.#options.folder, 'cluster-id'), 'utf8').trim();
    } catch {
      return '';
    }
  }

  async keepClusterId(id: string): Promise<void> {
    if (id !== this.clusterId) await writeFileAtomically(join(this.#options.folder, 'cluster-id'), `${id}\n`);
  }

  /** Moves its data away, in the place of what was moved away before; where to. To be called while it does not run. */
  setAside(): string {
    const data = join(this.#options.folder, 'data');
    rmSync(`${data}.old`, { recursive: true, force: true });
    renameSync(data, `${data}.old`);
    return `${data}.old`;
  }

  /** Its process, or undefined when none of this folder runs; also when it is not written down which that is. */
  get pid(): number | undefined {
    const data = join(this.#options.folder, 'data');
    const known = [this.#pid, this.#pidFile.read()].find((pid) => pid !== undefined && isEtcdOf(pid, data));
    this.#pid = known ?? findEtcdOf(data);
    return this.#pid;
  }

  /** Writes down one that runs although its process id was not written: its server was killed within that moment. */
  adopt(): void {
    const { pid } = this;
    if (pid === undefined || pid === this.#pidFile.read()) return;
    this.#deps.log.info('etcd has been found', { pid });
    this.#pidFile.write(pid);
  }

  /** Starts it unless it runs. `initial` counts only for a member without data. */
  start(initial?: InitialCluster): void {
    this.#initial = initial ?? this.#initial;
    const running = this.pid;
    this.#logFrom = this.#logBytes();
    if (running !== undefined) {
      this.#deps.log.info('etcd runs already', { pid: running });
      this.#pidFile.write(running);
      return;
    }
    const { folder, bin } = this.#options;
    makeFolder(folder, 0o700);
    // Killed before it had a log, etcd must not take what else is there for data of this cluster.
    if (initial && !this.hasData && existsSync(join(folder, 'data'))) this.setAside();
    const logFile = join(folder, 'etcd.log');
    if (this.#logFrom > MAX_LOG_BYTES / 4) {
      renameSync(logFile, `${logFile}.1`);
      this.#logFrom = 0;
    }
    const log = openSync(logFile, 'a', 0o600);
    const child = spawn(bin, this.#args(), { stdio: ['ignore', log, log], detached: true });
    closeSync(log);
    child.on('error', (err) => this.#deps.log.error('etcd does not start', { err }));
    child.unref();
    if (child.pid === undefined) return;
    this.#pid = child.pid;
    this.#pidFile.write(child.pid);
    this.#deps.log.info('etcd has been started', { pid: child.pid, log: logFile });
  }

  /** Waits until it answers under its own name. @throws AppError `unavailable` with its last words, `config`. */
  async answers(signal: AbortSignal, withinMs = START_MS): Promise<Membership> {
    const { clock } = this.#deps;
    const until = clock.monotonic() + withinMs;
    for (;;) {
      try {
        const list = await this.members.list();
        this.#checkName(list);
        return list;
      } catch (error) {
        if (error instanceof AppError && error.code === 'config') throw error;
        const over = this.pid === undefined || clock.monotonic() > until;
        if (this.pid === undefined) this.#assertRemembers();
        if (over) throw new AppError('unavailable', `etcd does not serve (${errorText(error)}): ${this.lastWords()}`);
      }
      await clock.sleep(LOOK_MS / 5, signal);
      signal.throwIfAborted();
    }
  }

  /** The last lines of its log, for messages. */
  lastWords(): string {
    try {
      return readFileSync(join(this.#options.folder, 'etcd.log'), 'utf8').trimEnd().slice(-1000);
    } catch {
      return 'it has written no log';
    }
  }

  /**
   * For one that has ended: whether that was because it lacks what it had confirmed to the others. They have all of its
   * data, and it can only do harm with what is left: it is set aside.
   * @throws AppError `unavailable`.
   */
  #assertRemembers(): void {
    const bytes = this.#logBytes();
    // The file is cut when it gets long.
    const from = Math.max(this.#logFrom > bytes ? 0 : this.#logFrom, bytes - TRACE_BYTES);
    if (!FORGETS.test(this.#logAfter(from))) return;
    const what = 'the data of the etcd here is older than what it had confirmed to the others, as with an old disk';
    const old = this.setAside();
    throw new AppError('unavailable', `${what}; it was moved to ${old}: start this server again, and it enters anew`);
  }

  #logBytes(): number {
    return statSync(join(this.#options.folder, 'etcd.log'), { throwIfNoEntry: false })?.size ?? 0;
  }

  #logAfter(from: number): string {
    try {
      return readFileSync(join(this.#options.folder, 'etcd.log')).subarray(from).toString();
    } catch {
      return '';
    }
  }

  async run({ signal, ready }: RunContext): Promise<void> {
    const { clock, log, random } = this.#deps;
    const backoff = new Backoff({ random }, { baseMs: 500, maxMs: 30_000, jitter: 0.2 });
    ready();
    let lives = 0;
    while (!signal.aborted) {
      await clock.sleep(LOOK_MS, signal);
      if (signal.aborted) return;
      this.#boundLog();
      const { pid } = this;
      if (pid !== undefined || this.#restarts) {
        if (pid !== undefined) this.#pidFile.write(pid);
        lives += 1;
        // It has lived for 30 s.
        if (lives * LOOK_MS > 30_000) backoff.reset();
        continue;
      }
      lives = 0;
      if (REMOVED.test(this.lastWords())) {
        const what = 'this server was taken out of the cluster while it could not be reached';
        throw new AppError('unavailable', `${what}; start it again, and it enters anew`);
      }
      this.#assertRemembers();
      const waitMs = backoff.next();
      log.error('etcd has ended and is started again', {
        waitMs: Math.round(waitMs),
        last: this.lastWords().slice(-300),
      });
      await clock.sleep(waitMs, signal);
      if (!signal.aborted) this.#tryToStart();
    }
  }

  /** As long as the disk does not let it, it is tried again. */
  #tryToStart(): void {
    try {
      this.start();
    } catch (error) {
      const { path } = error as NodeJS.ErrnoException;
      this.#deps.log.error('etcd cannot be started yet', { file: path, problem: fileProblem(error) });
    }
  }

  /** Ends it in order, or by force after a time. @throws AppError `unavailable` when it cannot be ended. */
  async stop(withinMs = STOP_MS): Promise<void> {
    const { clock } = this.#deps;
    const pid = this.pid;
    if (pid === undefined) return;
    kill(pid, withinMs > 0 ? 'SIGTERM' : 'SIGKILL');
    const until = clock.monotonic() + withinMs;
    while (this.pid === pid) {
      if (clock.monotonic() > until) kill(pid, 'SIGKILL');
      if (clock.monotonic() > until + KILL_MS) {
        throw new AppError('unavailable', `etcd, process ${pid}, does not end though it was killed`);
      }
      await clock.sleep(50);
    }
  }

  /**
   * Starts it again for what it reads at its start alone; nothing when it does not run. Waits until it answers, so that
   * whoever does so at one server after the other keeps a quorum. It is ended by force, which loses nothing that it has
   * acknowledged: in order, etcd 3.7 would serve nobody for seconds until the watches have ended.
   */
  async restart(): Promise<void> {
    if (this.pid === undefined) return;
    this.#restarts = true;
    try {
      await this.stop(0);
      this.start();
      await this.answers(new AbortController().signal, RESTART_MS);
    } catch (err) {
      this.#deps.log.warn('etcd does not answer yet after it was started again', { err });
    } finally {
      this.#restarts = false;
    }
  }

  /** Ends one that an earlier server started with other addresses or TLS; the next start gives it those of now. */
  async stopIfOther(): Promise<void> {
    const { pid } = this;
    if (pid === undefined || runsWith(pid, this.#lastingArgs())) return;
    this.#deps.log.info('etcd runs with other addresses or TLS, and is started anew', { pid });
    await this.stop();
  }

  /** Up to where its data know Raft's log to be acknowledged, as it said at its start; undefined when it has not. */
  committed(): string | undefined {
    return [...this.#logAfter(0).matchAll(/newRaft [^\n]*?commit: (\d+)/g)].at(-1)?.[1];
  }

  /** For an operator: makes a cluster of this member alone out of its data. */
  standaloneCommand(): string {
    return [this.#options.bin, ...this.#lastingArgs(), '--force-new-cluster'].map(quoted).join(' ');
  }

  /** For an operator: ends it while its server does not run. */
  endCommand(): string {
    const { pid } = this;
    const isThere = pid === undefined || pid === this.#pidFile.read();
    return isThere ? `kill $(cat ${quoted(this.#pidFile.path)})` : `kill ${pid}`;
  }

  #args(): string[] {
    const initial = this.#initial;
    return [
      ...this.#lastingArgs(),
      ...(initial ? ['--initial-cluster', initial.members, '--initial-cluster-state', initial.state] : []),
      ...(initial ? ['--initial-cluster-token', initial.token] : []),
    ];
  }

  #lastingArgs(): string[] {
    const { folder, name, clientUrl, listenPeerUrl, peerUrl, tlsArgs } = this.#options;
    return [
      ...['--name', name, '--data-dir', join(folder, 'data')],
      // One that was cut off does not make the others elect anew when it is back; the default only since 3.5.
      '--pre-vote',
      ...['--listen-client-urls', clientUrl, '--advertise-client-urls', clientUrl],
      ...['--listen-peer-urls', listenPeerUrl, '--initial-advertise-peer-urls', peerUrl],
      ...(tlsArgs?.() ?? []),
    ];
  }

  /** Somebody else's etcd may listen where this one should. */
  #checkName({ members, ownId }: Membership): void {
    const own = members.find(({ id }) => id === ownId);
    const { name, clientUrl, folder } = this.#options;
    if (!own || own.name === '' || own.name === name) return;
    const other = `the etcd at ${clientUrl} is ${own.name}, not ${name}`;
    throw new AppError(
      'config',
      `${other}: give another -etcd-client-port, the -node of before, or move ${folder} away to join anew`,
    );
  }

  /** Etcd appends, so a file that is cut is gone on with from its start. */
  #boundLog(): void {
    try {
      const file = join(this.#options.folder, 'etcd.log');
      if (statSync(file).size > MAX_LOG_BYTES) truncateSync(file);
    } catch {
      // It has not written yet.
    }
  }
}

/** For a shell. */
function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** True where the arguments of processes cannot be read. */
function runsWith(pid: number, args: readonly string[]): boolean {
  try {
    const line = argumentsOf(pid);
    const narrowed = NARROWING_FLAGS.every((flag) => line.includes(flag) === args.includes(flag));
    return narrowed && args.every((arg) => line.includes(arg));
  } catch {
    return true;
  }
}

/** Nothing when it has just ended. @throws AppError `unavailable` when this user may not. */
function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ESRCH') return;
    throw new AppError('unavailable', `etcd, process ${pid}, cannot be ended: ${fileProblem(cause)}`, { cause });
  }
}
