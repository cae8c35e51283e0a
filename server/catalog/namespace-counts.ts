interface Content {
  count: number;
  since: number;
}

/** How many entries of a table each namespace has, and since when; those that have none are not there. */
export class NamespaceCounts {
  readonly #contents = new Map<string, Content>();

  /** Counts one more, with its CreateIndex; whether it is the namespace's first. */
  add(namespace: string, createIndex: number): boolean {
    const content = this.#contents.get(namespace);
    if (!content) {
      this.#contents.set(namespace, { count: 1, since: createIndex });
      return true;
    }
    content.count++;
    // They are loaded in any order.
    if (createIndex < content.since) content.since = createIndex;
    return false;
  }

  /** Counts one less; whether it was the namespace's last. */
  remove(namespace: string): boolean {
    const content = this.#contents.get(namespace);
    if (content && content.count > 1) {
      content.count--;
      return false;
    }
    return this.#contents.delete(namespace);
  }

  clear(): void {
    this.#contents.clear();
  }

  /** Each with the index of the first entry that it is known to have had, in no order. */
  *since(): Iterable<readonly [namespace: string, index: number]> {
    for (const [namespace, { since }] of this.#contents) yield [namespace, since];
  }
}
