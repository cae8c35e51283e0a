import type { Clock, Timer } from '../../core/clock.ts';

/** Calls `onExpiry` when no update came for the TTL; each update starts the time anew. */
export class TtlRunner {
  readonly #clock: Clock;
  readonly #onExpiry: () => void;
  readonly #ttlMs: number;
  #timer: Timer | undefined;

  constructor(deps: { clock: Clock; onExpiry: () => void }, options: { ttlMs: number }) {
    this.#clock = deps.clock;
    this.#onExpiry = deps.onExpiry;
    this.#ttlMs = options.ttlMs;
  }

  /** Starts the time, or starts it anew. */
  start(): void {
    this.#timer?.cancel();
    this.#timer = this.#clock.after(this.#ttlMs, this.#onExpiry);
  }

  stop(): void {
    this.#timer?.cancel();
  }
}

/** The output of an expired check (Consul keeps what the last update said in it). */
export function expiredOutput(lastOutput: string): string {
  if (lastOutput === '' || lastOutput.startsWith('TTL expired')) return lastOutput || 'TTL expired';
  return `TTL expired (last output before timeout follows): ${lastOutput}`;
}
