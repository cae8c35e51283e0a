import type { Clock } from '../../core/clock.ts';

/** Lets one loop sleep until it is woken; a wake while nobody sleeps is kept for the next sleep. */
export class Wakeup {
  readonly #clock: Clock;
  #woken = false;
  #resume: (() => void) | undefined;

  constructor(deps: { clock: Clock }) {
    this.#clock = deps.clock;
  }

  wake(): void {
    this.#woken = true;
    this.#resume?.();
  }

  /** Resolves after `ms`, with a wake, or when the signal aborts. */
  async sleep(ms: number, signal: AbortSignal): Promise<void> {
    if (!this.#woken && !signal.aborted && ms > 0) {
      const early = new AbortController();
      this.#resume = () => early.abort();
      const onAbort = () => early.abort();
      signal.addEventListener('abort', onAbort, { once: true });
      await this.#clock.sleep(ms, early.signal);
      signal.removeEventListener('abort', onAbort);
      this.#resume = undefined;
    }
    this.#woken = false;
  }
}
