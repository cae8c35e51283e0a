import { inRange } from '../../store/key-order.ts';
import type { Compare, Key, KeyRange, Op, Revision } from '../../store/store.ts';
import { encodeRecord, sameRecord } from './records.ts';
import { type CarriedIndexes, sealValue } from './stored.ts';

/** `shared` for what a plan relies on, `exclusive` for what it writes. */
export type LockMode = 'shared' | 'exclusive';

/** A transaction that turns the present state into the wanted one; empty when nothing has to change. */
export interface Plan {
  readonly compares: readonly Compare[];
  readonly ops: readonly Op[];
  /** What must be held from the planning until the state shows the outcome, so that writers of one entry go in turn. */
  readonly locks: ReadonlyMap<Key, LockMode>;
}

/** What a plan knows of a key: the revision of its record and what it carries; undefined when there is none. */
export interface Known {
  readonly modRevision: Revision;
  readonly carried?: CarriedIndexes;
}

/** What a plan takes from whatever is bound to it: a check that goes or turns critical, or a whole node. */
export interface Loss {
  /** In lower case. */
  readonly node: string;
  /** As it is found on the node; absent: the node goes. */
  readonly check?: string;
}

/** Collects compares, operations and locks. Everything that is read to decide is compared. */
export class PlanBuilder {
  readonly #compares = new Map<Key, Compare>();
  readonly #ranges: Compare[] = [];
  readonly #ops: Op[] = [];
  readonly #deleted: KeyRange[] = [];
  readonly #locks = new Map<Key, LockMode>();
  readonly #losses: Loss[] = [];
  #bytes = 0;

  /** The decision relies on this record, or on its absence. */
  rely(key: Key, known: Known | undefined): void {
    this.#compare(key, known);
    if (!this.#locks.has(key)) this.#locks.set(key, 'shared');
  }

  /** Nobody else may write here meanwhile, though nothing may have to be written in the end. */
  own(key: Key, known: Known | undefined): void {
    this.#compare(key, known);
    this.#locks.set(key, 'exclusive');
  }

  put(key: Key, known: Known | undefined, record: object | string): void {
    this.putBytes(key, known, typeof record === 'string' ? JSON.stringify(record) : encodeRecord(record));
  }

  /** Puts a record in a form of its table's own. What replaces a restored entry keeps its CreateIndex. */
  putBytes(key: Key, known: Known | undefined, body: string | Uint8Array): void {
    this.own(key, known);
    this.#put(key, sealValue(body, known?.carried && { create: known.carried.create }));
  }

  /** Puts what is shown with these indexes, and not with those of the put. */
  putCarrying(key: Key, known: Known | undefined, body: Uint8Array, carried: CarriedIndexes): void {
    this.own(key, known);
    this.#put(key, sealValue(body, carried));
  }

  /** Puts only what differs from the present record. */
  putChanged(key: Key, known: (Known & { record: object }) | undefined, record: object): void {
    if (known && sameRecord(known.record, record)) this.own(key, known);
    else this.put(key, known, record);
  }

  delete(key: Key, known: Known | undefined): void {
    this.own(key, known);
    if (known) this.#ops.push({ kind: 'delete', key });
  }

  /** The decision relies on nothing in the range having been put after `maxModRevision`. */
  relyRange(range: KeyRange, maxModRevision: Revision): void {
    this.#ranges.push({ kind: 'range', range, maxModRevision });
  }

  /** A lock that is no key of the store: writers of something wider (a prefix, a name) go in turn. */
  lock(name: string, mode: LockMode): void {
    if (this.#locks.get(name) !== 'exclusive') this.#locks.set(name, mode);
  }

  deleteRange(range: KeyRange): void {
    this.#ops.push({ kind: 'deleteRange', range });
    this.#deleted.push(range);
  }

  /** Ends come with this: see `BoundEnds`. */
  loses(loss: Loss): void {
    this.#losses.push(loss);
  }

  get losses(): readonly Loss[] {
    return this.#losses;
  }

  /** Of the keys and values that are put. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Operations or compares, whichever are more: what a store's limit counts. */
  get size(): number {
    return Math.max(this.#ops.length, this.#compares.size + this.#ranges.length);
  }

  /** Whether this key is written, or would be if it had to change. */
  owns(key: Key): boolean {
    return this.#locks.get(key) === 'exclusive' || this.#deleted.some((range) => inRange(key, range));
  }

  /** Whether the decision relies on this key, or writes it. */
  relies(key: Key): boolean {
    return this.#compares.has(key);
  }

  get changesNothing(): boolean {
    return this.#ops.length === 0;
  }

  build(): Plan {
    return {
      compares: [...this.#compares.values(), ...this.#ranges],
      ops: this.#ops,
      locks: this.#locks,
    };
  }

  #put(key: Key, value: Uint8Array): void {
    this.#ops.push({ kind: 'put', key, value });
    this.#bytes += key.length + value.byteLength;
  }

  #compare(key: Key, known: Known | undefined): void {
    this.#compares.set(key, { kind: 'key', key, modRevision: known?.modRevision ?? 0 });
  }
}
