import type { Clock } from './clock.ts';

/** A wait of one at a time that others can cut short. What was to be waited for is its user's to look at. */
export class Pause {
  readonly #clock: Clock;
  #resume: (() => void) | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Resolves after `ms`, or with the next `resume`. */
  wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#clock.after(ms, () => this.resume(), { keepAlive: true });
      this.#resume = () => {
        this.#resume = undefined;
        timer.cancel();
        resolve();
      };
    });
  }

  /** Ends the wait, if there is one. */
  resume(): void {
    this.#resume?.();
  }
}
