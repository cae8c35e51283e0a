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
  const { index } = options;
  if (index === 0 || (first.index > index && index <= first.applied)) return result(first, 0);
  const wait = Math.min(options.waitMs > 0 ? options.waitMs : DEFAULT_WAIT_MS, MAX_WAIT_MS);
  const start = deps.clock.monotonic();
  const deadline = start + wait + (deps.random.next() * wait) / JITTER_PART;
  const waiter = new Waiter(deps.clock, watch, signal);
  try {
    for (;;) {
      // Read after subscribing, and again after each wake: a change in between is never lost.
      const reading = run();
      const now = deps.clock.monotonic();
      if (index > reading.applied) {
        const end = Math.min(deadline, start + CATCH_UP_MS);
        if (now >= end) return result(reading, 0);
        await waiter.next(end - now);
      } else {
        if (reading.index > index) return result(reading, 0);
        if (now >= deadline) return result(reading, index);
        await waiter.next(deadline - now);
      }
      if (signal.aborted) throw new AppError('shuttingDown', 'the server is stopping');
    }
  } finally {
    waiter.end();
  }
}

function result<T>(reading: Reading<T>, atLeast: number): QueryResult<T> {
  return { value: reading.value, index: Math.max(reading.index, atLeast, 1) };
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
