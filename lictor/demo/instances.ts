import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Clock } from '../../core/clock.ts';
import { AppError } from '../../core/errors.ts';

/** The demo's services as child processes: real ones, with ports of their own, that can be killed. */
export class DemoInstances {
  readonly ports: readonly number[];
  readonly #command: readonly string[];
  readonly #clock: Clock;
  readonly #children = new Map<number, ChildProcess>();

  /** `command` starts one instance when `name --port N` is added to it. */
  constructor(deps: { clock: Clock }, options: { ports: readonly number[]; command: readonly string[] }) {
    this.#clock = deps.clock;
    this.ports = options.ports;
    this.#command = options.command;
  }

  /** The name of instance number `at` (from 0). */
  name(at: number): string {
    return `web-${at + 1}`;
  }

  /** The process id of a running instance. */
  pid(at: number): number | undefined {
    const child = this.#children.get(at);
    return child && child.exitCode === null && child.signalCode === null ? child.pid : undefined;
  }

  async startAll(): Promise<void> {
    for (let at = 0; at < this.ports.length; at++) await this.start(at);
  }

  /** Starts an instance and waits for its first line. @throws AppError `addressInUse` or `internal`. */
  async start(at: number): Promise<void> {
    const [program, ...args] = this.#command;
    // The child ends when its standard input does, so it cannot outlive this process, however that ends.
    const child = spawn(program!, [...args, this.name(at), '--port', String(this.ports[at]), '--until-stdin-ends'], {
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    this.#children.set(at, child);
    let complaint = '';
    child.stderr!.on('data', (chunk) => {
      complaint = `${complaint}${String(chunk)}`.slice(-2_000);
    });
    const deadline = new AbortController();
    const outcome = await Promise.race([
      once(child.stdout!, 'data').then(() => 'up' as const),
      once(child, 'exit').then(() => 'ended' as const),
      this.#clock.sleep(15_000, deadline.signal).then(() => 'late' as const),
    ]);
    deadline.abort();
    if (outcome === 'up') return;
    if (outcome === 'late') child.kill('SIGKILL');
    // It is the same command, and says so first.
    const said = complaint.trim().replace(/^\S+ demo: /, '');
    throw new AppError('addressInUse', `${this.name(at)} did not start: ${said || 'no answer within 15 s'}`);
  }

  /** Kills an instance as a crash would. */
  async kill(at: number): Promise<void> {
    const child = this.#children.get(at);
    if (!child || this.pid(at) === undefined) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }

  async stopAll(): Promise<void> {
    await Promise.all(this.ports.map((_, at) => this.kill(at)));
  }
}
