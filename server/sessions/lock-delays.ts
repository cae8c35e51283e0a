import type { Clock } from '../../core/clock.ts';
import type { StoreEntry } from '../../store/store.ts';
import type { StateTable } from '../catalog/state-table.ts';
import { type Stored, storedJson } from '../catalog/stored.ts';

/** Until when a key cannot be acquired, by the wall clock, and how long that was from the session's end. */
export interface LockDelayRecord {
  readonly untilMs: number;
  readonly delayMs: number;
}

interface Delay {
  readonly stored: Stored<LockDelayRecord>;
  /** By the monotonic clock. */
  readonly endMs: number;
}

/** Keys whose holder has ended and which cannot be acquired for a while, so that it can notice (Consul's lock-delay). */
export class LockDelays implements StateTable {
  readonly segment = 'lock-delay';
  readonly #clock: Clock;
  readonly #delays = new Map<string, Delay>();

  constructor(deps: { clock: Clock }) {
    this.#clock = deps.clock;
  }

  put(rest: string, entry: StoreEntry): void {
    const stored = storedJson<LockDelayRecord>(entry);
    const { untilMs, delayMs } = stored.record;
    // A wall clock that jumps, or that of another server, makes it neither longer than it was nor endless.
    const left = Math.min(Math.max(0, untilMs - this.#clock.now()), delayMs);
    this.#delays.set(rest, { stored, endMs: this.#clock.monotonic() + left });
  }

  delete(rest: string): void {
    this.#delays.delete(rest);
  }

  clear(): void {
    this.#delays.clear();
  }

  stored(rest: string): Stored<LockDelayRecord> | undefined {
    return this.#delays.get(rest)?.stored;
  }

  /** Milliseconds that the key still cannot be acquired. */
  left(rest: string): number {
    const delay = this.#delays.get(rest);
    return delay ? Math.max(0, delay.endMs - this.#clock.monotonic()) : 0;
  }

  /** Keys whose time is over and whose records can go, up to so many. */
  over(limit: number): string[] {
    const found: string[] = [];
    const now = this.#clock.monotonic();
    for (const [rest, { endMs }] of this.#delays) {
      if (endMs > now) continue;
      found.push(rest);
      if (found.length >= limit) break;
    }
    return found;
  }
}
