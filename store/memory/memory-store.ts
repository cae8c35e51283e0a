import { AppError } from '../../core/errors.ts';
import { ChangeHistory, compacted, DEFAULT_HISTORY, type HistoryLimits } from '../change-history.ts';
import { checkRange, inRange, lowerBound } from '../key-order.ts';
import { readSnapshot, writeSnapshot } from '../snapshot-format.ts';
import type {
  CommitResult,
  Compare,
  Key,
  KeyRange,
  Op,
  ReadResult,
  Revision,
  Store,
  StoreChange,
  StoreEntry,
  StoreEvents,
  StoreTraits,
  StoreView,
  Txn,
} from '../store.ts';
import { checkTxn, DEFAULT_TXN_LIMITS, type TxnLimits } from '../txn-rules.ts';

export interface MemoryStoreOptions {
  readonly limits?: Partial<TxnLimits>;
  readonly history?: Partial<HistoryLimits>;
}

/** What a key was from one revision on: an entry, or nothing after its deletion. */
interface Version {
  readonly modRevision: Revision;
  readonly entry: StoreEntry | undefined;
}

/** A store without a disk: the model that the other engines are compared with, and the engine of `agent -dev`. */
export function openMemoryStore(options: MemoryStoreOptions = {}): Store {
  return new MemoryStore(options);
}

/** Keeps every version of a key for as long as the change history keeps it, so that reads at a revision work. */
class MemoryStore implements Store {
  readonly traits: StoreTraits;
  #revision: Revision = 0;
  #closed = false;
  #versions = new Map<Key, Version[]>();
  /** The keys of `#versions`, sorted. */
  #keys: Key[] = [];
  readonly #history: ChangeHistory;

  constructor(options: MemoryStoreOptions) {
    this.traits = {
      replicated: false,
      durable: false,
      historicReads: true,
      ...DEFAULT_TXN_LIMITS,
      ...options.limits,
    };
    this.#history = new ChangeHistory({
      floor: 0,
      limits: { ...DEFAULT_HISTORY, ...options.history },
      onDrop: (events) => this.#forget(events),
    });
  }

  revision(): Revision {
    return this.#revision;
  }

  async barrier(): Promise<Revision> {
    return this.#revision;
  }

  async read(range: KeyRange, at: Revision = this.#revision): Promise<ReadResult> {
    this.#assertOpen();
    checkRange(range);
    if (at > this.#revision) {
      throw new AppError('badRequest', `revision ${at} is not there yet; the newest is ${this.#revision}`);
    }
    if (at < this.#history.floor) throw compacted(at, this.#history.floor);
    return { entries: this.#entries(range, at), revision: at };
  }

  async view(): Promise<StoreView> {
    this.#assertOpen();
    const everything = this.#entries({ start: '', end: '\u{10FFFF}' }, this.#revision);
    const keys = everything.map((entry) => entry.key);
    return {
      revision: this.#revision,
      slices: (range) => {
        checkRange(range);
        return sliced(everything, lowerBound(keys, range.start), lowerBound(keys, range.end), () => this.#assertOpen());
      },
      release() {},
    };
  }

  async commit(txn: Txn): Promise<CommitResult> {
    this.#assertOpen();
    checkTxn(txn, this.traits);
    const failedCompare = txn.compares.findIndex((compare) => !this.#holds(compare));
    if (failedCompare >= 0) return { ok: false, revision: this.#revision, failedCompare };
    const revision = this.#revision + 1;
    const changes = txn.ops.flatMap((op) => this.#apply(op, revision));
    if (changes.length > 0) {
      this.#revision = revision;
      this.#history.append({ revision, changes });
    }
    return { ok: true, revision: this.#revision };
  }

  watch(range: KeyRange, after: Revision, signal: AbortSignal): AsyncIterable<StoreEvents> {
    checkRange(range);
    return this.#history.watch(range, after, signal);
  }

  async *snapshot(signal: AbortSignal): AsyncGenerator<Uint8Array, void, void> {
    this.#assertOpen();
    const everything = this.#entries({ start: '', end: '\u{10FFFF}' }, this.#revision);
    for await (const chunk of writeSnapshot(this.#revision, [everything])) {
      if (signal.aborted) return;
      yield chunk;
    }
  }

  async restore(chunks: AsyncIterable<Uint8Array>): Promise<Revision> {
    this.#assertOpen();
    let theirs = 0;
    const entries: StoreEntry[] = [];
    const onHeader = (revision: Revision): void => {
      theirs = revision;
    };
    for await (const entry of readSnapshot(chunks, onHeader)) entries.push(entry);
    this.#assertOpen();
    const revision = Math.max(theirs, this.#revision) + 1;
    this.#versions = new Map();
    this.#keys = entries.map((entry) => entry.key);
    for (const { key, value } of entries) {
      const entry = { key, value, createRevision: revision, modRevision: revision };
      this.#versions.set(key, [{ modRevision: revision, entry }]);
    }
    this.#revision = revision;
    this.#history.reset(revision);
    return revision;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#history.close();
  }

  #assertOpen(): void {
    if (this.#closed) throw new AppError('shuttingDown', 'the store is closed');
  }

  #entries(range: KeyRange, at: Revision): StoreEntry[] {
    const entries: StoreEntry[] = [];
    for (let i = lowerBound(this.#keys, range.start); i < this.#keys.length; i++) {
      const key = this.#keys[i]!;
      if (!inRange(key, range)) break;
      const entry = this.#versions.get(key)!.findLast((version) => version.modRevision <= at)?.entry;
      if (entry) entries.push(entry);
    }
    return entries;
  }

  #current(key: Key): StoreEntry | undefined {
    return this.#versions.get(key)?.at(-1)?.entry;
  }

  #holds(compare: Compare): boolean {
    if (compare.kind === 'key') return (this.#current(compare.key)?.modRevision ?? 0) === compare.modRevision;
    return this.#entries(compare.range, this.#revision).every((entry) => entry.modRevision <= compare.maxModRevision);
  }

  #apply(op: Op, revision: Revision): StoreChange[] {
    if (op.kind === 'put') return [this.#put(op.key, op.value, revision)];
    // Read at the new revision, so that what an earlier operation deleted is not deleted again.
    const entries = op.kind === 'delete' ? this.#single(op.key) : this.#entries(op.range, revision);
    return entries.map((entry) => this.#delete(entry.key, revision));
  }

  #single(key: Key): StoreEntry[] {
    const entry = this.#current(key);
    return entry ? [entry] : [];
  }

  #put(key: Key, value: Uint8Array, revision: Revision): StoreChange {
    const createRevision = this.#current(key)?.createRevision ?? revision;
    const entry = { key, value: new Uint8Array(value), createRevision, modRevision: revision };
    const versions = this.#versions.get(key);
    if (versions) {
      versions.push({ modRevision: revision, entry });
    } else {
      this.#versions.set(key, [{ modRevision: revision, entry }]);
      this.#keys.splice(lowerBound(this.#keys, key), 0, key);
    }
    return { kind: 'put', entry };
  }

  #delete(key: Key, revision: Revision): StoreChange {
    this.#versions.get(key)!.push({ modRevision: revision, entry: undefined });
    return { kind: 'delete', key, modRevision: revision };
  }

  /** Drops the versions that only reads before these events could see. */
  #forget(events: StoreEvents): void {
    for (const change of events.changes) {
      const key = change.kind === 'put' ? change.entry.key : change.key;
      const versions = this.#versions.get(key);
      if (!versions) continue;
      const kept = versions.findLastIndex((version) => version.modRevision <= events.revision);
      versions.splice(0, kept);
      if (versions.length > 1 || versions[0]!.entry) continue;
      this.#versions.delete(key);
      this.#keys.splice(lowerBound(this.#keys, key), 1);
    }
  }
}

/** Entries of one piece of a view. */
const SLICE_ENTRIES = 512;

async function* sliced(
  entries: readonly StoreEntry[],
  from: number,
  to: number,
  assertOpen: () => void,
): AsyncGenerator<readonly StoreEntry[], void, void> {
  for (let at = from; at < to; at += SLICE_ENTRIES) {
    assertOpen();
    yield entries.slice(at, Math.min(at + SLICE_ENTRIES, to));
  }
}
