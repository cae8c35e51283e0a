import { createHash } from 'node:crypto';
import { shownEntry } from '../../api/shapes/config-entry/decode.ts';
import type { ConfigEntry, ConfigKind, Indexes } from '../../api/shapes/config-entry/entry.ts';
import type { StoreEntry } from '../../store/store.ts';
import { escapePart } from '../catalog/keys.ts';
import { WHOLE } from '../catalog/record-shape.ts';
import type { ApplyContext, StateTable } from '../catalog/state-table.ts';
import { createIndexOf, inPlaceOf, modifyIndexOf, type Stored, storedJson } from '../catalog/stored.ts';
import { isChainKind, servicesOf } from './references.ts';
import { entryInPlaceOf, storedEntry } from './stored-entry.ts';

/** An entry in memory. */
export interface KeptEntry {
  readonly stored: Stored<ConfigEntry>;
  readonly indexes: Indexes;
  /** Its JSON form. */
  readonly shape: object;
}

/** Topics: all entries of a kind, one of them, and what the chain of a service is made from (proxy-defaults apart). */
export const configTopic = {
  kind: (kind: ConfigKind) => `config/${kind}`,
  entry: (kind: ConfigKind, name: string) => `config/${kind}/${name.toLowerCase()}`,
  chain: (service: string) => `chain/${service.toLowerCase()}`,
};

/** Keys within the table. The graph's key is written with every entry whose rules concern other entries. */
export const configRest = {
  entry: (kind: ConfigKind, name: string) => `entry/${kind}/${escapePart(name.toLowerCase())}`,
  graph: 'graph',
};

/** What others keep of the entries. */
export interface EntryIndex {
  /** An entry is now like this, or gone; the watchers have not been called yet. */
  changed(kind: ConfigKind, name: string, entry: KeptEntry | undefined, context: ApplyContext): void;
  clear(): void;
}

/** All configuration entries, by kind and name. */
export class ConfigTable implements StateTable {
  readonly segment = 'config-entry';
  readonly #kinds = new Map<ConfigKind, Map<string, KeptEntry>>();
  /** Entries by their key. */
  readonly #keys = new Map<string, KeptEntry>();
  /** Services whose entries lead to a service, with the number of entries that do. */
  readonly #referrers = new Map<string, Map<string, number>>();
  readonly #indexes: EntryIndex[] = [];
  #graph: Stored<number> | undefined;

  put(rest: string, entry: StoreEntry, context: ApplyContext): void {
    if (rest === configRest.graph) {
      this.#graph = storedJson<number>(entry, WHOLE);
      return;
    }
    this.#keep(rest, storedEntry(rest, restOf, entry), context);
  }

  check(rest: string, entry: StoreEntry): void {
    if (rest === configRest.graph) storedJson(entry, WHOLE);
    else storedEntry(rest, restOf, entry);
  }

  refuse(rest: string, entry: StoreEntry, why: string, context: ApplyContext): void {
    if (rest === configRest.graph) {
      // It is compared and counted up, not read.
      this.#graph = inPlaceOf(entry, 0);
      return;
    }
    const record = entryInPlaceOf(rest, this.#keys.get(rest)?.stored.record, why);
    if (record) this.#keep(rest, inPlaceOf(entry, record), context);
  }

  #keep(rest: string, stored: Stored<ConfigEntry>, context: ApplyContext): void {
    const indexes = {
      CreateIndex: createIndexOf(stored, context.base),
      ModifyIndex: modifyIndexOf(stored, context.base),
    };
    const shape = { ...shownEntry(stored.record), Hash: hashOf(stored.record), ...indexes };
    const { Kind: kind, Name: name } = stored.record;
    const kept: KeptEntry = { stored, indexes, shape };
    this.#count(this.#keys.get(rest), -1);
    this.#keys.set(rest, kept);
    this.#entriesOf(kind).set(name.toLowerCase(), kept);
    this.#count(kept, 1);
    this.#changed(kind, name, kept, context);
  }

  delete(rest: string, context: ApplyContext): void {
    if (rest === configRest.graph) {
      this.#graph = undefined;
      return;
    }
    const before = this.#keys.get(rest);
    if (!before) return;
    const { Kind: kind, Name: name } = before.stored.record;
    this.#count(before, -1);
    this.#keys.delete(rest);
    this.#entriesOf(kind).delete(name.toLowerCase());
    this.#changed(kind, name, undefined, context);
  }

  clear(): void {
    this.#kinds.clear();
    this.#keys.clear();
    this.#referrers.clear();
    this.#graph = undefined;
    for (const index of this.#indexes) index.clear();
  }

  /** Before anything is loaded. */
  addIndex(index: EntryIndex): void {
    this.#indexes.push(index);
  }

  get graph(): Stored<number> | undefined {
    return this.#graph;
  }

  kept(kind: ConfigKind, name: string): KeptEntry | undefined {
    return this.#kinds.get(kind)?.get(name.toLowerCase());
  }

  get(kind: ConfigKind, name: string): ConfigEntry | undefined {
    return this.kept(kind, name)?.stored.record;
  }

  /** By name. */
  list(kind: ConfigKind): KeptEntry[] {
    const entries = [...(this.#kinds.get(kind) ?? [])];
    return entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([, entry]) => entry);
  }

  /** The service and all whose chains lead to it, in lower case. */
  affectedBy(service: string): Set<string> {
    const found = new Set([service.toLowerCase()]);
    // A set that is walked while it grows gives what is added, too.
    for (const name of found) for (const [referrer] of this.#referrers.get(name) ?? []) found.add(referrer);
    return found;
  }

  #changed(kind: ConfigKind, name: string, entry: KeptEntry | undefined, context: ApplyContext): void {
    context.bump(configTopic.kind(kind), this.#entriesOf(kind).size > 0);
    context.bump(configTopic.entry(kind, name), entry !== undefined);
    if (isChainKind(kind)) for (const service of this.affectedBy(name)) context.bump(configTopic.chain(service), true);
    for (const index of this.#indexes) index.changed(kind, name, entry, context);
  }

  #entriesOf(kind: ConfigKind): Map<string, KeptEntry> {
    let entries = this.#kinds.get(kind);
    if (!entries) {
      entries = new Map();
      this.#kinds.set(kind, entries);
    }
    return entries;
  }

  #count(entry: KeptEntry | undefined, by: number): void {
    if (!entry) return;
    const referrer = entry.stored.record.Name.toLowerCase();
    for (const service of servicesOf(entry.stored.record)) {
      const of = this.#referrers.get(service) ?? new Map<string, number>();
      const count = (of.get(referrer) ?? 0) + by;
      if (count > 0) of.set(referrer, count);
      else of.delete(referrer);
      if (of.size > 0) this.#referrers.set(service, of);
      else this.#referrers.delete(service);
    }
  }
}

function restOf({ Kind: kind, Name: name }: ConfigEntry): string {
  return configRest.entry(kind, name);
}

/** 48 bits of the content: a number that every client can hold. */
function hashOf(entry: ConfigEntry): number {
  return createHash('sha256').update(JSON.stringify(entry)).digest().readUIntBE(0, 6);
}
