import { type Clock, SystemClock, type Timer } from '../../core/clock.ts';

/** The machine's clock run faster, for real processes whose periods are minutes. Deadlines shrink with it. */
export class FastClock implements Clock {
  readonly #clock = new SystemClock();
  readonly #factor: number;
  readonly #startMs = this.#clock.now();

  constructor(factor: number) {
    this.#factor = factor;
  }

  now(): number {
    return this.#startMs + (this.#clock.now() - this.#startMs) * this.#factor;
  }

  monotonic(): number {
    return this.#clock.monotonic() * this.#factor;
  }

  after(ms: number, fn: () => void, options?: { keepAlive?: boolean }): Timer {
    return this.#clock.after(ms / this.#factor, fn, options);
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return this.#clock.sleep(ms / this.#factor, signal);
  }
}
