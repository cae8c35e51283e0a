import { AppError } from '../core/errors.ts';
import { inRange } from './key-order.ts';
import type { KeyRange, Revision, StoreChange, StoreEvents } from './store.ts';

/** How much history is kept. Whichever is reached first counts; the newest transaction is always kept. */
export interface HistoryLimits {
  readonly maxRevisions: number;
  /** Bytes of keys and values, and an allowance for each change's own weight. */
  readonly maxBytes: number;
}

/** Enough for a watcher to be away for seconds at thousands of writes a second; small beside a process's own 50 MB. */
export const DEFAULT_HISTORY: HistoryLimits = { maxRevisions: 10_000, maxBytes: 8 * 1024 * 1024 };

/** What the objects of one change weigh, roughly. */
const CHANGE_OVERHEAD_BYTES = 100;

/**
 * The newest changes of a store, and the watches that read them. Watches have no queue of their own: each is a position
 * in this one bounded history, and one that is overtaken by the oldest kept change ends with an error.
 */
export class ChangeHistory {
  /** Events of the revisions floor+1, floor+2, … in `#kept` from position `#first` on. */
  #kept: (StoreEvents | undefined)[] = [];
  #first = 0;
  #floor: Revision;
  #bytes = 0;
  #end: AppError | undefined;
  readonly #waiting = new Set<() => void>();
  readonly #limits: HistoryLimits;
  readonly #onDrop: (events: StoreEvents) => void;

  /** `onDrop` is told each transaction that is no longer kept. */
  constructor(options: { floor: Revision; limits: HistoryLimits; onDrop?: (events: StoreEvents) => void }) {
    this.#floor = options.floor;
    this.#limits = options.limits;
    this.#onDrop = options.onDrop ?? (() => {});
  }

  /** The oldest revision that a watch may start after. */
  get floor(): Revision {
    return this.#floor;
  }

  /** The newest revision. */
  get newest(): Revision {
    return this.#floor + this.#kept.length - this.#first;
  }

  /** Adds the next revision's changes and wakes the watches. The revision must be `newest + 1`. */
  append(events: StoreEvents): void {
    if (events.revision !== this.newest + 1) {
      throw new AppError('internal', `revision ${events.revision} follows ${this.newest}`);
    }
    this.#kept.push(events);
    this.#bytes += sizeOf(events);
    while (this.#kept.length - this.#first > 1 && this.#overLimit()) this.#dropOldest();
    this.#wake();
  }

  /** Forgets everything: watches older than `floor` end with `compacted`. */
  reset(floor: Revision): void {
    this.#kept = [];
    this.#first = 0;
    this.#bytes = 0;
    this.#floor = floor;
    this.#wake();
  }

  /** Ends all watches with `shuttingDown`. */
  close(): void {
    this.fail(new AppError('shuttingDown', 'the store is closed'));
  }

  /** Ends all watches with this error. */
  fail(error: AppError): void {
    this.#end ??= error;
    this.#wake();
  }

  /** See `Store.watch`. */
  async *watch(range: KeyRange, after: Revision, signal: AbortSignal): AsyncGenerator<StoreEvents, void, void> {
    let seen = after;
    while (!signal.aborted) {
      if (this.#end) throw this.#end;
      if (seen < this.#floor) throw compacted(seen, this.#floor);
      if (seen >= this.newest) {
        await this.#nextChange(signal);
        continue;
      }
      const events = within(this.#kept[this.#first + seen - this.#floor]!, range);
      seen++;
      if (events) yield events;
    }
  }

  #overLimit(): boolean {
    return this.#kept.length - this.#first > this.#limits.maxRevisions || this.#bytes > this.#limits.maxBytes;
  }

  #dropOldest(): void {
    const events = this.#kept[this.#first]!;
    this.#kept[this.#first] = undefined;
    this.#first++;
    this.#floor++;
    this.#bytes -= sizeOf(events);
    // The emptied places are cut off only now and then, so that dropping stays cheap.
    if (this.#first > 1024 && this.#first * 2 > this.#kept.length) {
      this.#kept = this.#kept.slice(this.#first);
      this.#first = 0;
    }
    this.#onDrop(events);
  }

  #nextChange(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        this.#waiting.delete(done);
        signal.removeEventListener('abort', done);
        resolve();
      };
      this.#waiting.add(done);
      signal.addEventListener('abort', done, { once: true });
    });
  }

  #wake(): void {
    for (const done of [...this.#waiting]) done();
  }
}

/** The error of a read or watch that asks for history which is gone. */
export function compacted(asked: Revision, floor: Revision): AppError {
  return new AppError('compacted', `revision ${asked} is no longer kept; the oldest kept is ${floor}: read anew`, {
    facts: { asked, floor },
  });
}

function within(events: StoreEvents, range: KeyRange): StoreEvents | undefined {
  // Most transactions lie wholly in a watched range, or outside of it.
  let count = 0;
  for (const change of events.changes) if (inRange(keyOf(change), range)) count++;
  if (count === 0) return undefined;
  if (count === events.changes.length) return events;
  return { revision: events.revision, changes: events.changes.filter((change) => inRange(keyOf(change), range)) };
}

function sizeOf(events: StoreEvents): number {
  let bytes = 0;
  for (const change of events.changes) {
    bytes += CHANGE_OVERHEAD_BYTES + keyOf(change).length + (change.kind === 'put' ? change.entry.value.byteLength : 0);
  }
  return bytes;
}

function keyOf(change: StoreChange): string {
  return change.kind === 'put' ? change.entry.key : change.key;
}
