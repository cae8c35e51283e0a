/** How many entries of a table each namespace has; those that have none are not there. */
export class NamespaceCounts {
  readonly #counts = new Map<string, number>();

  /** Counts one more; whether it is the namespace's first. */
  add(namespace: string): boolean {
    const count = this.#counts.get(namespace) ?? 0;
    this.#counts.set(namespace, count + 1);
    return count === 0;
  }

  /** Counts one less; whether it was the namespace's last. */
  remove(namespace: string): boolean {
    const count = this.#counts.get(namespace) ?? 0;
    if (count > 1) {
      this.#counts.set(namespace, count - 1);
      return false;
    }
    return this.#counts.delete(namespace);
  }

  clear(): void {
    this.#counts.clear();
  }

  /** In no order. */
  names(): Iterable<string> {
    return this.#counts.keys();
  }
}
