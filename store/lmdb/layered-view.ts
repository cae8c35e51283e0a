import { nextTurn } from '../../core/next-turn.ts';
import { compareKeys, inRange, lowerBound } from '../key-order.ts';
import type { Key, KeyRange, Revision, StoreEntry } from '../store.ts';
import type { LmdbView } from './environment.ts';
import type { Changes } from './journal.ts';
import type { RecordRevisions, StoredRecord } from './record.ts';

/** Entries read between two turns of the event loop: some 2 ms. */
const SLICE_ENTRIES = 512;

/** LMDB's content with the changes that only the journal has yet, the newest last. Used within one turn. */
export class LayeredView {
  readonly revision: Revision;
  readonly #base: LmdbView;
  readonly #layers: readonly Changes[];

  constructor(base: LmdbView, layers: readonly Changes[], revision: Revision) {
    this.#base = base;
    this.#layers = layers;
    this.revision = revision;
  }

  /** The revision of what LMDB has: all later changes lie in the layers. */
  get baseRevision(): Revision {
    return this.#base.meta.revision;
  }

  /** What the layers say of a key: its record, null when it was deleted, undefined when they have no change of it. */
  changed(key: Key): StoredRecord | null | undefined {
    for (let at = this.#layers.length - 1; at >= 0; at--) {
      const record = this.#layers[at]!.get(key);
      if (record !== undefined) return record;
    }
    return undefined;
  }

  /** When a key without a change in the layers was made and last put. */
  baseRevisions(key: Key): RecordRevisions | undefined {
    return this.#base.revisions(key);
  }

  /** All entries of the range, in no order. */
  *entries(range: KeyRange): Generator<StoreEntry, void, void> {
    for (const [at, layer] of this.#layers.entries()) {
      for (const [key, record] of layer) {
        if (record && inRange(key, range) && !this.#changedFrom(at + 1, key)) yield record;
      }
    }
    for (const entry of this.#base.entries(range)) if (!this.#changedFrom(0, entry.key)) yield entry;
  }

  /** Whether this layer or one after it has the key. */
  #changedFrom(layer: number, key: Key): boolean {
    for (let at = layer; at < this.#layers.length; at++) if (this.#layers[at]!.has(key)) return true;
    return false;
  }

  /** The same content for as long as it is needed. */
  pin(): PinnedView {
    return new PinnedView(this.#base.retain(), merged(this.#layers), this.revision);
  }
}

/** The content at one revision, whatever is written meanwhile; to be released. */
export class PinnedView {
  readonly revision: Revision;
  readonly #base: LmdbView;
  readonly #changes: Changes;
  readonly #keys: readonly Key[];

  /** `base` then belongs to the view, and `changes` must not change. */
  constructor(base: LmdbView, changes: Changes, revision: Revision) {
    this.#base = base;
    this.#changes = changes;
    this.#keys = [...changes.keys()].sort(compareKeys);
    this.revision = revision;
  }

  release(): void {
    this.#base.release();
  }

  /** The range in key order. */
  async *slices(range: KeyRange): AsyncGenerator<StoreEntry[], void, void> {
    const base = this.#base.retain();
    try {
      let at = lowerBound(this.#keys, range.start);
      let from: Key | undefined;
      do {
        if (from) await nextTurn();
        const { entries, next } = base.slice(range, SLICE_ENTRIES, from);
        const slice: StoreEntry[] = [];
        for (const entry of entries) {
          at = this.#take(slice, at, entry.key);
          if (this.#keys[at] !== entry.key) slice.push(entry);
        }
        if (!next) this.#take(slice, at, range.end);
        yield slice;
        from = next;
      } while (from);
    } finally {
      base.release();
    }
  }

  /** Adds the changed entries from position `at` on whose keys come before `end`; the position after them. */
  #take(slice: StoreEntry[], at: number, end: Key): number {
    let next = at;
    while (next < this.#keys.length && compareKeys(this.#keys[next]!, end) < 0) {
      const key = this.#keys[next++]!;
      const record = this.#changes.get(key);
      if (record) slice.push(record);
    }
    return next;
  }
}

function merged(layers: readonly Changes[]): Changes {
  const [only] = layers;
  if (layers.length === 1) return new Map(only);
  const all = new Map<Key, StoredRecord | null>();
  for (const layer of layers) for (const [key, record] of layer) all.set(key, record);
  return all;
}
