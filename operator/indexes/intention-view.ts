import type { Intention } from '../../crds/types/index.ts';
import { type ObjectKey, type ObjectSource, objectKey } from '../object-source.ts';
import { isBefore, type NamespaceMapping } from './cluster-view.ts';
import { ObjectIndex } from './object-index.ts';

/** The Intentions, and which of them declares a destination. */
export class IntentionView {
  readonly source: ObjectSource<Intention>;
  readonly #mapping: NamespaceMapping;
  readonly #byDestination: ObjectIndex<Intention>;

  constructor(source: ObjectSource<Intention>, options: { namespaces: NamespaceMapping }) {
    this.source = source;
    this.#mapping = options.namespaces;
    this.#byDestination = new ObjectIndex(source, (intention) =>
      this.isSupported(intention) ? [intention.spec.destination.service] : [],
    );
  }

  /** Whether the servers can hold it: they have intentions in the catalog namespace `default` only. */
  isSupported({ metadata }: Intention): boolean {
    return this.#mapping === 'single' || (metadata.namespace ?? 'default') === 'default';
  }

  /** All Intentions that declare this destination. */
  declaring(destination: string): ReadonlySet<ObjectKey> {
    return this.#byDestination.get(destination.toLowerCase());
  }

  /** Of all that declare it the oldest, of the same age the first by key; undefined when there is none. */
  holder(destination: string): ObjectKey | undefined {
    let holder: Intention | undefined;
    for (const key of this.declaring(destination)) {
      const other = this.source.get(key);
      if (other && (!holder || isBefore(other, holder))) holder = other;
    }
    return holder && objectKey(holder.metadata.namespace ?? 'default', holder.metadata.name);
  }

  close(): void {
    this.#byDestination.close();
  }
}
