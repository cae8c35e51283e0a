import { AppError, errorText } from '../../core/errors.ts';
import type { KeyRange, Revision, StoreChange, StoreEntry, StoreEvents, StoreView } from '../../store/store.ts';
import { CatalogRecords } from './catalog-records.ts';
import { ChangeSet, type OwnedChange } from './change-set.ts';
import { type Home, KeyHomes } from './key-homes.ts';
import {
  CatalogKeys,
  FIRST_GENERATION,
  FIRST_INDEX_BASE,
  GENERATION_KEY,
  hasPlace,
  INDEX_BASE_KEY,
  placeOf,
  segmentOf,
} from './keys.ts';
import { NAME, WHOLE } from './record-shape.ts';
import { RefusedRecords } from './refused-records.ts';
import type { ApplyContext, StateTable } from './state-table.ts';
import { GivenRecord, storedJson } from './stored.ts';

/** What a namespace holds, and the index of the first of it that is known. */
export interface NamespaceUse {
  readonly holds: readonly string[];
  readonly since: number;
}

/** Order in which kinds are loaded, so that each finds what it refers to and checks are listed once. */
const LOAD_ORDER = ['owner', 'nodeId', 'node', 'instance', 'checkState', 'checkDefinition'] as const;

/**
 * The catalog in memory, as of one revision of the store: its records and the tables of other parts, built by `load`, kept
 * by `apply`, with one version for each topic. An entry that cannot be read is among the refused ones, and keeps no other
 * from being shown. Everything handed out must not be modified.
 */
export class CatalogState extends CatalogRecords {
  /** What lies in the store and cannot be read. */
  readonly refused = new RefusedRecords();
  #keys = new CatalogKeys(FIRST_GENERATION);
  #generation = FIRST_GENERATION;
  #generationRevision: Revision = 0;
  #revision: Revision = 0;
  #loaded = false;
  readonly #ownedListeners = new Set<(changes: Iterable<OwnedChange>, index: number) => void>();
  readonly #resetListeners = new Set<() => void>();
  readonly #changeListeners = new Set<(changes: ChangeSet, index: number) => void>();
  readonly #tables = new Map<string, StateTable>();
  /** Of the generation; made when the first key is looked at. */
  #homes: KeyHomes | undefined;

  get loaded(): boolean {
    return this.#loaded;
  }
  /** The revision of the store that this state shows. */
  get revision(): Revision {
    return this.#revision;
  }
  /** The same as a catalog index. */
  get applied(): number {
    return this.base + this.#revision;
  }
  get generation(): string {
    return this.#generation;
  }
  /** When the generation became the catalog; every write relies on it. 0 for the first one. */
  get generationRevision(): Revision {
    return this.#generationRevision;
  }
  /** The keys of the generation that is the catalog now. */
  get keys(): CatalogKeys {
    return this.#keys;
  }

  /** To be called before anything is loaded. */
  addTable(table: StateTable): void {
    if (this.#loaded || this.#tables.has(table.segment)) throw new AppError('internal', `table ${table.segment}`);
    this.#homes = undefined;
    this.#tables.set(table.segment, table);
  }

  table(segment: string): StateTable | undefined {
    return this.#tables.get(segment);
  }

  /** Where tables keep what belongs to a node. */
  nodeRanges(node: string): KeyRange[] {
    return [...this.#tables.values()].flatMap((table) =>
      table.ofNode ? [this.#keys.tableRange(table.segment, table.ofNode(node))] : [],
    );
  }

  /** @throws AppError `notSynced` before the first load. */
  assertLoaded(): void {
    if (!this.#loaded) throw new AppError('notSynced', 'No cluster leader');
  }

  /** What each namespace with content holds (services, or the segments of tables), and since which index. */
  namespacesInUse(): Map<string, NamespaceUse> {
    const found = new Map<string, NamespaceUse>();
    const note = (namespace: string, what: string, since: number) => {
      const { holds = [], since: before = since } = found.get(namespace) ?? {};
      found.set(namespace, { holds: [...holds, what], since: Math.min(before, since) });
    };
    for (const namespace of this.namespaces()) note(namespace, 'service', this.servicesSince(namespace));
    for (const [segment, table] of this.#tables)
      for (const [namespace, since] of table.namespaces?.() ?? []) note(namespace, segment, since);
    return found;
  }

  /** Called after each transaction that touched an owned instance. */
  onOwnedChanges(listener: (changes: Iterable<OwnedChange>, index: number) => void): () => void {
    this.#ownedListeners.add(listener);
    return () => this.#ownedListeners.delete(listener);
  }

  /** Called after each transaction that touched nodes, instances or checks. */
  onChanges(listener: (changes: ChangeSet, index: number) => void): () => void {
    this.#changeListeners.add(listener);
    return () => this.#changeListeners.delete(listener);
  }

  /** Called when the state was loaded anew, so that what happened in between is unknown. */
  onReset(listener: () => void): () => void {
    this.#resetListeners.add(listener);
    return () => this.#resetListeners.delete(listener);
  }

  /**
   * Replaces everything by the content of a view. The first time piece by piece, and until all is there readers are told
   * that there is no catalog yet. Later in one go once all is read: readers see the old or the new catalog. Nobody knows
   * what was deleted before: each version is at least this index.
   */
  async load(view: StoreView): Promise<void> {
    const first = async (key: string) => {
      for await (const [entry] of view.slices({ start: key, end: `${key}\u0001` })) return entry;
      return undefined;
    };
    const generation = await first(GENERATION_KEY);
    const base = await first(INDEX_BASE_KEY);
    const begin = () => this.#beginLoad(view.revision, generation, base);
    const pieces = this.#pieces(view, new CatalogKeys(generationOf(generation)));
    if (this.#loaded) {
      const read: (readonly StoreEntry[])[] = [];
      for await (const entries of pieces) read.push(entries);
      const context = begin();
      // Each piece is let go of as soon as it is in place.
      for (let entries = read.shift(); entries; entries = read.shift()) this.#loadEntries(entries, context);
      this.#endLoad(context);
    } else {
      const context = begin();
      for await (const entries of pieces) this.#loadEntries(entries, context);
      this.#endLoad(context);
    }
  }

  /** The entries of a generation in the order in which they are loaded. */
  async *#pieces(view: StoreView, keys: CatalogKeys): AsyncGenerator<readonly StoreEntry[], void, void> {
    for (const segment of this.#loadOrder()) yield* view.slices(keys.tableRange(segment));
  }

  /** Segments in the order in which they are loaded. */
  #loadOrder(): string[] {
    return [...LOAD_ORDER.map(segmentOf), ...this.#tables.keys()];
  }

  #beginLoad(revision: Revision, generation: StoreEntry | undefined, base: StoreEntry | undefined): ApplyContext {
    // Should it fail in the middle, nobody takes what is there by then for the catalog.
    this.#loaded = false;
    this.clearRecords(base ? storedJson<number>(base, WHOLE).record : FIRST_INDEX_BASE);
    for (const table of this.#tables.values()) table.clear();
    this.refused.clear();
    this.topics.forgetData();
    this.#generation = generationOf(generation);
    this.#generationRevision = generation?.modRevision ?? 0;
    this.#keys = new CatalogKeys(this.#generation);
    this.#homes = undefined;
    this.#revision = revision;
    return this.#context(revision, true);
  }

  #loadEntries(entries: readonly StoreEntry[], context: ApplyContext): void {
    const changes = new ChangeSet();
    for (const entry of entries) {
      const home = this.#homeOf(entry.key);
      if (home) this.#put(home, entry, changes, context);
    }
    this.settleRecords(changes, this.applied);
  }

  #endLoad(context: ApplyContext): void {
    for (const table of this.#tables.values()) table.settle?.(context);
    this.#loaded = true;
    this.topics.raiseFloor(this.applied);
    this.topics.flush();
    for (const listener of this.#resetListeners) listener();
  }

  /** Applies one transaction. Gives false when it can only be followed by loading anew (another generation or base). */
  apply(events: StoreEvents): boolean {
    const changes = new ChangeSet();
    const context = this.#context(events.revision, false);
    const touched: StateTable[] = [];
    for (const change of events.changes) if (!this.#change(change, changes, context, touched)) return false;
    this.#revision = events.revision;
    this.settleRecords(changes, this.applied);
    for (const table of touched) table.settle?.(context);
    const index = this.applied;
    this.topics.flush();
    if (changes.nodes.size > 0) for (const listener of this.#changeListeners) listener(changes, index);
    if (changes.instances.size > 0) {
      for (const listener of this.#ownedListeners) listener(changes.ownedChanges(), index);
    }
    return true;
  }

  #context(revision: Revision, loading: boolean): ApplyContext {
    const index = this.base + revision;
    const bump = (topic: string, live: boolean) => this.topics.bump(topic, index, live);
    return { index, base: this.base, loading, bump };
  }

  /** Where a key of this generation belongs; undefined for any other key. */
  #homeOf(key: string): Home | undefined {
    this.#homes ??= new KeyHomes(this.#keys, this.#tables);
    return this.#homes.of(key);
  }

  #change(change: StoreChange, changes: ChangeSet, context: ApplyContext, touched: StateTable[]): boolean {
    if (change.kind === 'put' && change.entry.decoded instanceof GivenRecord) {
      const { kind, place } = change.entry.decoded;
      if (place) {
        this.putRecord(kind, place, change.entry, changes);
        this.refused.forget(change.entry.key);
        return true;
      }
    }
    const key = change.kind === 'put' ? change.entry.key : change.key;
    if (key === GENERATION_KEY || key === INDEX_BASE_KEY) return false;
    const home = this.#homeOf(key);
    if (!home) return true;
    if (change.kind === 'put') this.#put(home, change.entry, changes, context);
    else this.#delete(home, key, changes, context);
    if (home.table && !touched.includes(home.table)) touched.push(home.table);
    return true;
  }

  #put(home: Home, entry: StoreEntry, changes: ChangeSet, context: ApplyContext): void {
    const rest = entry.key.slice(home.prefix.length);
    try {
      if (home.table) home.table.put(rest, entry, context);
      else this.putRecord(home.kind, placeOf(rest), entry, changes);
      this.refused.forget(entry.key);
    } catch (error) {
      const why = errorText(error);
      this.refused.add(entry, why);
      if (home.table?.refuse) home.table.refuse(rest, entry, why, context);
      else if (home.table) home.table.delete(rest, context);
      else if (hasPlace(rest)) this.refuseRecord(home.kind, placeOf(rest), entry, changes);
    }
  }

  #delete(home: Home, key: string, changes: ChangeSet, context: ApplyContext): void {
    const rest = key.slice(home.prefix.length);
    this.refused.forget(key);
    if (home.table) home.table.delete(rest, context);
    else if (hasPlace(rest)) this.deleteRecord(home.kind, placeOf(rest), changes);
  }
}

/** The generation that the entry of `GENERATION_KEY` names. */
function generationOf(entry: StoreEntry | undefined): string {
  return entry ? storedJson<string>(entry, NAME).record : FIRST_GENERATION;
}
