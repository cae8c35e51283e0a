import { compareKeys, inRange } from '../key-order.ts';
import type { CommitResult, Compare, Key, KeyRange, Revision, StoreChange, StoreEvents, Txn } from '../store.ts';
import type { LayeredView } from './layered-view.ts';
import { newRecord, type RecordRevisions, recordEntry, recordRevisions, sealRecord } from './record.ts';

/** A transaction made ready: the values to put are already copied into records. */
export interface PreparedTxn {
  readonly compares: Txn['compares'];
  readonly ops: readonly PreparedOp[];
  readonly bytes: number;
}

type PreparedOp =
  | { readonly kind: 'put'; readonly key: Key; readonly record: Buffer }
  | { readonly kind: 'delete'; readonly key: Key }
  | { readonly kind: 'deleteRange'; readonly range: KeyRange };

/** Copies the values, so that the caller may use its buffers again at once. */
export function prepareTxn(txn: Txn): PreparedTxn {
  let bytes = 0;
  const ops = txn.ops.map((op): PreparedOp => {
    if (op.kind !== 'put') return op;
    bytes += op.value.byteLength;
    return { kind: 'put', key: op.key, record: newRecord(op.value) };
  });
  return { compares: txn.compares, ops, bytes };
}

/**
 * Transactions that will share one append to the journal, each with a revision of its own. They see the content of `view` and
 * what those before them in the batch did.
 */
export class Batch {
  readonly #view: LayeredView;
  readonly #overlay = new Map<Key, Buffer | undefined>();
  /** What the view said of keys: a compare and the operation after it ask for the same ones. */
  readonly #seen = new Map<Key, RecordRevisions | undefined>();
  readonly #events: StoreEvents[] = [];
  #revision: Revision;

  constructor(view: LayeredView) {
    this.#view = view;
    this.#revision = view.revision;
  }

  get revision(): Revision {
    return this.#revision;
  }

  /** The records that differ from the view's; undefined where a key is deleted. */
  get records(): ReadonlyMap<Key, Buffer | undefined> {
    return this.#overlay;
  }

  /** The changes, one item for each revision. */
  get events(): readonly StoreEvents[] {
    return this.#events;
  }

  /** Compares and applies one transaction; the result holds once the batch is on disk. */
  add(txn: PreparedTxn): CommitResult {
    const { compares } = txn;
    for (let at = 0; at < compares.length; at++) {
      if (!this.#holds(compares[at]!)) return { ok: false, revision: this.#revision, failedCompare: at };
    }
    const revision = this.#revision + 1;
    const changes: StoreChange[] = [];
    for (const op of txn.ops) this.#apply(op, revision, changes);
    if (changes.length > 0) {
      this.#revision = revision;
      this.#events.push({ revision, changes });
    }
    return { ok: true, revision: this.#revision };
  }

  #holds(compare: Compare): boolean {
    if (compare.kind === 'key') return (this.#revisions(compare.key)?.modRevision ?? 0) === compare.modRevision;
    for (const [, revisions] of this.#inRange(compare.range)) {
      if (revisions.modRevision > compare.maxModRevision) return false;
    }
    return true;
  }

  #apply(op: PreparedOp, revision: Revision, changes: StoreChange[]): void {
    if (op.kind === 'put') changes.push(this.#put(op.key, op.record, revision));
    else if (op.kind === 'deleteRange') {
      const keys = [...this.#inRange(op.range)].map(([key]) => key).sort(compareKeys);
      for (const key of keys) changes.push(this.#delete(key, revision));
    } else if (this.#revisions(op.key)) changes.push(this.#delete(op.key, revision));
  }

  #put(key: Key, record: Buffer, revision: Revision): StoreChange {
    const createRevision = this.#revisions(key)?.createRevision ?? revision;
    sealRecord(record, key, { createRevision, modRevision: revision });
    this.#overlay.set(key, record);
    return { kind: 'put', entry: recordEntry(key, record) };
  }

  #delete(key: Key, revision: Revision): StoreChange {
    this.#overlay.set(key, undefined);
    return { kind: 'delete', key, modRevision: revision };
  }

  #revisions(key: Key): RecordRevisions | undefined {
    const own = this.#overlay.get(key);
    if (own) return recordRevisions(own);
    if (this.#overlay.has(key)) return undefined;
    const seen = this.#seen.get(key);
    if (seen || this.#seen.has(key)) return seen;
    const record = this.#view.get(key);
    const revisions = record && recordRevisions(record);
    this.#seen.set(key, revisions);
    return revisions;
  }

  *#inRange(range: KeyRange): Generator<readonly [Key, RecordRevisions], void, void> {
    for (const entry of this.#view.entries(range)) {
      if (!this.#overlay.has(entry.key)) yield [entry.key, entry];
    }
    for (const [key, record] of this.#overlay) {
      if (record && inRange(key, range)) yield [key, recordRevisions(record)];
    }
  }
}
