import type { StoreEntry } from '../../store/store.ts';
import type { NodeEntry } from './entries.ts';
import { inPlaceOf, type Stored } from './stored.ts';

/** Stands for a name that cannot be read; none is empty. */
const UNREAD = '';

/** Which node has which id. */
export class NodeIds {
  readonly #names = new Map<string, Stored<string>>();

  /** `id`: in lower case. */
  set(id: string, name: Stored<string>): void {
    this.#names.set(id, name);
  }

  /** What is stored of it cannot be read. */
  refuse(id: string, entry: StoreEntry): void {
    this.#names.set(id, inPlaceOf(entry, UNREAD));
  }

  delete(id: string): void {
    this.#names.delete(id);
  }

  clear(): void {
    this.#names.clear();
  }

  /** The name of its node, of those that exist where the entry that says it cannot be read. */
  get(id: string, nodes: Iterable<NodeEntry>): Stored<string> | undefined {
    const wanted = id.toLowerCase();
    const found = this.#names.get(wanted);
    if (found?.record !== UNREAD) return found;
    for (const { stored } of nodes) {
      if (stored?.record.id.toLowerCase() === wanted) return { ...found, record: stored.record.name };
    }
    return undefined;
  }
}
