import {
  ALL_NAMESPACES,
  type CheckStatus,
  type HealthCheck,
  type HealthEntry,
  type Node,
} from '../../api/shapes/catalog.ts';
import { AppError } from '../../core/errors.ts';
import type { KeyRange, Revision, StoreChange, StoreEntry, StoreEvents, StoreView } from '../../store/store.ts';
import { ChangeSet, type OwnedChange } from './change-set.ts';
import {
  CheckEntry,
  EntryContext,
  InstanceEntry,
  isRunnable,
  localKey,
  NodeEntry,
  SERF_HEALTH_KEY,
} from './entries.ts';
import {
  CatalogKeys,
  FIRST_GENERATION,
  FIRST_INDEX_BASE,
  GENERATION_KEY,
  INDEX_BASE_KEY,
  kindOf,
  partsOf,
  type RecordKind,
  segmentOf,
  splitKey,
} from './keys.ts';
import {
  type CheckDefinitionRecord,
  type CheckStateRecord,
  decodeRecord,
  type InstanceRecord,
  type NodeRecord,
  type OwnerRecord,
} from './records.ts';
import { type ServiceEntry, ServiceIndex } from './service-index.ts';
import { SharedValues } from './shared-values.ts';
import type { ApplyContext, StateTable } from './state-table.ts';
import { createIndexOf, modifyIndexOf, type Stored, storedJson } from './stored.ts';
import { NamespaceTopics, type Topics, topicOf } from './topics.ts';

/** Order in which kinds are loaded, so that each finds what it refers to and checks are listed once. */
const LOAD_ORDER = ['owner', 'nodeId', 'node', 'instance', 'checkState', 'checkDefinition'] as const;

const ALL_TOPICS = new NamespaceTopics(ALL_NAMESPACES);

/** The name of what `health/state/any` lists. */
export const ANY_STATUS = 'any';

/**
 * The catalog in memory, as of one revision of the store: built by `load`, kept by `apply`, with the indexes that
 * queries need and one version for each topic. Everything handed out must not be modified.
 */
export class CatalogState {
  readonly topics: Topics;
  readonly #datacenter: string;
  #keys = new CatalogKeys(FIRST_GENERATION);
  #generation = FIRST_GENERATION;
  #generationRevision: Revision = 0;
  #base = FIRST_INDEX_BASE;
  #entries = new EntryContext(FIRST_INDEX_BASE);
  readonly #shared = new SharedValues();
  #revision: Revision = 0;
  #loaded = false;
  #nodes = new Map<string, NodeEntry>();
  #nodeIds = new Map<string, Stored<string>>();
  #owners = new Map<string, Stored<OwnerRecord>>();
  #services = new ServiceIndex();
  /** Of the services, as of the last transaction. */
  #namespaceTurns = 0;
  #byStatus = new Map<CheckStatus, Set<CheckEntry>>();
  #byOwner = new Map<string, Map<string, InstanceEntry>>();
  readonly #ownedListeners = new Set<(changes: Iterable<OwnedChange>, index: number) => void>();
  readonly #resetListeners = new Set<() => void>();
  readonly #changeListeners = new Set<(changes: ChangeSet, index: number) => void>();
  readonly #tables = new Map<string, StateTable>();
  /** Of the namespace that has changed last. */
  #namespaceTopics = ALL_TOPICS;

  constructor(deps: { topics: Topics }, options: { datacenter: string }) {
    this.topics = deps.topics;
    this.#datacenter = options.datacenter;
  }

  get loaded(): boolean {
    return this.#loaded;
  }
  /** The revision of the store that this state shows. */
  get revision(): Revision {
    return this.#revision;
  }
  /** The same as a catalog index. */
  get applied(): number {
    return this.#base + this.#revision;
  }
  get base(): number {
    return this.#base;
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

  node(name: string): NodeEntry | undefined {
    const entry = this.#nodes.get(name.toLowerCase());
    return entry?.stored ? entry : undefined;
  }

  /** Also a node that is only known by what is left of it. */
  nodeRemains(name: string): NodeEntry | undefined {
    return this.#nodes.get(name.toLowerCase());
  }

  /** Existing nodes in no order. */
  *nodeEntries(): Iterable<NodeEntry> {
    for (const entry of this.#nodes.values()) if (entry.stored) yield entry;
  }

  nodes(): Node[] {
    const entries = [...this.nodeEntries()].sort((a, b) => (a.key < b.key ? -1 : 1));
    return entries.map((entry) => entry.shape!);
  }

  nodeId(id: string): Stored<string> | undefined {
    return this.#nodeIds.get(id.toLowerCase());
  }

  owner(owner: string): Stored<OwnerRecord> | undefined {
    return this.#owners.get(owner.toLowerCase());
  }

  service(namespace: string, name: string): readonly HealthEntry[] {
    return this.#services.get(namespace, name.toLowerCase())?.health() ?? [];
  }

  /** In all namespaces. */
  get serviceCount(): number {
    return this.#services.size;
  }

  services(namespace: string): Iterable<ServiceEntry> {
    return this.#services.list(namespace);
  }

  /** By its name in lower case. */
  serviceEntry(namespace: string, key: string): ServiceEntry | undefined {
    return this.#services.get(namespace, key);
  }

  /** What each namespace with content holds: services, or the segments of tables. */
  namespacesInUse(): Map<string, string[]> {
    const found = new Map<string, string[]>();
    const note = (namespace: string, what: string) => {
      const known = found.get(namespace);
      if (known) known.push(what);
      else found.set(namespace, [what]);
    };
    for (const namespace of this.namespaces()) note(namespace, 'service');
    for (const [segment, table] of this.#tables)
      for (const namespace of table.namespaces?.() ?? []) note(namespace, segment);
    return found;
  }

  /** Namespaces with services, in no order. */
  namespaces(): Iterable<string> {
    return this.#services.namespaces();
  }

  /** Checks of a namespace (or of all, `*`) in a state (or `any`), by node and id. */
  checksInState(namespace: string, status: string): HealthCheck[] {
    const sets =
      status === ANY_STATUS ? [...this.#byStatus.values()] : [this.#byStatus.get(status as CheckStatus) ?? []];
    const all = namespace === ALL_NAMESPACES;
    const found: CheckEntry[] = [];
    for (const set of sets)
      for (const check of set) if ((all || check.namespace === namespace) && check.node.stored) found.push(check);
    found.sort((a, b) => (a.node.key === b.node.key ? (a.key < b.key ? -1 : 1) : a.node.key < b.node.key ? -1 : 1));
    return found.map((check) => check.joined());
  }

  /** The instances of an owner, in no order. */
  ownedInstances(owner: string): Iterable<InstanceEntry> {
    return this.#byOwner.get(owner)?.values() ?? [];
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
    this.#clear();
    this.topics.forgetData();
    this.#generation = generationOf(generation);
    this.#generationRevision = generation?.modRevision ?? 0;
    if (base) this.#base = decodeRecord<number>(base.key, base.value);
    this.#entries = new EntryContext(this.#base);
    this.#keys = new CatalogKeys(this.#generation);
    this.#revision = revision;
    return this.#context(revision, true);
  }

  #loadEntries(entries: readonly StoreEntry[], context: ApplyContext): void {
    const changes = new ChangeSet();
    for (const entry of entries) {
      const split = this.#split(entry.key);
      if (!split) continue;
      const table = this.#tables.get(split.segment);
      const kind = kindOf(split.segment);
      if (table) table.put(split.rest, entry, context);
      else if (kind) this.#put(kind, partsOf(split.rest), entry, changes);
    }
    this.#settle(changes);
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
    const touched = new Set<StateTable>();
    for (const change of events.changes) if (!this.#change(change, changes, context, touched)) return false;
    this.#revision = events.revision;
    this.#settle(changes);
    for (const table of touched) table.settle?.(context);
    const index = this.applied;
    this.topics.flush();
    if (changes.nodes.size > 0) for (const listener of this.#changeListeners) listener(changes, index);
    if (changes.instancesBefore.size > 0) {
      for (const listener of this.#ownedListeners) listener(changes.ownedChanges(), index);
    }
    return true;
  }

  #clear(): void {
    this.#nodes = new Map();
    this.#nodeIds = new Map();
    this.#owners = new Map();
    this.#services = new ServiceIndex();
    this.#namespaceTurns = 0;
    this.#byStatus = new Map();
    this.#byOwner = new Map();
    for (const table of this.#tables.values()) table.clear();
    this.#generation = FIRST_GENERATION;
    this.#generationRevision = 0;
    this.#base = FIRST_INDEX_BASE;
  }

  #context(revision: Revision, loading: boolean): ApplyContext {
    const index = this.#base + revision;
    const bump = (topic: string, live: boolean) => this.topics.bump(topic, index, live);
    return { index, base: this.#base, loading, bump };
  }

  /** The segment of a key of this generation, and the rest of it; undefined for any other key. */
  #split(key: string): { segment: string; rest: string } | undefined {
    const split = splitKey(key);
    return split?.generation === this.#generation ? split : undefined;
  }

  #change(change: StoreChange, changes: ChangeSet, context: ApplyContext, touched: Set<StateTable>): boolean {
    const key = change.kind === 'put' ? change.entry.key : change.key;
    if (key === GENERATION_KEY || key === INDEX_BASE_KEY) return false;
    const split = this.#split(key);
    if (!split) return true;
    const { segment, rest } = split;
    const table = this.#tables.get(segment);
    if (table) {
      if (change.kind === 'put') table.put(rest, change.entry, context);
      else table.delete(rest, context);
      touched.add(table);
      return true;
    }
    const kind = kindOf(segment);
    if (!kind) return true;
    if (change.kind === 'put') this.#put(kind, partsOf(rest), change.entry, changes);
    else this.#delete(kind, partsOf(rest), changes);
    return true;
  }

  #put(kind: RecordKind, parts: readonly string[], entry: StoreEntry, changes: ChangeSet): void {
    const [first = '', namespace = '', id = ''] = parts;
    const stored = <T>(): Stored<T> => storedJson<T>(entry);
    switch (kind) {
      case 'owner':
        this.#owners.set(first, stored<OwnerRecord>());
        break;
      case 'nodeId':
        this.#nodeIds.set(first, stored<string>());
        break;
      case 'node':
        this.#setNode(first, stored<NodeRecord>(), changes);
        break;
      case 'instance':
        this.#setInstance(first, `${namespace}/${id}`, this.#instance(entry), changes);
        break;
      case 'checkDefinition':
        this.#setDefinition(this.#check(first, namespace, id), this.#definition(first, entry), changes);
        break;
      case 'checkState':
        this.#setCheckState(this.#check(first, namespace, id), stored<CheckStateRecord>(), changes);
        break;
    }
  }

  #delete(kind: RecordKind, parts: readonly string[], changes: ChangeSet): void {
    const [first = '', namespace = '', id = ''] = parts;
    const node = this.#nodes.get(first);
    const check = node?.checks.get(`${namespace}/${id}`);
    switch (kind) {
      case 'owner':
        this.#owners.delete(first);
        break;
      case 'nodeId':
        this.#nodeIds.delete(first);
        break;
      case 'node':
        if (node) this.#setNode(first, undefined, changes);
        break;
      case 'instance':
        if (node) this.#setInstance(first, `${namespace}/${id}`, undefined, changes);
        break;
      case 'checkDefinition':
        if (check) this.#setDefinition(check, undefined, changes);
        break;
      case 'checkState':
        if (check) this.#setCheckState(check, undefined, changes);
        break;
    }
  }

  #instance(entry: StoreEntry): Stored<InstanceRecord> {
    const stored = storedJson<InstanceRecord>(entry);
    this.#shared.instance(stored.record);
    return stored;
  }

  #definition(node: string, entry: StoreEntry): Stored<CheckDefinitionRecord> {
    const stored = storedJson<CheckDefinitionRecord>(entry);
    const { namespace, serviceId } = stored.record;
    const instance = this.#nodes.get(node)?.instances.get(localKey(namespace, serviceId));
    this.#shared.definition(stored.record, instance?.stored.record.content.ID);
    return stored;
  }

  #nodeEntry(key: string): NodeEntry {
    let entry = this.#nodes.get(key);
    if (!entry) {
      entry = new NodeEntry(key);
      this.#nodes.set(key, entry);
    }
    return entry;
  }

  #check(node: string, namespace: string, id: string): CheckEntry {
    const entry = this.#nodeEntry(node);
    const key = `${namespace}/${id}`;
    let check = entry.checks.get(key);
    if (!check) {
      check = new CheckEntry(entry, this.#shared.text(namespace), key, this.#entries);
      entry.checks.set(key, check);
    }
    return check;
  }

  #setNode(key: string, stored: Stored<NodeRecord> | undefined, changes: ChangeSet): void {
    const node = this.#nodeEntry(key);
    node.stored = stored;
    node.shape = stored && {
      ID: stored.record.id,
      Node: stored.record.name,
      Address: stored.record.address,
      Datacenter: this.#datacenter,
      TaggedAddresses: stored.record.taggedAddresses,
      Meta: stored.record.meta,
      ...(stored.record.locality ? { Locality: stored.record.locality } : {}),
      CreateIndex: createIndexOf(stored, this.#base),
      ModifyIndex: modifyIndexOf(stored, this.#base),
    };
    changes.nodeList = true;
    this.#touchNode(node, changes);
  }

  #setInstance(nodeKey: string, key: string, stored: Stored<InstanceRecord> | undefined, changes: ChangeSet): void {
    const node = this.#nodeEntry(nodeKey);
    const before = node.instances.get(key);
    const after = stored && new InstanceEntry(node, key, stored, this.#entries);
    const replaced = before && after && this.#services.replace(before, after);
    if (replaced) this.#noteService(replaced.service, changes, replaced.listChanged);
    if (before) {
      before.invalidate();
      node.instances.delete(key);
      const left = replaced ? undefined : this.#services.remove(before);
      if (left) this.#noteService(left.service, changes, left.listChanged);
      this.#unlistOwned(before);
    }
    if (after) {
      node.instances.set(key, after);
      const joined = replaced ? undefined : this.#services.add(after);
      if (joined) this.#noteService(joined.service, changes, joined.listChanged);
      this.#listOwned(after);
    }
    changes.nodes.add(node);
    changes.instance((after ?? before)?.sortKey ?? key, before, after);
    // Checks show the name and tags of their instance.
    const renamed = before?.service !== after?.service;
    for (const check of node.checksByInstance.get(key) ?? []) {
      this.#touchCheck(check, changes);
      if (renamed) this.#noteDefinition(check, changes);
    }
  }

  #setDefinition(check: CheckEntry, stored: Stored<CheckDefinitionRecord> | undefined, changes: ChangeSet): void {
    const { node } = check;
    if (check.definition) {
      this.#noteDefinition(check, changes);
      this.#touchCheck(check, changes);
      node.unlistCheck(check);
    }
    check.definition = stored;
    if (stored) {
      node.listCheck(check);
      this.#noteDefinition(check, changes);
    }
    this.#touchCheck(check, changes);
    // Whether the node has an agent decides what checks without a state say.
    if (check.key === SERF_HEALTH_KEY) {
      for (const other of node.checks.values()) if (!other.state) this.#touchCheck(other, changes);
    }
  }

  #setCheckState(check: CheckEntry, stored: Stored<CheckStateRecord> | undefined, changes: ChangeSet): void {
    check.state = stored;
    this.#touchCheck(check, changes);
  }

  /** Definitions wake the agents that have to run them. */
  #noteDefinition(check: CheckEntry, changes: ChangeSet): void {
    if (check.definition && isRunnable(check.definition.record.definition)) changes.definitionNodes.add(check.node.key);
  }

  #noteService(service: ServiceEntry, changes: ChangeSet, listChanged: boolean): void {
    changes.service(service);
    changes.instanceNamespaces.add(service.namespace);
    if (listChanged) changes.serviceLists.add(service.namespace);
  }

  /** A node, or a check of its own, shows in all of its instances. */
  #touchNode(node: NodeEntry, changes: ChangeSet): void {
    node.invalidate();
    changes.nodes.add(node);
    for (const entry of node.instances.values()) this.#touchInstance(entry, changes);
  }

  #touchInstance(entry: InstanceEntry, changes: ChangeSet): void {
    entry.invalidate();
    const service = this.#services.get(entry.namespace, entry.serviceKey);
    if (service) this.#noteService(service, changes, false);
    changes.instance(entry.sortKey, entry, entry);
  }

  #touchCheck(check: CheckEntry, changes: ChangeSet): void {
    changes.nodes.add(check.node);
    changes.checks.add(check);
    if (!check.definition) return;
    const key = check.instanceKey;
    if (key === '') {
      this.#touchNode(check.node, changes);
      return;
    }
    const instance = check.node.instances.get(key);
    if (instance) this.#touchInstance(instance, changes);
  }

  #listOwned(entry: InstanceEntry): void {
    const { owner } = entry.stored.record;
    if (owner === '') return;
    const owned = this.#byOwner.get(owner) ?? new Map<string, InstanceEntry>();
    this.#byOwner.set(owner, owned.set(entry.sortKey, entry));
  }

  #unlistOwned(entry: InstanceEntry): void {
    const owned = this.#byOwner.get(entry.stored.record.owner);
    owned?.delete(entry.sortKey);
    if (owned?.size === 0) this.#byOwner.delete(entry.stored.record.owner);
  }

  /** Gives every touched topic the new version and drops what has become empty. */
  #settle(changes: ChangeSet): void {
    const version = this.applied;
    const { topics } = this;
    for (const check of changes.checks) this.#relist(check, changes);
    for (const { namespace, key, topic } of changes.services.values()) {
      topics.bump(topic, version, this.#services.get(namespace, key) !== undefined);
    }
    for (const node of changes.nodes) {
      topics.bump(node.topic, version, node.stored !== undefined);
      if (node.empty) this.#nodes.delete(node.key);
    }
    for (const [destination, live] of changes.meshDestinations()) {
      topics.bump(topicOf.meshEndpoints(destination), version, live);
    }
    for (const node of changes.definitionNodes) topics.bump(topicOf.definitions(node), version, true);
    const bump = (topic: (of: NamespaceTopics) => string, namespace: string) => {
      topics.bump(topic(this.#topicsOf(namespace)), version, true);
      topics.bump(topic(ALL_TOPICS), version, true);
    };
    for (const namespace of changes.serviceLists) bump((of) => of.services, namespace);
    for (const namespace of changes.instanceNamespaces) bump((of) => of.instances, namespace);
    for (const [namespace, statuses] of changes.checkTopics) {
      for (const status of statuses) bump((of) => of.checks(status), namespace);
    }
    if (changes.nodeList) topics.bump(topicOf.nodes, version, true);
    if (this.#services.turns === this.#namespaceTurns) return;
    this.#namespaceTurns = this.#services.turns;
    topics.bump(topicOf.namespaces, version, true);
  }

  #topicsOf(namespace: string): NamespaceTopics {
    if (this.#namespaceTopics.namespace !== namespace) this.#namespaceTopics = new NamespaceTopics(namespace);
    return this.#namespaceTopics;
  }

  /** Moves a check to the list of its state; both lists have changed then. */
  #relist(check: CheckEntry, changes: ChangeSet): void {
    const before = check.listedAs;
    const after = check.definition ? check.status : undefined;
    if (before) changes.checkTopic(check.namespace, before);
    if (after) changes.checkTopic(check.namespace, after);
    if (before !== after) {
      if (before) this.#byStatus.get(before)?.delete(check);
      if (after) this.#byStatus.set(after, (this.#byStatus.get(after) ?? new Set()).add(check));
      check.listedAs = after;
    }
    if (!check.definition && !check.state) check.node.checks.delete(check.key);
  }
}

/** The generation that the entry of `GENERATION_KEY` names. */
function generationOf(entry: StoreEntry | undefined): string {
  return entry ? decodeRecord<string>(entry.key, entry.value) : FIRST_GENERATION;
}
