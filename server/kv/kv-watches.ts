import type { Topics } from '../catalog/topics.ts';

type Wakes = Set<() => void>;

/**
 * Who waits for which key or prefix. A change finds them by its own key: one lookup, and one more for each length that
 * a watched prefix has, however many wait.
 */
export class KvWatches {
  readonly #topics: Pick<Topics, 'admit' | 'alsoCall'>;
  readonly #keys = new Map<string, Wakes>();
  readonly #prefixes = new Map<string, Wakes>();
  /** How many watched prefixes have this length. */
  readonly #lengths = new Map<number, number>();
  readonly #due = new Set<Wakes>();

  constructor(deps: { topics: Pick<Topics, 'admit' | 'alsoCall'> }) {
    this.#topics = deps.topics;
  }

  /** @throws AppError `rateLimited` when too many wait already. */
  watchKey(rest: string, wake: () => void): () => void {
    return this.#watch(this.#keys, rest, wake);
  }

  /** @throws AppError `rateLimited` when too many wait already. */
  watchPrefix(prefix: string, wake: () => void): () => void {
    return this.#watch(this.#prefixes, prefix, wake);
  }

  changed(rest: string): void {
    const exact = this.#keys.get(rest);
    if (exact) this.#due.add(exact);
    for (const length of this.#lengths.keys()) {
      const found = length <= rest.length ? this.#prefixes.get(rest.slice(0, length)) : undefined;
      if (found) this.#due.add(found);
    }
  }

  allChanged(): void {
    for (const wakes of [...this.#keys.values(), ...this.#prefixes.values()]) this.#due.add(wakes);
  }

  /** Hands over whom the changes concern, to be called when all of the transaction is in place. */
  settle(): void {
    for (const wakes of this.#due) this.#topics.alsoCall(wakes);
    this.#due.clear();
  }

  /** A place for one more beside one who watches the same; to be given back once. @throws AppError `rateLimited`. */
  admit(): () => void {
    return this.#topics.admit();
  }

  #watch(map: Map<string, Wakes>, name: string, wake: () => void): () => void {
    const leave = this.#topics.admit();
    // A function of its own: the same one given twice counts twice.
    const call = () => wake();
    let wakes = map.get(name);
    if (!wakes) {
      wakes = new Set();
      map.set(name, wakes);
      if (map === this.#prefixes) this.#countLength(name.length, 1);
    }
    wakes.add(call);
    let done = false;
    return () => {
      if (done) return;
      done = true;
      leave();
      wakes.delete(call);
      if (wakes.size > 0) return;
      map.delete(name);
      if (map === this.#prefixes) this.#countLength(name.length, -1);
    };
  }

  #countLength(length: number, by: 1 | -1): void {
    const count = (this.#lengths.get(length) ?? 0) + by;
    if (count === 0) this.#lengths.delete(length);
    else this.#lengths.set(length, count);
  }
}
