import { inRange } from '../key-order.ts';
import type { CommitResult, Compare, Key, KeyRange, Op, Revision, StoreChange, StoreEvents, Txn } from '../store.ts';
import type { ContentDigest, ContentSum, KeyRevisions } from './content-digest.ts';
import type { KeyIndex } from './key-index.ts';
import { ENTRY_HEAD_BYTES, entryHead, type GenerationLayout } from './layout.ts';
import type { EtcdOp } from './messages.ts';

export interface BatchLimits {
  /** Operations of one transaction in etcd, beside the head's. */
  readonly maxOps: number;
  /** A batch with so many bytes takes no further transaction. */
  readonly fullBytes: number;
  /** Transactions. */
  readonly maxTxns: number;
}

/** Room for the field numbers and lengths of one operation. */
const OP_OVERHEAD_BYTES = 24;

/**
 * Transactions that will share one transaction of etcd, each with a revision of its own. They see the content that the
 * index stands for and what those before them in the batch did; that nobody else has written meanwhile is what etcd
 * compares. Etcd takes a key once in a transaction, and not both put and deleted: what would break this is left for
 * the next batch.
 */
export class TxnBatch {
  readonly ops: EtcdOp[] = [];
  readonly events: StoreEvents[] = [];
  readonly results: CommitResult[] = [];
  readonly #index: KeyIndex;
  readonly #digest: ContentDigest;
  readonly #layout: GenerationLayout;
  readonly #limits: BatchLimits;
  readonly #overlay = new Map<Key, KeyRevisions | undefined>();
  readonly #puts = new Set<Key>();
  readonly #deletes = new Set<Key>();
  readonly #deletedRanges: KeyRange[] = [];
  #revision: Revision;
  #bytes = 0;

  constructor(base: { index: KeyIndex; revision: Revision; layout: GenerationLayout }, limits: BatchLimits) {
    this.#index = base.index;
    this.#digest = base.index.digest.copy();
    this.#revision = base.revision;
    this.#layout = base.layout;
    this.#limits = limits;
  }

  get revision(): Revision {
    return this.#revision;
  }

  /** Of all entries after the batch. */
  get content(): ContentSum {
    return this.#digest.sum();
  }

  /** Evaluates one transaction; false: it must wait for the next batch, and so must those after it. */
  add(txn: Txn): boolean {
    if (this.results.length >= this.#limits.maxTxns) return false;
    const failedCompare = txn.compares.findIndex((compare) => !this.#holds(compare));
    if (failedCompare >= 0) {
      this.results.push({ ok: false, revision: this.#revision, failedCompare });
      return true;
    }
    if (!this.#fits(txn.ops)) return false;
    this.#apply(txn.ops);
    this.results.push({ ok: true, revision: this.#revision });
    return true;
  }

  #fits(ops: readonly Op[]): boolean {
    if (this.ops.length === 0) return true;
    if (this.ops.length + ops.length > this.#limits.maxOps) return false;
    let bytes = this.#bytes;
    for (const op of ops) bytes += opBytes(op);
    return bytes <= this.#limits.fullBytes && !ops.some((op) => this.#meets(op));
  }

  /** Whether etcd would refuse the operation beside those of the batch. */
  #meets(op: Op): boolean {
    if (op.kind === 'put') {
      if (this.#puts.has(op.key) || this.#deletes.has(op.key)) return true;
      return this.#deletedRanges.some((range) => inRange(op.key, range));
    }
    if (op.kind === 'delete') return this.#puts.has(op.key);
    for (const key of this.#puts) if (inRange(key, op.range)) return true;
    return false;
  }

  #apply(ops: readonly Op[]): void {
    const revision = this.#revision + 1;
    const changes: StoreChange[] = [];
    for (const op of ops) {
      if (op.kind === 'put') this.#put(op, revision, changes);
      else if (op.kind === 'delete') this.#delete(op.key, revision, changes);
      else this.#deleteRange(op.range, revision, changes);
    }
    if (changes.length === 0) return;
    this.#revision = revision;
    this.events.push({ revision, changes });
  }

  #put({ key, value, decoded }: Op & { kind: 'put' }, revision: Revision, changes: StoreChange[]): void {
    const before = this.#revisions(key);
    const createRevision = before?.createRevision ?? revision;
    const after = { createRevision, modRevision: revision };
    this.#digest.change(key, before, after);
    this.#overlay.set(key, after);
    this.#puts.add(key);
    this.ops.push({
      kind: 'put',
      key: this.#layout.entry(key),
      value: [entryHead(createRevision, revision), value],
    });
    this.#bytes += key.length + ENTRY_HEAD_BYTES + value.byteLength + OP_OVERHEAD_BYTES;
    const entry = { key, value, ...after };
    changes.push({ kind: 'put', entry: decoded ? { ...entry, decoded } : entry });
  }

  #delete(key: Key, revision: Revision, changes: StoreChange[]): void {
    const before = this.#revisions(key);
    if (!before) return;
    this.#forget(key, before, revision, changes);
    this.#deletes.add(key);
    this.ops.push({ kind: 'delete', key: this.#layout.entry(key) });
    this.#bytes += key.length + OP_OVERHEAD_BYTES;
  }

  #deleteRange(range: KeyRange, revision: Revision, changes: StoreChange[]): void {
    const keys = [...this.#within(range)].map(([key]) => key);
    if (keys.length === 0) return;
    for (const key of keys) this.#forget(key, this.#revisions(key)!, revision, changes);
    this.#deletedRanges.push(range);
    this.ops.push({ kind: 'delete', ...this.#layout.range(range) });
    this.#bytes += range.start.length + range.end.length + OP_OVERHEAD_BYTES;
  }

  #forget(key: Key, before: KeyRevisions, revision: Revision, changes: StoreChange[]): void {
    this.#digest.change(key, before, undefined);
    this.#overlay.set(key, undefined);
    changes.push({ kind: 'delete', key, modRevision: revision });
  }

  #holds(compare: Compare): boolean {
    if (compare.kind === 'key') return (this.#revisions(compare.key)?.modRevision ?? 0) === compare.modRevision;
    for (const [, modRevision] of this.#within(compare.range)) {
      if (modRevision > compare.maxModRevision) return false;
    }
    for (const [key, revisions] of this.#overlay) {
      if (revisions && revisions.modRevision > compare.maxModRevision && inRange(key, compare.range)) return false;
    }
    return true;
  }

  #revisions(key: Key): KeyRevisions | undefined {
    return this.#overlay.has(key) ? this.#overlay.get(key) : this.#index.get(key);
  }

  /**
   * Entries of the index that the batch has not changed, in key order. What the batch has put in the range comes into
   * question for compares only: a range with a put of the batch in it is not deleted in the same batch.
   */
  *#within(range: KeyRange): Generator<readonly [Key, Revision], void, void> {
    for (const entry of this.#index.range(range)) if (!this.#overlay.has(entry[0])) yield entry;
  }
}

function opBytes(op: Op): number {
  if (op.kind === 'deleteRange') return op.range.start.length + op.range.end.length + OP_OVERHEAD_BYTES;
  const value = op.kind === 'put' ? ENTRY_HEAD_BYTES + op.value.byteLength : 0;
  return op.key.length + value + OP_OVERHEAD_BYTES;
}
