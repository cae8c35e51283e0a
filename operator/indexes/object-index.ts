import type { KubeObject } from '../kube-api/kube-api.ts';
import { keyOf, type ObjectKey, type ObjectSource } from '../object-source.ts';

const NONE: ReadonlySet<ObjectKey> = new Set();

/** Finds the objects of a source by values computed from them, without reading all of them. Follows every change. */
export class ObjectIndex<T extends KubeObject> {
  /** Most values have one object; only those with more pay for a Set. */
  readonly #keys = new Map<string, ObjectKey | Set<ObjectKey>>();
  readonly #valuesOf: (object: T) => Iterable<string>;
  /** Ends the following of the source. */
  readonly close: () => void;

  constructor(source: ObjectSource<T>, valuesOf: (object: T) => Iterable<string>) {
    this.#valuesOf = valuesOf;
    for (const object of source.list()) this.#add(keyOf(object), object);
    this.close = source.subscribe((key, old, current) => {
      if (old) this.#remove(key, old);
      if (current) this.#add(key, current);
    });
  }

  /** Keys of the objects that have the value. Valid until the next change. */
  get(value: string): ReadonlySet<ObjectKey> {
    const found = this.#keys.get(value);
    if (found === undefined) return NONE;
    return typeof found === 'string' ? new Set([found]) : found;
  }

  /** How many objects have the value. */
  count(value: string): number {
    const found = this.#keys.get(value);
    return found === undefined ? 0 : typeof found === 'string' ? 1 : found.size;
  }

  #add(key: ObjectKey, object: T): void {
    for (const value of this.#valuesOf(object)) {
      const found = this.#keys.get(value);
      if (found === undefined) this.#keys.set(value, key);
      else if (typeof found !== 'string') found.add(key);
      else if (found !== key) this.#keys.set(value, new Set([found, key]));
    }
  }

  #remove(key: ObjectKey, object: T): void {
    for (const value of this.#valuesOf(object)) {
      const found = this.#keys.get(value);
      if (found === key) this.#keys.delete(value);
      else if (found !== undefined && typeof found !== 'string') {
        found.delete(key);
        if (found.size === 0) this.#keys.delete(value);
      }
    }
  }
}
