import { compareKeys, inRange } from '../key-order.ts';
import type {
  CommitResult,
  Compare,
  Key,
  KeyRange,
  Revision,
  StoreChange,
  StoreEntry,
  StoreEvents,
  Txn,
} from '../store.ts';
import type { Changes } from './journal.ts';
import type { LayeredView } from './layered-view.ts';
import { newRecord, type RecordRevisions, recordRevisions, recordValue, sealRecord } from './record.ts';

/** A transaction made ready: the values to put are already copied into records. */
export interface PreparedTxn extends Pick<Txn, 'compares' | 'asOf'> {
  readonly ops: readonly PreparedOp[];
  /** Of the values that it puts. */
  readonly bytes: number;
}

interface PreparedPut {
  readonly kind: 'put';
  readonly key: Key;
  readonly record: Buffer;
  readonly decoded: object | undefined;
}

type PreparedOp =
  | PreparedPut
  | { readonly kind: 'delete'; readonly key: Key }
  | { readonly kind: 'deleteRange'; readonly range: KeyRange };

/** Copies the values, so that the caller may use its buffers again at once. */
export function prepareTxn(txn: Txn): PreparedTxn {
  let bytes = 0;
  const ops = txn.ops.map((op): PreparedOp => {
    if (op.kind !== 'put') return op;
    bytes += op.value.byteLength;
    return { kind: 'put', key: op.key, record: newRecord(op.value), decoded: op.decoded };
  });
  const { compares, asOf } = txn;
  return asOf === undefined ? { compares, ops, bytes } : { compares, ops, bytes, asOf };
}

/** A put of a record, as a change and as its entry: thousands are kept, and few are asked for their value. */
class RecordPut implements StoreEntry {
  readonly key: Key;
  readonly createRevision: Revision;
  readonly modRevision: Revision;
  readonly decoded?: object | undefined;
  readonly #record: Buffer;

  constructor(key: Key, record: Buffer, revisions: RecordRevisions, decoded: object | undefined) {
    this.key = key;
    this.createRevision = revisions.createRevision;
    this.modRevision = revisions.modRevision;
    this.decoded = decoded;
    this.#record = record;
  }

  get kind(): 'put' {
    return 'put';
  }

  get entry(): StoreEntry {
    return this;
  }

  get value(): Uint8Array {
    return recordValue(this.#record);
  }
}

/**
 * Transactions that will share one append to the journal, each with a revision of its own. They see the content of `view` and
 * what those before them in the batch did.
 */
export class Batch {
  readonly #view: LayeredView;
  readonly #overlay = new Map<Key, Buffer | null>();
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
    const absent: Key[] = [];
    for (let at = 0; at < compares.length; at++) {
      const compare = compares[at]!;
      if (!this.#holds(compare, isKnown)) return { ok: false, revision: this.#revision, failedCompare: at };
      if (compare.kind === 'key' && compare.modRevision === 0) absent.push(compare.key);
    }
    const revision = this.#revision + 1;
    const changes: StoreChange[] = [];
    for (const op of txn.ops) {
      if (op.kind === 'put') changes.push(this.#put(op, revision, absent.includes(op.key)));
      else this.#delete(op, revision, changes);
    }
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

  #put({ key, record, decoded }: PreparedPut, modRevision: Revision, isNew: boolean): StoreChange {
    const createRevision = isNew ? modRevision : (this.#revisions(key)?.createRevision ?? modRevision);
    sealRecord(record, key, { createRevision, modRevision });
    this.#overlay.set(key, record);
    return new RecordPut(key, record, { createRevision, modRevision }, decoded);
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
  #changed(key: Key): Buffer | null | undefined {
    const own = this.#overlay.get(key);
    return own === undefined ? this.#view.changed(key) : own;
  }

  #revisions(key: Key): RecordRevisions | undefined {
    const record = this.#changed(key);
    if (record === undefined) return this.#view.baseRevisions(key);
    return record ? recordRevisions(record) : undefined;
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
