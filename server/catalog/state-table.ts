import type { StoreEntry } from '../../store/store.ts';

/** What a table may use while a transaction is applied or everything is loaded. */
export interface ApplyContext {
  /** The index of the transaction: the new version of every topic that it touches. */
  readonly index: number;
  /** What is added to store revisions to give indexes. */
  readonly base: number;
  /** While everything is loaded anew: nobody is woken for single entries, each version is at least `index` afterwards. */
  readonly loading: boolean;
  /** Gives a topic the transaction's index and says whether its data exists now; its watchers are called afterwards. */
  bump(topic: string, live: boolean): void;
}

/**
 * One kind of data beside the catalog's own (keys and values, sessions, …), kept in memory from the store's changes.
 * All of its entries lie under one key segment. Called in the order of the store's revisions, never concurrently.
 */
export interface StateTable {
  /** Lower-case letters and hyphens; unique in the state. Keys are `state.keys.table(segment, rest)`. */
  readonly segment: string;
  /**
   * An entry was put; `rest` is its key after the segment. The value must not be modified. @throws AppError `storeCorrupt` for
   * what cannot be read, with nothing changed.
   */
  put(rest: string, entry: StoreEntry, context: ApplyContext): void;
  delete(rest: string, context: ApplyContext): void;
  /** Everything is loaded anew: forget all data. */
  clear(): void;
  /** What `rest` begins with for the entries that belong to a node (its name in lower case): they are deleted with it. */
  ofNode?(node: string): string;
  /**
   * Refuses what `put` would refuse; an archive is asked of each of its entries before any is restored.
   * @throws AppError `storeCorrupt` naming the key and the field.
   */
  check(rest: string, entry: StoreEntry): void;
  /**
   * `put` has refused the entry, whose key holds nothing that could be read now: what was there before is forgotten (`delete`
   * is called where this is not given). A table whose absence would allow something keeps what forbids it instead.
   */
  refuse?(rest: string, entry: StoreEntry, why: string, context: ApplyContext): void;
  /** The namespaces that have entries here, with the index of the first of them that is known. */
  namespaces?(): Iterable<readonly [namespace: string, since: number]>;
  /** All changes of a transaction (or of a load) are in place; the watchers have not been called yet. */
  settle?(context: ApplyContext): void;
}
