import type { Clock } from '../../core/clock.ts';
import { AppError } from '../../core/errors.ts';

export interface SigningRates {
  /** 0 = no limit. */
  readonly csrMaxPerSecond: number;
  readonly csrMaxConcurrent: number;
}

/** Signing is work for the processor: bounded by rate and number, so that everything else goes on. */
export class SigningLimit {
  readonly #clock: Clock;
  #tokens = Number.POSITIVE_INFINITY;
  #filledAt = 0;
  #running = 0;

  constructor(deps: { clock: Clock }) {
    this.#clock = deps.clock;
  }

  /** @throws AppError `rateLimited` (Consul's text), what `work` throws. */
  async run<T>(rates: SigningRates, work: () => Promise<T>): Promise<T> {
    this.#take(rates.csrMaxPerSecond);
    if (rates.csrMaxConcurrent > 0 && this.#running >= rates.csrMaxConcurrent) throw limited();
    this.#running++;
    try {
      return await work();
    } finally {
      this.#running--;
    }
  }

  #take(perSecond: number): void {
    if (perSecond === 0) return;
    const now = this.#clock.monotonic();
    const burst = Math.max(1, perSecond);
    this.#tokens = Math.min(burst, this.#tokens + ((now - this.#filledAt) / 1000) * perSecond);
    this.#filledAt = now;
    if (this.#tokens < 1) throw limited();
    this.#tokens--;
  }
}

function limited(): AppError {
  return new AppError('rateLimited', 'Rate limit reached, try again later: too many certificates at once');
}
