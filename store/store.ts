/**
 * The store contract: ordered keys, one revision a transaction, gapless watches. Engines live in the folders beside
 * this file and are held to it by one suite (`contract/describe-store.ts`).
 */

/** Counts transactions that changed something, from 1; 0 is the empty store. Never falls, also over a restart. */
export type Revision = number;

/**
 * Keys are strings ordered by their UTF-8 bytes: 1 to 1,500 bytes, no U+0000 and no U+10FFFF, no half of a surrogate
 * pair.
 */
export type Key = string;

/** All keys k with start <= k < end; none when start >= end. The empty start is the lowest. */
export interface KeyRange {
  readonly start: Key;
  readonly end: Key;
}

export interface StoreEntry {
  readonly key: Key;
  readonly value: Uint8Array;
  readonly createRevision: Revision;
  readonly modRevision: Revision;
  /**
   * What the value stands for, where its writer is of this process and has given it with the put: whoever gets it first
   * need not decode the value. It is never stored, and an engine may leave it out.
   */
  readonly decoded?: object;
}

/** Entries in key order and the revision they were read at. The caller owns the array; values must not be modified. */
export interface ReadResult {
  readonly entries: StoreEntry[];
  readonly revision: Revision;
}

/** What must hold before any operation of a transaction; `modRevision` 0 means: the key is absent. */
export type Compare =
  | { readonly kind: 'key'; readonly key: Key; readonly modRevision: Revision }
  /** No entry of the range was put after `maxModRevision` (deletions do not show). */
  | { readonly kind: 'range'; readonly range: KeyRange; readonly maxModRevision: Revision };

/**
 * A key may be put once in a transaction, and not both put and deleted (by key or by range). Deleting what is absent
 * does nothing.
 */
export type Op =
  | {
      readonly kind: 'put';
      readonly key: Key;
      readonly value: Uint8Array;
      /** What the value stands for, for watches of this process: see `StoreEntry`. */
      readonly decoded?: object;
    }
  | { readonly kind: 'delete'; readonly key: Key }
  | { readonly kind: 'deleteRange'; readonly range: KeyRange };

export interface Txn {
  readonly compares: readonly Compare[];
  readonly ops: readonly Op[];
  /**
   * The caller follows the store, and what its compares say of single keys was so at this revision: an engine may leave
   * out looking at anything older. Without it, and in engines that do not use it, all is looked at.
   */
  readonly asOf?: Revision;
}

/**
 * `ok` with the transaction's revision (a transaction without effect keeps the store's revision), or not ok with the
 * position of the first compare that failed; then nothing was done.
 */
export type CommitResult =
  | { readonly ok: true; readonly revision: Revision }
  | { readonly ok: false; readonly revision: Revision; readonly failedCompare: number };

export type StoreChange =
  | { readonly kind: 'put'; readonly entry: StoreEntry }
  | { readonly kind: 'delete'; readonly key: Key; readonly modRevision: Revision };

/** All changes of one transaction within the watched range, in the order of the operations. */
export interface StoreEvents {
  readonly revision: Revision;
  readonly changes: readonly StoreChange[];
}

/** What engines cannot hide. */
export interface StoreTraits {
  /** Whether a quorum of machines holds each commit. */
  readonly replicated: boolean;
  /** Whether an acknowledged commit survives kill -9 and power loss. */
  readonly durable: boolean;
  /** Whether `read(range, at)` answers for every revision that a watch could still start from, or for the newest only. */
  readonly historicReads: boolean;
  /** Operations of one transaction. */
  readonly maxTxnOps: number;
  /** Compares of one transaction. */
  readonly maxTxnCompares: number;
  /** Bytes of one transaction: the keys and values of its operations and the keys of its compares. */
  readonly maxTxnBytes: number;
}

/** The content at one revision, to be read piece by piece while the store goes on. */
export interface StoreView {
  readonly revision: Revision;
  /**
   * Entries in key order, in pieces that leave other work its turn. Values must not be modified.
   * @throws AppError `compacted` when the revision is no longer kept, `shuttingDown`.
   */
  slices(range: KeyRange): AsyncIterable<readonly StoreEntry[]>;
  /** To be called once, when nothing more is read. */
  release(): void;
}

/** The format of what a store holds. Who does not know it refuses the store. */
export interface StoreFormat {
  /** As far as this process knows; others may have raised it. */
  known(): number;
  /**
   * As it is now, or as it was when a backup of before has taken its place.
   * @throws AppError `unavailable`, `storeMismatch`, what the engine throws.
   */
  read(): Promise<number>;
  /**
   * Raises it, for good, if the compares hold, which are of single keys; whether it was lower.
   * @throws AppError `conflict` when one does not hold; `unavailable`, `storeMismatch`, what the engine throws.
   */
  raise(to: number, compares: readonly Compare[]): Promise<boolean>;
}

export interface Store {
  readonly traits: StoreTraits;
  /** Of a store that processes of several versions may have open at a time. */
  readonly format?: StoreFormat;
  /** Newest revision that this engine has seen. */
  revision(): Revision;
  /** Why nothing can be read or written until something outside is mended, and what to do; undefined while all is well. */
  problem?(): string | undefined;
  /**
   * The newest revision that any engine of this store has acknowledged before the call; this one then has it too.
   * @throws AppError `unavailable`, `deadline` when no quorum says so.
   */
  barrier(): Promise<Revision>;
  /**
   * @throws AppError `compacted` when `at` is older than the kept history, `badRequest` when it is newer than the store,
   * `storeReadOnly` never (reads go on).
   */
  read(range: KeyRange, at?: Revision): Promise<ReadResult>;
  /** The newest content, for as long as it is needed. @throws AppError `shuttingDown`. */
  view(): Promise<StoreView>;
  /**
   * Compares, then operations; all or none; one revision. Resolves only when the commit is durable (see traits).
   * @throws AppError `tooLarge`, `badRequest` (a key put twice), `storeReadOnly` after a disk error, `shuttingDown`.
   */
  commit(txn: Txn): Promise<CommitResult>;
  /**
   * Every change of the range after revision `after`, in order, without a gap or a duplicate; ends when the signal
   * aborts. A consumer that is slower than the kept history gets the error rather than a gap.
   * @throws AppError `compacted`.
   */
  watch(range: KeyRange, after: Revision, signal: AbortSignal): AsyncIterable<StoreEvents>;
  /** The whole content at one revision as chunks of the engine-independent snapshot format. */
  snapshot(signal: AbortSignal): AsyncIterable<Uint8Array>;
  /**
   * Replaces the content by a snapshot: verified whole before anything is written, then all or nothing. The revision
   * becomes higher than both the snapshot's and the store's own, and so does the modRevision of every entry; watches
   * that are open end with `compacted`.
   * @throws AppError `storeCorrupt` naming what is wrong; then nothing has changed.
   */
  restore(chunks: AsyncIterable<Uint8Array>): Promise<Revision>;
  /** Releases files; pending commits are settled first, open watches end with `shuttingDown`. */
  close(): Promise<void>;
}

/** The range of all keys that begin with `prefix`. The empty prefix gives every key. */
export function prefixRange(prefix: Key): KeyRange {
  // U+10FFFF sorts after every other character in UTF-8 order, and keys never contain it.
  return { start: prefix, end: `${prefix}\u{10FFFF}` };
}
