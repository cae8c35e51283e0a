import type { Clock } from '../core/clock.ts';
import { AppError } from '../core/errors.ts';
import type { Random } from '../core/random.ts';

/** Consul's default_query_time. */
const DEFAULT_WAIT_MS = 300_000;
/** The most that a configuration may allow; listeners have a lower limit (http/http-policy.ts). */
const MAX_WAIT_MS = 24 * 3_600_000;
/** Up to this part of the wait is added at random, so that clients do not come back all at once (Consul's 1/16). */
const JITTER_PART = 16;
/**
 * How long a client with an index from the future is held in the hope that this server catches up. Longer than a watch
 * ever lags; shorter than the default wait, so that a client of a catalog that was begun anew finds out soon.
 */
const CATCH_UP_MS = 10_000;

/** One reading of the data that a query depends on. */
export interface Reading<T> {
  /** May be made when it is first asked for, and then be newer than the index, but never older. */
  readonly value: T;
  /** The version of exactly this data. */
  readonly index: number;
  /** The newest index that the reader has applied; never below `index`. */
  readonly applied: number;
}

/** Calls `wake` after each change of the data; gives a function that stops it. @throws AppError `rateLimited`. */
export type Watch = (wake: () => void) => () => void;

/** What a blocking query gives: the data and the index to come back with, never below 1. */
export interface QueryResult<T> {
  readonly value: T;
  readonly index: number;
}

/** A query that waits for data newer than `index`. Times are the monotonic clock's. */
export interface Wait {
  readonly index: number;
  readonly startMs: number;
  readonly deadlineMs: number;
}

/** Begins to wait now. `waitMs` 0 or less is the default; each wait is longer by a random part of its own. */
export function beginWait(
  { clock, random }: { clock: Pick<Clock, 'monotonic'>; random: Random },
  { index, waitMs }: { index: number; waitMs: number },
): Wait {
  const wait = Math.min(waitMs > 0 ? waitMs : DEFAULT_WAIT_MS, MAX_WAIT_MS);
  const startMs = clock.monotonic();
  return { index, startMs, deadlineMs: startMs + wait + (random.next() * wait) / JITTER_PART };
}

/** When the query is answered although nothing has changed. */
export function endOfWait(
  { index, startMs, deadlineMs }: Wait,
  { applied }: Pick<Reading<unknown>, 'applied'>,
): number {
  return index > applied ? Math.min(deadlineMs, startMs + CATCH_UP_MS) : deadlineMs;
}

/**
 * The index of the answer that is due now; undefined while there is something to wait for. Never below 1, and not below
 * the client's own but for data that this reader does not reach.
 */
export function dueIndex(
  wait: Wait,
  reading: Pick<Reading<unknown>, 'index' | 'applied'>,
  nowMs: number,
): number | undefined {
  const ahead = wait.index > reading.applied;
  if (!ahead && reading.index > wait.index) return Math.max(reading.index, 1);
  if (nowMs < endOfWait(wait, reading)) return undefined;
  return Math.max(reading.index, ahead ? 0 : wait.index, 1);
}

/** Whether a query with this index is answered without waiting. */
export function isDueAtOnce(index: number, reading: Pick<Reading<unknown>, 'index' | 'applied'>): boolean {
  return index === 0 || (reading.index > index && index <= reading.applied);
}

/**
 * Waits until the data is newer than `index`, or the wait is over, and gives the data with its index. With index 0 it
 * gives the data at once. An index that this reader has not reached is waited for, bounded; only then a lower index is
 * handed back. On a timeout with unchanged data the index is the greater of the two, so it never falls for the client.
 * @throws AppError `shuttingDown` when the signal aborts, what `run` throws, `rateLimited` from `watch`.
 */
export async function blockingQuery<T>(
  deps: { clock: Clock; random: Random },
  options: { index: number; waitMs: number },
  run: () => Reading<T>,
  watch: Watch,
  signal: AbortSignal,
): Promise<QueryResult<T>> {
  const first = run();
  if (isDueAtOnce(options.index, first)) return { value: first.value, index: Math.max(first.index, 1) };
  const wait = beginWait(deps, options);
  const waiter = new Waiter(deps.clock, watch, signal);
  try {
    for (;;) {
      // Read after subscribing, and again after each wake: a change in between is never lost.
      const reading = run();
      const now = deps.clock.monotonic();
      const index = dueIndex(wait, reading, now);
      if (index !== undefined) return { value: reading.value, index };
      await waiter.next(endOfWait(wait, reading) - now);
      if (signal.aborted) throw new AppError('shuttingDown', 'the server is stopping');
    }
  } finally {
    waiter.end();
  }
}

/** Waits for a wake, a time or an abort, whichever comes first; a wake between two waits is kept. */
class Waiter {
  readonly #clock: Clock;
  readonly #signal: AbortSignal;
  readonly #unwatch: () => void;
  readonly #onAbort = () => this.#wake();
  #woken = false;
  #resume: (() => void) | undefined;

  constructor(clock: Clock, watch: Watch, signal: AbortSignal) {
    this.#clock = clock;
    this.#signal = signal;
    this.#unwatch = watch(() => this.#wake());
    signal.addEventListener('abort', this.#onAbort, { once: true });
  }

  next(ms: number): Promise<void> {
    if (this.#woken || this.#signal.aborted) {
      this.#woken = false;
      return Promise.resolve();
    }
    return new Promise((resolve) => {
      const timer = this.#clock.after(ms, () => this.#resume?.(), { keepAlive: true });
      this.#resume = () => {
        timer.cancel();
        this.#resume = undefined;
        this.#woken = false;
        resolve();
      };
    });
  }

  end(): void {
    this.#unwatch();
    this.#signal.removeEventListener('abort', this.#onAbort);
    this.#resume?.();
  }

  #wake(): void {
    this.#woken = true;
    this.#resume?.();
  }
}
