import { inRange } from '../../store/key-order.ts';
import type { Key, KeyRange } from '../../store/store.ts';
import type { Known, PlanBuilder } from '../catalog/plan.ts';

interface Entry {
  readonly known: Known | undefined;
  /** What later operations see; undefined: there is nothing. */
  now: unknown;
  /** The stored form, when it is to be put. */
  put?: string | Uint8Array | object;
  deleted?: boolean;
}

/** A range that goes, and what was in it. */
interface Deletion {
  readonly range: KeyRange;
  readonly present: ReadonlyMap<Key, Known>;
}

/**
 * Entries of ranges that a transaction relies upon one by one, half of its compares; of further ones only that nothing was put
 * there.
 */
const MAX_RELIED_IN_RANGES = 512;

/** What a transaction has done so far: its later operations see what its earlier ones wrote, the state is untouched. */
export class Draft {
  readonly #entries = new Map<Key, Entry>();
  readonly #deletions: Deletion[] = [];
  #reliedInRanges = 0;
  readonly #reads: { range: KeyRange; revision: number }[] = [];

  /** What is at a key; `base` is what the state has there. Read from now on means relied upon. */
  read<T>(key: Key, base: { readonly known: Known; readonly value: T } | undefined): T | undefined {
    return this.#entry(key, base).now as T | undefined;
  }

  /** An entry of a range, which `relyRange` is called for, is shown: it is relied upon, too, while there are few of these. */
  readInRange(key: Key, base: { readonly known: Known; readonly value: unknown }): void {
    if (this.#entries.has(key) || this.#reliedInRanges >= MAX_RELIED_IN_RANGES) return;
    this.#reliedInRanges++;
    this.#entry(key, base);
  }

  put(
    key: Key,
    base: { readonly known: Known; readonly value: unknown } | undefined,
    now: unknown,
    stored: object,
  ): void {
    const entry = this.#entry(key, base);
    entry.now = now;
    entry.put = stored;
    entry.deleted = false;
  }

  delete(key: Key, base: { readonly known: Known; readonly value: unknown } | undefined): void {
    remove(this.#entry(key, base));
  }

  /** Everything in the range goes; `present` is what the state has there. */
  deleteRange(range: KeyRange, present: ReadonlyMap<Key, Known>): void {
    for (const [key, entry] of this.#entries) if (inRange(key, range)) remove(entry);
    this.#deletions.push({ range, present });
  }

  /** The answer to be given depends on what is in the range, as of a revision. */
  relyRange(range: KeyRange, revision: number): void {
    this.#reads.push({ range, revision });
  }

  /** What this transaction has put or deleted in the range. */
  *within(range: KeyRange): Iterable<{ readonly key: Key; readonly now: unknown }> {
    for (const [key, { now }] of this.#entries) if (inRange(key, range)) yield { key, now };
  }

  wasDeleted(key: Key): boolean {
    return this.#deletions.some(({ range }) => inRange(key, range));
  }

  compile(plan: PlanBuilder): void {
    const puts = [...this.#entries].filter(([, entry]) => entry.put !== undefined).map(([key]) => key);
    for (const { range, revision } of this.#reads) plan.relyRange(range, revision);
    for (const { range, present } of this.#deletions) {
      if (!puts.some((key) => inRange(key, range))) {
        plan.deleteRange(range);
        continue;
      }
      // A range cannot go while something in it is put: what is there goes one by one.
      for (const [key, known] of present) if (!this.#entries.has(key)) plan.delete(key, known);
    }
    for (const [key, { known, put, deleted }] of this.#entries) {
      if (put instanceof Uint8Array) plan.putBytes(key, known, put);
      else if (put !== undefined) plan.put(key, known, put);
      else if (deleted) plan.delete(key, known);
      else plan.rely(key, known);
    }
  }

  #entry(key: Key, base: { readonly known: Known; readonly value: unknown } | undefined): Entry {
    let entry = this.#entries.get(key);
    if (!entry) {
      const gone = this.wasDeleted(key);
      entry = { known: base?.known, now: gone ? undefined : base?.value, deleted: gone };
      this.#entries.set(key, entry);
    }
    return entry;
  }
}

function remove(entry: Entry): void {
  entry.now = undefined;
  entry.put = undefined;
  entry.deleted = true;
}
