import { AppError } from '../core/errors.ts';
import { rangeTest } from './key-order.ts';
import type { Key, KeyRange, Revision, StoreChange, StoreEvents } from './store.ts';

/** How much history is kept. Whichever is reached first counts; the newest transaction is always kept. */
export interface HistoryLimits {
  readonly maxRevisions: number;
  /** Bytes of keys and values, and an allowance for each change's own weight. */
  readonly maxBytes: number;
}

/** Enough for a watcher to be away for seconds at thousands of writes a second; small beside a process's own 50 MB. */
export const DEFAULT_HISTORY: HistoryLimits = { maxRevisions: 10_000, maxBytes: 8 * 1024 * 1024 };

/** A value that is held decoded too weighs so many times its bytes, roughly. */
const DECODED_FACTOR = 3;
/** What the objects of one change weigh, roughly. */
const CHANGE_OVERHEAD_BYTES = 100;

/**
 * The newest changes of a store, and the watches that read them. Watches have no queue of their own: each is a position
 * in this one bounded history, and one that is overtaken by the oldest kept change ends with an error.
 */
export class ChangeHistory {
  /** Events of the revisions floor+1, floor+2, … in `#kept` from position `#first` on. */
  #kept: (StoreEvents | undefined)[] = [];
  /** What each of them weighs. */
  #weights: number[] = [];
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

  /**
   * Adds the next revision's changes and wakes the watches. The revision must be `newest + 1`. `valueBytes`: of the values that it
   * puts, for an engine that knows them.
   */
  append(events: StoreEvents, valueBytes = valueBytesOf(events)): void {
    if (events.revision !== this.newest + 1) {
      throw new AppError('internal', `revision ${events.revision} follows ${this.newest}`);
    }
    const weight = weightOf(events, valueBytes);
    this.#kept.push(events);
    this.#weights.push(weight);
    this.#bytes += weight;
    while (this.#kept.length - this.#first > 1 && this.#overLimit()) this.#dropOldest();
    this.#wake();
  }

  /** Forgets everything: watches older than `floor` end with `compacted`. */
  reset(floor: Revision): void {
    this.#kept = [];
    this.#weights = [];
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
  watch(range: KeyRange, after: Revision, signal: AbortSignal): AsyncIterable<StoreEvents> {
    const isInRange = rangeTest(range);
    const source = {
      after: (seen: Revision) => this.#eventsAfter(seen, isInRange),
      changed: () => this.#nextChange(signal),
      isOver: () => signal.aborted,
    };
    return { [Symbol.asyncIterator]: () => new HistoryReader(source, after) };
  }

  /** The next transaction of a range; when there is none yet, the revision up to which there is none. */
  #eventsAfter(seen: Revision, isInRange: (key: Key) => boolean): StoreEvents | Revision {
    if (this.#end) throw this.#end;
    if (seen < this.#floor) throw compacted(seen, this.#floor);
    const { newest } = this;
    for (let looked = seen; looked < newest; looked++) {
      const events = within(this.#kept[this.#first + looked - this.#floor]!, isInRange);
      if (events) return events;
    }
    return Math.max(seen, newest);
  }

  #overLimit(): boolean {
    return this.#kept.length - this.#first > this.#limits.maxRevisions || this.#bytes > this.#limits.maxBytes;
  }

  #dropOldest(): void {
    const events = this.#kept[this.#first]!;
    this.#bytes -= this.#weights[this.#first]!;
    this.#kept[this.#first] = undefined;
    this.#first++;
    this.#floor++;
    // The emptied places are cut off only now and then, so that dropping stays cheap.
    if (this.#first > 1024 && this.#first * 2 > this.#kept.length) {
      this.#kept = this.#kept.slice(this.#first);
      this.#weights = this.#weights.slice(this.#first);
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

/** What a reader reads. */
interface ReaderSource {
  /** The next transaction, or the revision up to which there is none. @throws AppError. */
  after(seen: Revision): StoreEvents | Revision;
  changed(): Promise<void>;
  isOver(): boolean;
}

/** A watch's position. Not a generator: that would cost each transaction several promises more. */
class HistoryReader implements AsyncIterator<StoreEvents, undefined> {
  readonly #source: ReaderSource;
  #seen: Revision;
  #over = false;

  constructor(source: ReaderSource, after: Revision) {
    this.#source = source;
    this.#seen = after;
  }

  async next(): Promise<IteratorResult<StoreEvents, undefined>> {
    while (!this.#over && !this.#source.isOver()) {
      const found = this.#find();
      if (typeof found === 'object') {
        this.#seen = found.revision;
        return { done: false, value: found };
      }
      this.#seen = found;
      await this.#source.changed();
    }
    return { done: true, value: undefined };
  }

  async return(): Promise<IteratorResult<StoreEvents, undefined>> {
    this.#over = true;
    return { done: true, value: undefined };
  }

  /** After an error nothing more comes. */
  #find(): StoreEvents | Revision {
    try {
      return this.#source.after(this.#seen);
    } catch (error) {
      this.#over = true;
      throw error;
    }
  }
}

/** The error of a read or watch that asks for history which is gone. */
export function compacted(asked: Revision, floor: Revision): AppError {
  return new AppError('compacted', `revision ${asked} is no longer kept; the oldest kept is ${floor}: read anew`, {
    facts: { asked, floor },
  });
}

function within(events: StoreEvents, isInRange: (key: Key) => boolean): StoreEvents | undefined {
  // Most transactions lie wholly in a watched range, or outside of it.
  let count = 0;
  for (const change of events.changes) if (isInRange(keyOf(change))) count++;
  if (count === 0) return undefined;
  if (count === events.changes.length) return events;
  return { revision: events.revision, changes: events.changes.filter((change) => isInRange(keyOf(change))) };
}

/** Roughly: what is held decoded counts as its value does. */
function weightOf(events: StoreEvents, valueBytes: number): number {
  let bytes = valueBytes;
  let decoded = false;
  for (const change of events.changes) {
    bytes += CHANGE_OVERHEAD_BYTES + keyOf(change).length;
    decoded ||= change.kind === 'put' && change.entry.decoded !== undefined;
  }
  return decoded ? bytes + valueBytes * (DECODED_FACTOR - 1) : bytes;
}

function valueBytesOf(events: StoreEvents): number {
  let bytes = 0;
  for (const change of events.changes) if (change.kind === 'put') bytes += change.entry.value.byteLength;
  return bytes;
}

function keyOf(change: StoreChange): string {
  return change.kind === 'put' ? change.entry.key : change.key;
}
