import { Backoff } from '../../core/backoff.ts';
import type { Clock } from '../../core/clock.ts';
import type { Random } from '../../core/random.ts';
import type { Indexed } from './catalog-source.ts';

const RETRY = { baseMs: 250, maxMs: 10_000, jitter: 0.5 };
/** Between two answers of one query, so that a service in constant change costs a bounded number of questions. */
const MIN_GAP_MS = 20;

/** One query whose answer is kept up to date by blocking questions until it is stopped. */
export class FollowedQuery<T> {
  readonly #clock: Clock;
  readonly #ask: (index: number, signal: AbortSignal) => Promise<Indexed<T>>;
  readonly #backoff: Backoff;
  readonly #abort = new AbortController();
  #value: T;
  #index: number;
  /** When it was last asked for, on the monotonic clock. */
  usedAtMs: number;

  constructor(
    deps: {
      clock: Clock;
      random: Pick<Random, 'next'>;
      ask: (index: number, signal: AbortSignal) => Promise<Indexed<T>>;
    },
    first: Indexed<T>,
  ) {
    this.#clock = deps.clock;
    this.#ask = deps.ask;
    this.#backoff = new Backoff(deps, RETRY);
    this.#value = first.value;
    this.#index = first.index;
    this.usedAtMs = deps.clock.monotonic();
  }

  /** The newest answer; with all servers away the last one. */
  get value(): T {
    return this.#value;
  }

  stop(): void {
    this.#abort.abort();
  }

  /** Ends when stopped; never rejects. */
  async run(): Promise<void> {
    const { signal } = this.#abort;
    while (!signal.aborted) {
      try {
        const answer = await this.#ask(this.#index, signal);
        if (signal.aborted) return;
        this.#value = answer.value;
        // A lower index is from a catalog that was begun anew.
        this.#index = answer.index < this.#index ? 0 : answer.index;
        this.#backoff.reset();
        await this.#clock.sleep(MIN_GAP_MS, signal);
      } catch {
        // The last answer goes on; whoever answers next may be another catalog.
        this.#index = 0;
        await this.#clock.sleep(this.#backoff.next(), signal);
      }
    }
  }
}
