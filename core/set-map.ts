/** Sets by a key; a key without a member is not there. Members come in the order in which they were added. */
export class SetMap<K, V> {
  readonly #sets = new Map<K, Set<V>>();

  /** How many keys have members. */
  get size(): number {
    return this.#sets.size;
  }

  add(key: K, member: V): void {
    const set = this.#sets.get(key);
    if (set) set.add(member);
    else this.#sets.set(key, new Set([member]));
  }

  /** Whether it was there. */
  delete(key: K, member: V): boolean {
    const set = this.#sets.get(key);
    if (!set?.delete(member)) return false;
    if (set.size === 0) this.#sets.delete(key);
    return true;
  }

  has(key: K): boolean {
    return this.#sets.has(key);
  }

  /** The members of a key, none when it is not there. Must not be kept: later changes need not show in it. */
  get(key: K): Iterable<V> {
    return this.#sets.get(key) ?? [];
  }

  keys(): Iterable<K> {
    return this.#sets.keys();
  }

  /** The members of each key. */
  values(): Iterable<Iterable<V>> {
    return this.#sets.values();
  }

  clear(): void {
    this.#sets.clear();
  }
}
