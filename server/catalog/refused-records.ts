import type { Key, Revision, StoreEntry } from '../../store/store.ts';

/** An entry of the store that nobody can read. */
export interface RefusedRecord {
  readonly key: Key;
  readonly modRevision: Revision;
  /** What is wrong with it. */
  readonly why: string;
}

/** The entries of the catalog that are stored and cannot be read, until they are deleted or written anew. */
export class RefusedRecords {
  readonly #byKey = new Map<Key, RefusedRecord>();
  /** Not yet given out by `takeNew`. */
  #fresh: RefusedRecord[] = [];

  get size(): number {
    return this.#byKey.size;
  }

  get(key: Key): RefusedRecord | undefined {
    return this.#byKey.get(key);
  }

  add({ key, modRevision }: StoreEntry, why: string): void {
    const record = { key, modRevision, why };
    this.#byKey.set(key, record);
    this.#fresh.push(record);
  }

  /** It is gone, or can be read again. */
  forget(key: Key): void {
    if (this.#byKey.size > 0) this.#byKey.delete(key);
  }

  clear(): void {
    this.#byKey.clear();
    this.#fresh = [];
  }

  /** Those that have come since the last time. */
  takeNew(): readonly RefusedRecord[] {
    const fresh = this.#fresh;
    if (fresh.length > 0) this.#fresh = [];
    return fresh;
  }
}
