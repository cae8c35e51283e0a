import type { Clock } from '../../core/clock.ts';

/** Times of what was counted within one interval, in milliseconds. */
export interface Timing {
  count: number;
  sum: number;
  sumOfSquares: number;
  min: number;
  max: number;
}

export interface RouteTiming {
  readonly method: string;
  readonly route: string;
  readonly timing: Readonly<Timing>;
}

/** The length of an interval, Consul's. */
export const TIMING_INTERVAL_MS = 10_000;

/**
 * How long requests took in the last interval that is complete, by method and route. Bounded by the number of routes; a
 * request costs two look-ups and a few additions.
 */
export class RequestTimings {
  readonly #clock: Pick<Clock, 'monotonic'>;
  #since: number;
  #current = new Map<string, Map<string, Timing>>();
  #last: Map<string, Map<string, Timing>> | undefined;

  constructor(deps: { clock: Pick<Clock, 'monotonic'> }) {
    this.#clock = deps.clock;
    this.#since = deps.clock.monotonic();
  }

  /** The start of something to be timed. */
  start(): number {
    return this.#clock.monotonic();
  }

  record(method: string, route: string, startedAt: number): void {
    const now = this.#clock.monotonic();
    this.#turn(now);
    const routes = this.#current.get(method) ?? new Map<string, Timing>();
    this.#current.set(method, routes);
    const ms = now - startedAt;
    const timing = routes.get(route);
    if (!timing) {
      routes.set(route, { count: 1, sum: ms, sumOfSquares: ms * ms, min: ms, max: ms });
      return;
    }
    timing.count += 1;
    timing.sum += ms;
    timing.sumOfSquares += ms * ms;
    if (ms < timing.min) timing.min = ms;
    if (ms > timing.max) timing.max = ms;
  }

  /** Of the last complete interval; of the running one within the first. */
  read(): RouteTiming[] {
    this.#turn(this.#clock.monotonic());
    return [...(this.#last ?? this.#current)].flatMap(([method, routes]) =>
      [...routes].map(([route, timing]) => ({ method, route, timing })),
    );
  }

  #turn(now: number): void {
    const passed = now - this.#since;
    if (passed < TIMING_INTERVAL_MS) return;
    this.#last = passed < 2 * TIMING_INTERVAL_MS ? this.#current : new Map();
    this.#current = new Map();
    this.#since = now - (passed % TIMING_INTERVAL_MS);
  }
}
