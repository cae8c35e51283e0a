import type { KubeObject } from '../kube-api/kube-api.ts';
import { type ChangeHandler, type ObjectKey, type ObjectSource, splitKey } from '../object-source.ts';

/** Several sources of one kind, each of its own namespace, as one. */
export class MergedSource<T extends KubeObject> implements ObjectSource<T> {
  readonly kind: string;
  readonly #byNamespace: ReadonlyMap<string, ObjectSource<T>>;

  /** At least one, by namespace. */
  constructor(byNamespace: ReadonlyMap<string, ObjectSource<T>>) {
    this.#byNamespace = byNamespace;
    this.kind = [...byNamespace.values()][0]!.kind;
  }

  get(key: ObjectKey): T | undefined {
    return this.#byNamespace.get(splitKey(key).namespace)?.get(key);
  }
  *list(): Iterable<T> {
    for (const source of this.#byNamespace.values()) yield* source.list();
  }
  synced(): boolean {
    return [...this.#byNamespace.values()].every((source) => source.synced());
  }
  subscribe(handler: ChangeHandler<T>): () => void {
    const all = [...this.#byNamespace.values()].map((source) => source.subscribe(handler));
    return () => {
      for (const unsubscribe of all) unsubscribe();
    };
  }
}
