import { SetMap } from '../../core/set-map.ts';
import type { InstanceEntry } from './entries.ts';
import { comparePlaces } from './instance-place.ts';
import type { CatalogState } from './state.ts';

/**
 * Finds instances by something that few lookups ask for. Built from the whole catalog when it is first asked, kept up with
 * every transaction from then on: who never asks pays nothing.
 */
export class InstanceIndex {
  readonly #state: CatalogState;
  readonly #keysOf: (instance: InstanceEntry) => readonly string[];
  #byKey: SetMap<string, InstanceEntry> | undefined;

  /** `keysOf` must depend on the stored instance alone. */
  constructor(deps: { state: CatalogState }, options: { keysOf: (instance: InstanceEntry) => readonly string[] }) {
    this.#state = deps.state;
    this.#keysOf = options.keysOf;
    deps.state.onReset(() => {
      this.#byKey = undefined;
    });
    deps.state.onChanges((changes) => {
      if (!this.#byKey) return;
      for (const { before } of changes.instances.values()) if (before) this.#remove(before);
      for (const { after } of changes.instances.values()) if (after) this.#add(after);
    });
  }

  /** In order of node and id. */
  get(key: string): InstanceEntry[] {
    this.#byKey ??= this.#build();
    const found = [...this.#byKey.get(key)];
    return found.sort((a, b) => comparePlaces(a.place, b.place));
  }

  #build(): SetMap<string, InstanceEntry> {
    this.#byKey = new SetMap();
    for (const node of this.#state.nodeEntries()) for (const instance of node.instances.values()) this.#add(instance);
    return this.#byKey;
  }

  #add(instance: InstanceEntry): void {
    for (const key of this.#keysOf(instance)) this.#byKey!.add(key, instance);
  }

  #remove(instance: InstanceEntry): void {
    for (const key of this.#keysOf(instance)) this.#byKey!.delete(key, instance);
  }
}
