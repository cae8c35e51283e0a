import { compareKeys, inRange } from '../key-order.ts';
import type { CommitResult, Compare, Key, KeyRange, Revision, StoreChange, StoreEvents, Txn } from '../store.ts';
import type { Changes } from './journal.ts';
import type { LayeredView } from './layered-view.ts';
import { newRecord, type Piece, type RecordRevisions, recordLength, StoredRecord } from './record.ts';

/** A transaction made ready: the values to put are already copied into records. */
export interface PreparedTxn extends Pick<Txn, 'compares' | 'asOf'> {
  readonly ops: readonly PreparedOp[];
  /** Of the values that it puts. */
  readonly bytes: number;
}

interface PreparedPut {
  readonly kind: 'put';
  readonly key: Key;
  readonly piece: Piece;
  readonly decoded: object | undefined;
}

type PreparedOp =
  | PreparedPut
  | { readonly kind: 'delete'; readonly key: Key }
  | { readonly kind: 'deleteRange'; readonly range: KeyRange };

/** Copies the values into one buffer, so that the caller may use its own again at once. */
export function prepareTxn(txn: Txn): PreparedTxn {
  let length = 0;
  let bytes = 0;
  for (const op of txn.ops) {
    if (op.kind !== 'put') continue;
    length += recordLength(op.value);
    bytes += op.value.byteLength;
  }
  const buffer = Buffer.allocUnsafe(length);
  let start = 0;
  const ops = txn.ops.map((op): PreparedOp => {
    if (op.kind !== 'put') return op;
    const piece = newRecord(buffer, start, op.value);
    start = piece.end;
    return { kind: 'put', key: op.key, piece, decoded: op.decoded };
  });
  const { compares, asOf } = txn;
  return asOf === undefined ? { compares, ops, bytes } : { compares, ops, bytes, asOf };
}

/**
 * Transactions that will share one append to the journal, each with a revision of its own. They see the content of `view` and
 * what those before them in the batch did.
 */
export class Batch {
  readonly #view: LayeredView;
  readonly #overlay = new Map<Key, StoredRecord | null>();
  readonly #events: StoreEvents[] = [];
  readonly #valueBytes: number[] = [];
  #revision: Revision;

  constructor(view: LayeredView) {
    this.#view = view;
    this.#revision = view.revision;
  }

  get revision(): Revision {
    return this.#revision;
  }

  /** The records that differ from the view's; null where a key is deleted. */
  get records(): Changes {
    return this.#overlay;
  }

  /** The changes, one item for each revision. */
  get events(): readonly StoreEvents[] {
    return this.#events;
  }

  /** Of the values that each of them puts. */
  get valueBytes(): readonly number[] {
    return this.#valueBytes;
  }

  /** Compares and applies one transaction; the result holds once the batch is on disk. */
  add(txn: PreparedTxn): CommitResult {
    const { compares, asOf } = txn;
    // What the transaction says of keys that have not changed since then need not be looked up.
    const isKnown = asOf !== undefined && asOf >= this.#view.baseRevision && asOf <= this.#view.revision;
    for (let at = 0; at < compares.length; at++) {
      if (!this.#holds(compares[at]!, isKnown)) return { ok: false, revision: this.#revision, failedCompare: at };
    }
    const revision = this.#revision + 1;
    const changes = this.#apply(txn, revision);
    if (changes.length > 0) {
      this.#revision = revision;
      this.#events.push({ revision, changes });
      this.#valueBytes.push(txn.bytes);
    }
    return { ok: true, revision: this.#revision };
  }

  /** `isKnown`: what it says of a key holds, unless that has changed beyond LMDB. */
  #holds(compare: Compare, isKnown: boolean): boolean {
    if (compare.kind === 'key') {
      if (isKnown && this.#changed(compare.key) === undefined) return true;
      return (this.#revisions(compare.key)?.modRevision ?? 0) === compare.modRevision;
    }
    for (const [, revisions] of this.#inRange(compare.range)) {
      if (revisions.modRevision > compare.maxModRevision) return false;
    }
    return true;
  }

  #apply({ ops, compares }: PreparedTxn, revision: Revision): readonly StoreChange[] {
    // A list of the right length, where that is known: it is kept.
    if (areAllPuts(ops)) return ops.map((op) => this.#put(op, revision, compares));
    const changes: StoreChange[] = [];
    for (const op of ops) {
      if (op.kind === 'put') changes.push(this.#put(op, revision, compares));
      else this.#delete(op, revision, changes);
    }
    return changes;
  }

  /** `compares` hold. */
  #put({ key, piece, decoded }: PreparedPut, modRevision: Revision, compares: readonly Compare[]): StoredRecord {
    const isNew = isAbsent(key, compares);
    const createRevision = isNew ? modRevision : (this.#revisions(key)?.createRevision ?? modRevision);
    const record = StoredRecord.sealed(key, piece, { createRevision, modRevision }, decoded);
    this.#overlay.set(key, record);
    return record;
  }

  #delete(op: Exclude<PreparedOp, PreparedPut>, modRevision: Revision, changes: StoreChange[]): void {
    const keys =
      op.kind === 'deleteRange'
        ? [...this.#inRange(op.range)].map(([key]) => key).sort(compareKeys)
        : [op.key].filter((key) => this.#revisions(key));
    for (const key of keys) {
      this.#overlay.set(key, null);
      changes.push({ kind: 'delete', key, modRevision });
    }
  }

  /** What the batch, or what is not in LMDB yet, says of a key; see `LayeredView.changed`. */
  #changed(key: Key): StoredRecord | null | undefined {
    const own = this.#overlay.get(key);
    return own === undefined ? this.#view.changed(key) : own;
  }

  #revisions(key: Key): RecordRevisions | undefined {
    const record = this.#changed(key);
    if (record === undefined) return this.#view.baseRevisions(key);
    return record ?? undefined;
  }

  *#inRange(range: KeyRange): Generator<readonly [Key, RecordRevisions], void, void> {
    for (const entry of this.#view.entries(range)) {
      if (!this.#overlay.has(entry.key)) yield [entry.key, entry];
    }
    for (const [key, record] of this.#overlay) {
      if (record && inRange(key, range)) yield [key, record];
    }
  }
}

function areAllPuts(ops: readonly PreparedOp[]): ops is readonly PreparedPut[] {
  for (const { kind } of ops) if (kind !== 'put') return false;
  return true;
}

/** Whether compares that hold say that there is no such key. */
function isAbsent(key: Key, compares: readonly Compare[]): boolean {
  for (const compare of compares) {
    if (compare.kind === 'key' && compare.modRevision === 0 && compare.key === key) return true;
  }
  return false;
}
