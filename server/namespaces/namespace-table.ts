import type { Namespace, NamespaceContent } from '../../api/shapes/namespace.ts';
import type { StoreEntry } from '../../store/store.ts';
import { fields, mapOf, maybe, NAME, TEXT } from '../catalog/record-shape.ts';
import type { ApplyContext, StateTable } from '../catalog/state-table.ts';
import { createIndexOf, inPlaceOf, modifyIndexOf, type Stored, storedJson } from '../catalog/stored.ts';
import { topicOf } from '../catalog/topics.ts';

export interface NamespaceEntry {
  readonly stored: Stored<NamespaceContent>;
  readonly shape: Namespace;
}

const NAMESPACE = fields({ Name: NAME, Description: TEXT, Meta: maybe(mapOf(TEXT)) });

/** The namespaces that somebody has described, by name. */
export class NamespaceTable implements StateTable {
  readonly segment = 'namespace';
  readonly #byName = new Map<string, NamespaceEntry>();

  put(rest: string, entry: StoreEntry, context: ApplyContext): void {
    this.#keep(rest, storedJson<NamespaceContent>(entry, NAMESPACE), context);
  }

  check(_rest: string, entry: StoreEntry): void {
    storedJson(entry, NAMESPACE);
  }

  /** It is there, though nobody knows what was said of it. */
  refuse(rest: string, entry: StoreEntry, why: string, context: ApplyContext): void {
    this.#keep(rest, inPlaceOf(entry, { Name: rest, Description: why, Meta: null }), context);
  }

  #keep(rest: string, stored: Stored<NamespaceContent>, context: ApplyContext): void {
    const CreateIndex = createIndexOf(stored, context.base);
    const ModifyIndex = modifyIndexOf(stored, context.base);
    this.#byName.set(rest, { stored, shape: { ...stored.record, CreateIndex, ModifyIndex } });
    context.bump(topicOf.namespaces, true);
  }

  delete(rest: string, context: ApplyContext): void {
    this.#byName.delete(rest);
    context.bump(topicOf.namespaces, true);
  }

  clear(): void {
    this.#byName.clear();
  }

  get(name: string): NamespaceEntry | undefined {
    return this.#byName.get(name);
  }

  entries(): Iterable<NamespaceEntry> {
    return this.#byName.values();
  }
}
