import { inRange } from '../../store/key-order.ts';
import type { Compare, Key, KeyRange, Op, Revision } from '../../store/store.ts';
import { type Hold, type LockMode, slotOf } from './keyed-locks.ts';
import { encodeRecord, sameRecord } from './records.ts';
import { type CarriedIndexes, type GivenRecord, sealValue } from './stored.ts';

/** How a plan holds a key of the store, and what it compares of it. */
type KeyHold = Hold & Compare & { readonly kind: 'key' };

/** Up to this number keys are looked through one by one. */
const FEW_KEYS = 16;

/** A transaction that turns the present state into the wanted one; empty when nothing has to change. */
export interface Plan {
  readonly compares: readonly Compare[];
  readonly ops: readonly Op[];
  /** What must be held from the planning until the state shows the outcome, so that writers of one entry go in turn. */
  readonly locks: readonly Hold[];
  /** Keys that it knows nothing of and that must be absent afterwards. */
  readonly absent: readonly Key[];
  /** What it compares of keys is what the state has of them, and all of that is as the store has it. */
  readonly asStored: boolean;
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

/** What stores limit, each by itself. */
export interface PlanSize {
  readonly ops: number;
  readonly compares: number;
}

/** Collects compares, operations and locks. Everything that is read to decide is compared. */
export class PlanBuilder {
  /** Keys of the store. */
  readonly #keys: KeyHold[] = [];
  /** The same by key, when there are many. */
  #byKey: Map<Key, KeyHold> | undefined;
  readonly #ranges: Compare[] = [];
  readonly #ops: Op[] = [];
  readonly #deleted: KeyRange[] = [];
  readonly #absent: Key[] = [];
  readonly #losses: Loss[] = [];
  #bytes = 0;
  #asStored = false;

  /** The decision relies on this record, or on its absence. */
  rely(key: Key, known: Known | undefined): void {
    this.#hold(key, known, 'shared');
  }

  /** Nobody else may write here meanwhile, though nothing may have to be written in the end. */
  own(key: Key, known: Known | undefined): void {
    this.#hold(key, known, 'exclusive');
  }

  put(key: Key, known: Known | undefined, record: object | string): void {
    this.putBytes(key, known, typeof record === 'string' ? JSON.stringify(record) : encodeRecord(record));
  }

  /** Puts a record that is given away: the state takes it as it is, and nobody else may change it. */
  give(key: Key, known: Known | undefined, given: GivenRecord): void {
    this.own(key, known);
    const carried = carriedOver(known);
    // What is carried is in the value alone.
    this.#put(key, sealValue(given.encode(), carried), carried ? undefined : given);
  }

  /** Puts a record in a form of its table's own. */
  putBytes(key: Key, known: Known | undefined, body: string | Uint8Array): void {
    this.own(key, known);
    this.#put(key, sealValue(body, carriedOver(known)));
  }

  /** Puts what is shown with these indexes, and not with those of the put. */
  putCarrying(key: Key, known: Known | undefined, body: Uint8Array, carried: CarriedIndexes): void {
    this.own(key, known);
    this.#put(key, sealValue(body, carried));
  }

  /** Gives a record away where it differs from the present one. */
  giveChanged(key: Key, known: (Known & { record: object }) | undefined, given: GivenRecord): void {
    if (!this.#ownsSame(key, known, given.record!)) this.give(key, known, given);
  }

  /** Puts only what differs from the present record. */
  putChanged(key: Key, known: (Known & { record: object }) | undefined, record: object): void {
    if (!this.#ownsSame(key, known, record)) this.put(key, known, record);
  }

  /**
   * To be called where all that is planned from is shown as it is stored: nodes, instances, checks and owners are. Keys that a
   * session held are not, between its end and their release.
   */
  plansAsStored(): void {
    this.#asStored = true;
  }

  delete(key: Key, known: Known | undefined): void {
    this.own(key, known);
    if (known) this.#ops.push({ kind: 'delete', key });
    else this.#absent.push(key);
  }

  /** The decision relies on nothing in the range having been put after `maxModRevision`. */
  relyRange(range: KeyRange, maxModRevision: Revision): void {
    this.#ranges.push({ kind: 'range', range, maxModRevision });
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

  /** Of the keys and values that are put, and of the keys that are compared. */
  get bytes(): number {
    return this.#bytes;
  }

  /** How many entries more, each written and compared, a plan of at most this size may have; below 0: it is larger already. */
  room({ ops, compares }: PlanSize): number {
    return Math.min(ops - this.#ops.length, compares - this.#keys.length - this.#ranges.length);
  }

  /** Whether this key is written, or would be if it had to change. */
  owns(key: Key): boolean {
    return this.#find(key)?.mode === 'exclusive' || this.#deleted.some((range) => inRange(key, range));
  }

  /** Whether the decision relies on this key, or writes it. */
  relies(key: Key): boolean {
    return this.#find(key) !== undefined;
  }

  get changesNothing(): boolean {
    return this.#ops.length === 0;
  }

  build(): Plan {
    const compares = this.#ranges.length > 0 ? [...this.#keys, ...this.#ranges] : this.#keys;
    // The ends that come with losses are planned from what sessions held.
    const asStored = this.#asStored && this.#losses.length === 0;
    return { compares, ops: this.#ops, locks: this.#keys, absent: this.#absent, asStored };
  }

  /** Owns a key whose record says the same already; whether it does. */
  #ownsSame(key: Key, known: (Known & { record: object }) | undefined, record: object): boolean {
    if (!known || !sameRecord(known.record, record)) return false;
    this.own(key, known);
    return true;
  }

  #put(key: Key, value: Uint8Array, decoded?: object): void {
    this.#ops.push(decoded ? { kind: 'put', key, value, decoded } : { kind: 'put', key, value });
    this.#bytes += key.length + value.byteLength;
  }

  #hold(key: Key, known: Known | undefined, mode: LockMode): void {
    const held = this.#find(key);
    if (held) {
      if (mode === 'exclusive') held.mode = mode;
      return;
    }
    const hold: KeyHold = { kind: 'key', key, modRevision: known?.modRevision ?? 0, slot: slotOf(key), mode };
    this.#keys.push(hold);
    this.#bytes += key.length;
    this.#byKey?.set(key, hold);
  }

  #find(key: Key): KeyHold | undefined {
    if (this.#keys.length <= FEW_KEYS) {
      for (const hold of this.#keys) if (hold.key === key) return hold;
      return undefined;
    }
    this.#byKey ??= new Map(this.#keys.map((hold) => [hold.key, hold]));
    return this.#byKey.get(key);
  }
}

/** What replaces a restored entry keeps its CreateIndex. */
function carriedOver(known: Known | undefined): CarriedIndexes | undefined {
  return known?.carried && { create: known.carried.create };
}
