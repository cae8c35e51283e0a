import type { Clock } from '../../core/clock.ts';
import { Pause } from '../../core/pause.ts';
import { sortKeyOf } from '../catalog/instance-place.ts';
import type { FeedReader } from './feed.ts';
import type { Touch } from './touch-log.ts';

export interface StreamReaderOptions {
  /** Instances that have changed since they were sent; above this a reader begins again with a snapshot. */
  readonly maxPending: number;
  readonly heartbeatMs: number;
}

/** What a stream has to send next, and the index that it is at when all of that is sent. */
export type Work = { readonly index: number } & (
  | { readonly kind: 'snapshot' }
  | { readonly kind: 'touches'; readonly touches: readonly Touch[] }
  | { readonly kind: 'silence' }
);

/**
 * What one stream has yet to send: the instances that were touched, each once. A slow reader thus gets the newest state of
 * each and skips those between.
 */
export class StreamReader implements FeedReader {
  readonly #pause: Pause;
  readonly #state: { readonly applied: number };
  readonly #options: StreamReaderOptions;
  readonly #signal: AbortSignal;
  readonly #onAbort = () => this.#pause.resume();
  #pending = new Map<string, Touch>();
  #lost = false;

  constructor(
    deps: { clock: Clock; state: { readonly applied: number } },
    options: StreamReaderOptions,
    signal: AbortSignal,
  ) {
    this.#pause = new Pause(deps.clock);
    this.#state = deps.state;
    this.#options = options;
    this.#signal = signal;
    signal.addEventListener('abort', this.#onAbort, { once: true });
  }

  touch(touch: Touch): void {
    if (this.#lost) return;
    this.#pending.set(sortKeyOf(touch.place), touch);
    if (this.#pending.size > this.#options.maxPending) this.lose();
    else this.#pause.resume();
  }

  /** Begins again with a snapshot. */
  lose(): void {
    this.#lost = true;
    this.#pending = new Map();
    this.#pause.resume();
  }

  /** Waits for something to send; `silence` when it is time for a heartbeat, or the signal aborted. */
  async next(): Promise<Work> {
    if (this.#pending.size === 0 && !this.#lost && !this.#signal.aborted)
      await this.#pause.wait(this.#options.heartbeatMs);
    // Taken in the same breath as what is pending: a change after it must not count as sent.
    const index = this.#state.applied;
    if (this.#lost) {
      this.#lost = false;
      return { kind: 'snapshot', index };
    }
    if (this.#pending.size === 0) return { kind: 'silence', index };
    const touches = [...this.#pending.values()];
    this.#pending = new Map();
    return { kind: 'touches', touches, index };
  }

  end(): void {
    this.#signal.removeEventListener('abort', this.#onAbort);
    this.#pause.resume();
  }
}
