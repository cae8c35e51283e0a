import type { Clock } from '../../core/clock.ts';
import type { StoreEntry } from '../../store/store.ts';
import { fields, NUMBER } from '../catalog/record-shape.ts';
import type { ApplyContext, StateTable } from '../catalog/state-table.ts';
import { inPlaceOf, type Stored, storedJson } from '../catalog/stored.ts';
import { MAX_LOCK_DELAY_MS } from './session-rules.ts';

/** Until when a key cannot be acquired, by the wall clock, and how long that was from the session's end. */
export interface LockDelayRecord {
  readonly untilMs: number;
  readonly delayMs: number;
}

const RECORD = fields({ untilMs: NUMBER, delayMs: NUMBER });

interface Delay {
  readonly record: LockDelayRecord;
  /** Absent while it follows from a session's end alone. */
  readonly stored: Stored<LockDelayRecord> | undefined;
  /** By the monotonic clock. */
  readonly endMs: number;
}

/** Keys whose holder has ended and which cannot be acquired for a while, so that it can notice (Consul's lock-delay). */
export class LockDelays implements StateTable {
  readonly segment = 'lock-delay';
  readonly #clock: Clock;
  readonly #delays = new Map<string, Delay>();
  /** What was known before everything is loaded anew. */
  readonly #before = new Map<string, Delay>();

  constructor(deps: { clock: Clock }) {
    this.#clock = deps.clock;
  }

  put(rest: string, entry: StoreEntry, { loading }: Pick<ApplyContext, 'loading'>): void {
    const stored = storedJson<LockDelayRecord>(entry, RECORD);
    this.#set(rest, stored.record, stored, loading);
  }

  check(_rest: string, entry: StoreEntry): void {
    storedJson(entry, RECORD);
  }

  /** Nobody knows how long it was: as long as one can be. */
  refuse(rest: string, entry: StoreEntry, _why: string, { loading }: Pick<ApplyContext, 'loading'>): void {
    const record = { untilMs: this.#clock.now() + MAX_LOCK_DELAY_MS, delayMs: MAX_LOCK_DELAY_MS };
    this.#set(rest, record, inPlaceOf(entry, record), loading);
  }

  /** A session has ended that held the key; the store may follow later. */
  begin(rest: string, record: LockDelayRecord, { loading }: Pick<ApplyContext, 'loading'>): void {
    this.#set(rest, record, this.stored(rest), loading);
  }

  #set(rest: string, record: LockDelayRecord, stored: Stored<LockDelayRecord> | undefined, loading: boolean): void {
    const known = this.#delays.get(rest) ?? this.#before.get(rest);
    const left = loading ? this.#leftOf(record) : record.delayMs;
    // One that has begun already is only stored now.
    const endMs = known?.record.untilMs === record.untilMs ? known.endMs : this.#clock.monotonic() + left;
    this.#delays.set(rest, { record, stored, endMs });
  }

  /**
   * What is left of one that was begun by another process. Where the wall clock says that it is over, or not begun yet, the
   * clock may be wrong: then it begins anew, as a holder must not lose its time.
   */
  #leftOf({ untilMs, delayMs }: LockDelayRecord): number {
    const left = untilMs - this.#clock.now();
    return left > 0 && left <= delayMs ? left : delayMs;
  }

  delete(rest: string): void {
    this.#delays.delete(rest);
  }

  clear(): void {
    for (const [rest, delay] of this.#delays) this.#before.set(rest, delay);
    this.#delays.clear();
  }

  /** Once all is loaded. */
  settle({ loading }: Pick<ApplyContext, 'loading'>): void {
    if (loading) this.#before.clear();
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
    for (const [rest, { endMs, stored }] of this.#delays) {
      if (endMs > now) continue;
      if (stored) found.push(rest);
      else this.#delays.delete(rest);
      if (found.length >= limit) break;
    }
    return found;
  }
}
