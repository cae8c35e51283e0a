import type { Random } from './random.ts';

/** Exponential back-off: `baseMs * 2^attempt`, at most `maxMs`, of which up to `jitter` (0..1) is taken away at random. */
export interface BackoffOptions {
  readonly baseMs: number;
  readonly maxMs: number;
  readonly jitter: number;
}

/** The wait before retry number `attempt` (0 = the first retry), in milliseconds. */
export function backoffMs(attempt: number, options: BackoffOptions, random: Pick<Random, 'next'>): number {
  // Past 2^30 the product says nothing new and would lose precision.
  const full = Math.min(options.maxMs, options.baseMs * 2 ** Math.min(attempt, 30));
  return full * (1 - options.jitter * random.next());
}

/** Counts consecutive failures and gives the wait before the next try. */
export class Backoff {
  #attempt = 0;
  readonly #options: BackoffOptions;
  readonly #random: Pick<Random, 'next'>;

  constructor(deps: { random: Pick<Random, 'next'> }, options: BackoffOptions) {
    this.#random = deps.random;
    this.#options = options;
  }

  /** Failures since the last `reset`. */
  get failures(): number {
    return this.#attempt;
  }

  /** The next wait in milliseconds; counts one failure. */
  next(): number {
    return backoffMs(this.#attempt++, this.#options, this.#random);
  }

  /** To be called after a success. */
  reset(): void {
    this.#attempt = 0;
  }
}
