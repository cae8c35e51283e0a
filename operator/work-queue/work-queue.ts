import { type BackoffOptions, backoffMs } from '../../core/backoff.ts';
import type { Clock, Timer } from '../../core/clock.ts';
import type { CounterMetric, HistogramMetric, Metrics } from '../../core/metrics.ts';
import type { Random } from '../../core/random.ts';
import { FullPass } from './full-pass.ts';

export interface WorkQueueOptions {
  /** The controller's name, a metric label. */
  readonly name: string;
  /** Most keys waiting, in work or delayed; beyond it, idle workers are given keys at once. @default 200,000 */
  readonly capacity?: number;
  /** Wait before a retry. @default 50 ms doubling to 30 s, half of it random */
  readonly backoff?: BackoffOptions;
  /**
   * Every key there is: after keys had to be refused, workers are given all that are not queued anyway, so that nothing
   * is lost. Undefined stands for a step that found none, so that a long search can be left between two. @default none
   */
  readonly allKeys?: () => Iterable<string | undefined>;
}

/** So many keys of a full pass are looked at in one go: well below a millisecond. */
const PASS_STEP = 256;

/**
 * Keys to work on. A key is queued once however often it is added, and never worked on by two workers at a time; added
 * while in work, it is queued again when that work is done.
 */
export class WorkQueue {
  readonly #clock: Clock;
  readonly #random: Pick<Random, 'next'>;
  readonly #options: Required<WorkQueueOptions>;
  /** Keys to be taken, oldest first, with the time they were added. */
  readonly #waiting = new Map<string, number>();
  readonly #working = new Set<string>();
  /** Keys added while in work. */
  readonly #again = new Set<string>();
  readonly #delayed = new Map<string, { readonly at: number; readonly timer: Timer }>();
  readonly #failures = new Map<string, number>();
  readonly #idle: ((key: string | undefined) => void)[] = [];
  readonly #pass: FullPass;
  readonly #metrics: { added: CounterMetric; retried: CounterMetric; refused: CounterMetric; waited: HistogramMetric };
  #passFirst = false;
  /** Set while idle workers wait for the rest of a full pass. */
  #passTimer: Timer | undefined;
  #closed = false;

  constructor(deps: { clock: Clock; random: Pick<Random, 'next'>; metrics: Metrics }, options: WorkQueueOptions) {
    this.#clock = deps.clock;
    this.#random = deps.random;
    this.#options = {
      capacity: 200_000,
      backoff: { baseMs: 50, maxMs: 30_000, jitter: 0.5 },
      allKeys: () => [],
      ...options,
    };
    this.#pass = new FullPass(deps, { allKeys: this.#options.allKeys, begun: () => this.#giveToIdle() });
    this.#metrics = queueMetrics(deps.metrics, options.name);
  }

  /** Keys that are waiting, in work or delayed. */
  get size(): number {
    return this.#waiting.size + this.#working.size + this.#delayed.size;
  }

  /** Whether there is nothing to do now; delayed keys do not count. */
  get idle(): boolean {
    return this.#waiting.size === 0 && this.#working.size === 0;
  }

  /** Queues a key; drops a delay that it had. */
  add(key: string): void {
    if (this.#closed) return;
    this.#undelay(key);
    if (this.#working.has(key)) {
      this.#again.add(key);
      return;
    }
    if (this.#waiting.has(key)) return;
    const worker = this.#idle.shift();
    if (!worker && !this.#hasRoom()) return;
    this.#metrics.added.add();
    if (worker) {
      this.#working.add(key);
      this.#metrics.waited.observe(0);
      worker(key);
    } else {
      this.#waiting.set(key, this.#clock.monotonic());
    }
  }

  /** Queues a key after `ms`; the earliest of several delays counts. */
  addAfter(key: string, ms: number): void {
    if (this.#closed) return;
    if (ms <= 0) {
      this.add(key);
      return;
    }
    const at = this.#clock.monotonic() + ms;
    const known = this.#delayed.get(key);
    if (known && known.at <= at) return;
    if (!known && !this.#hasRoom()) return;
    known?.timer.cancel();
    const timer = this.#clock.after(ms, () => this.add(key));
    this.#delayed.set(key, { at, timer });
  }

  /** Queues a key that failed, after a wait that grows with its failures in a row. */
  retry(key: string): void {
    const failures = this.#failures.get(key) ?? 0;
    this.#failures.set(key, failures + 1);
    this.#metrics.retried.add();
    this.addAfter(key, backoffMs(failures, this.#options.backoff, this.#random));
  }

  /** Failures in a row of a key. */
  failures(key: string): number {
    return this.#failures.get(key) ?? 0;
  }

  /** To be called when a key succeeded. */
  forget(key: string): void {
    this.#failures.delete(key);
  }

  /** The next key, which is in work until `done`; undefined once the queue is closed. */
  take(): Promise<string | undefined> {
    if (this.#closed) return Promise.resolve(undefined);
    const key = this.#next();
    if (key === undefined) return new Promise((resolve) => this.#idle.push(resolve));
    this.#working.add(key);
    return Promise.resolve(key);
  }

  /** Ends the work on a key. */
  done(key: string): void {
    this.#working.delete(key);
    if (this.#again.delete(key)) this.add(key);
  }

  /** Lets the workers end; waiting and delayed keys are dropped. */
  close(): void {
    this.#closed = true;
    this.#pass.close();
    this.#passTimer?.cancel();
    for (const { timer } of this.#delayed.values()) timer.cancel();
    this.#delayed.clear();
    this.#waiting.clear();
    for (const worker of this.#idle.splice(0)) worker(undefined);
  }

  /** In turn from those that wait and from a full pass, so that neither holds up the other. */
  #next(): string | undefined {
    this.#passFirst = !this.#passFirst;
    return this.#passFirst ? (this.#fromPass() ?? this.#fromWaiting()) : (this.#fromWaiting() ?? this.#fromPass());
  }

  #fromWaiting(): string | undefined {
    for (const [key, since] of this.#waiting) {
      this.#waiting.delete(key);
      this.#metrics.waited.observe((this.#clock.monotonic() - since) / 1000);
      return key;
    }
    return undefined;
  }

  /**
   * Nothing was refused of a key that is queued; above all, one that failed goes on to wait for its next attempt. Where many of
   * them come one after another, the rest is looked at later, so that nothing else waits for it.
   */
  #fromPass(): string | undefined {
    for (let looked = 0; looked < PASS_STEP; looked++) {
      const step = this.#pass.next();
      if (!step) return undefined;
      const key = step.value;
      if (key !== undefined && !this.#waiting.has(key) && !this.#working.has(key) && !this.#delayed.has(key))
        return key;
    }
    this.#passTimer ??= this.#clock.after(0, () => {
      this.#passTimer = undefined;
      this.#giveToIdle();
    });
    return undefined;
  }

  #giveToIdle(): void {
    while (this.#idle.length > 0) {
      const key = this.#fromPass();
      if (key === undefined) return;
      this.#working.add(key);
      this.#idle.shift()!(key);
    }
  }

  #undelay(key: string): void {
    this.#delayed.get(key)?.timer.cancel();
    this.#delayed.delete(key);
  }

  #hasRoom(): boolean {
    if (this.size < this.#options.capacity) return true;
    this.#pass.need();
    this.#metrics.refused.add();
    return false;
  }
}

function queueMetrics(metrics: Metrics, controller: string) {
  const counter = (what: string, help: string): CounterMetric => {
    const metric = metrics.counter({ name: `lictor_operator_queue_${what}_total`, help, labels: ['controller'] });
    return { add: (value = 1) => metric.add(value, { controller }) };
  };
  const waited = metrics.histogram(
    {
      name: 'lictor_operator_queue_wait_seconds',
      help: 'How long keys waited before a worker took them.',
      labels: ['controller'],
    },
    [0.001, 0.01, 0.1, 1, 10, 60],
  );
  return {
    added: counter('added', 'Keys queued.'),
    retried: counter('retried', 'Keys queued again after a failure.'),
    refused: counter('refused', 'Keys refused because the queue was full; a full pass follows.'),
    waited: { observe: (value: number) => waited.observe(value, { controller }) },
  };
}
