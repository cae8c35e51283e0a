import { ALL_NAMESPACES, type HealthCheck, type HealthEntry, type Node } from '../../api/shapes/catalog.ts';
import { SetMap } from '../../core/set-map.ts';
import type { StoreEntry } from '../../store/store.ts';
import type { ChangeSet } from './change-set.ts';
import { CheckLists } from './check-lists.ts';
import { CheckEntry, EntryContext, InstanceEntry, isRunnable, NodeEntry, SERF_HEALTH_KEY } from './entries.ts';
import { FIRST_INDEX_BASE, type RecordKind, type RecordPlace } from './keys.ts';
import { NodeIds } from './node-ids.ts';
import type { PackedKind } from './packed-records.ts';
import { RECORD_SHAPES } from './record-shapes.ts';
import type { CheckDefinitionRecord, CheckStateRecord, InstanceRecord, NodeRecord, OwnerRecord } from './records.ts';
import { definitionInPlaceOf, stateInPlaceOf } from './refused-checks.ts';
import { ownerInPlaceOf } from './refused-owners.ts';
import { type ServiceEntry, ServiceIndex } from './service-index.ts';
import { SharedValues } from './shared-values.ts';
import { createIndexOf, GivenRecord, modifyIndexOf, type Stored, storedJson, storedRecord } from './stored.ts';
import { NamespaceTopics, type Topics, topicOf } from './topics.ts';

const ALL_TOPICS = new NamespaceTopics(ALL_NAMESPACES);

/**
 * Nodes, instances, checks and owners in memory, with the indexes that queries need: kept by the records that `put` and
 * `delete` are given, in any order. Everything handed out must not be modified.
 */
export class CatalogRecords {
  readonly topics: Topics;
  readonly #datacenter: string;
  #packs: boolean;
  #base = FIRST_INDEX_BASE;
  #entries = new EntryContext(FIRST_INDEX_BASE);
  readonly #shared = new SharedValues();
  #nodes = new Map<string, NodeEntry>();
  readonly #nodeIds = new NodeIds();
  #owners = new Map<string, Stored<OwnerRecord>>();
  #services = new ServiceIndex();
  /** Of the services, as of the last transaction. */
  #namespaceTurns = 0;
  #checks = new CheckLists();
  #byOwner = new SetMap<string, InstanceEntry>();
  /** Put last: checks often come with their instance. */
  #lastInstance: InstanceEntry | undefined;
  /** Of the namespace that has changed last. */
  #namespaceTopics = ALL_TOPICS;

  /** `packs`: everyone who reads the store knows packed records. */
  constructor(deps: { topics: Topics }, options: { datacenter: string; packs?: boolean }) {
    this.topics = deps.topics;
    this.#datacenter = options.datacenter;
    this.#packs = options.packs ?? false;
  }

  /** Whether records are packed, and the state that comes with a check's definition may lie in it. */
  get packs(): boolean {
    return this.#packs;
  }

  packFromNowOn(): void {
    this.#packs = true;
  }

  /** A record to be put there; nobody else may change it from now on. */
  given(kind: PackedKind, place: RecordPlace, record: object): GivenRecord {
    return new GivenRecord(kind, place, record, this.#packs);
  }

  /** What is added to revisions of the store to give indexes. */
  get base(): number {
    return this.#base;
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

  /** The name of the node that has this id. */
  nodeId(id: string): Stored<string> | undefined {
    return this.#nodeIds.get(id, this.nodeEntries());
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

  /** Namespaces with services, in no order. */
  namespaces(): Iterable<string> {
    return this.#services.namespaces();
  }

  /** The index of the first instance that a namespace with services is known to have had. */
  servicesSince(namespace: string): number {
    return this.#services.since(namespace);
  }

  /** Checks of a namespace (or of all, `*`) in a state (or `any`), by node and id. */
  checksInState(namespace: string, status: string): HealthCheck[] {
    return this.#checks.inState(namespace, status);
  }

  /** The instances of an owner, in no order. */
  ownedInstances(owner: string): Iterable<InstanceEntry> {
    return this.#byOwner.get(owner);
  }

  /** Forgets all records, before those of a catalog with this base are put. */
  protected clearRecords(base: number): void {
    this.#base = base;
    this.#entries = new EntryContext(base);
    this.#nodes = new Map();
    this.#nodeIds.clear();
    this.#owners = new Map();
    this.#services = new ServiceIndex();
    this.#namespaceTurns = 0;
    this.#checks = new CheckLists();
    this.#byOwner = new SetMap();
    this.#lastInstance = undefined;
  }

  /** `changes` notes what it touches, for `settleRecords`. */
  protected putRecord(kind: RecordKind, place: RecordPlace, entry: StoreEntry, changes: ChangeSet): void {
    const { first, local } = place;
    const stored = <T>(): Stored<T> => storedJson<T>(entry, RECORD_SHAPES[kind]);
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
        this.#setInstance(first, local, this.#instance(place, entry), changes);
        break;
      case 'checkDefinition': {
        const definition = storedRecord<CheckDefinitionRecord>(kind, place, entry);
        this.#setDefinition(this.#check(first, local), definition, changes);
        break;
      }
      case 'checkState': {
        const state = storedRecord<CheckStateRecord>(kind, place, entry);
        this.#setCheckState(this.#check(first, local), state, changes);
        break;
      }
    }
  }

  /**
   * `putRecord` has refused it: what was there is forgotten, but a check that cannot be read is critical, and what fences an
   * owner, or keeps an id from other nodes, goes on doing so.
   */
  protected refuseRecord(kind: RecordKind, place: RecordPlace, entry: StoreEntry, changes: ChangeSet): void {
    const { first, local } = place;
    if (kind === 'checkDefinition') {
      const check = this.#check(first, local);
      this.#setDefinition(check, definitionInPlaceOf(entry, place, check.definition?.record), changes);
    } else if (kind === 'checkState') this.#setCheckState(this.#check(first, local), stateInPlaceOf(entry), changes);
    else if (kind === 'owner') this.#owners.set(first, ownerInPlaceOf(entry, this.#owners.get(first), this.#base));
    else if (kind === 'nodeId') this.#nodeIds.refuse(first, entry);
    else this.deleteRecord(kind, place, changes);
  }

  protected deleteRecord(kind: RecordKind, { first, local }: RecordPlace, changes: ChangeSet): void {
    const node = this.#nodes.get(first);
    const check = node?.checks.get(local);
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
        if (node) this.#setInstance(first, local, undefined, changes);
        break;
      case 'checkDefinition':
        if (check) this.#setDefinition(check, undefined, changes);
        break;
      case 'checkState':
        if (check) this.#setCheckState(check, undefined, changes);
        break;
    }
  }

  #instance(place: RecordPlace, entry: StoreEntry): Stored<InstanceRecord> {
    const stored = storedRecord<InstanceRecord>('instance', place, entry);
    this.#shared.instance(stored.record);
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

  #check(node: string, key: string): CheckEntry {
    const entry = this.#nodeEntry(node);
    let check = entry.checks.get(key);
    if (!check) {
      const namespace = this.#shared.text(key.slice(0, key.indexOf('/')));
      check = new CheckEntry(entry, namespace, key, this.#entries);
      entry.checks.set(key, check);
    }
    return check;
  }

  #setNode(key: string, stored: Stored<NodeRecord> | undefined, changes: ChangeSet): void {
    const node = this.#nodeEntry(key);
    const respelled = node.stored && stored && node.stored.record.name !== stored.record.name;
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
    // The lists of checks by state name their nodes.
    if (respelled) for (const check of node.checks.values()) changes.checks.add(check);
  }

  #setInstance(nodeKey: string, key: string, stored: Stored<InstanceRecord> | undefined, changes: ChangeSet): void {
    const node = this.#nodeEntry(nodeKey);
    const before = node.instances.get(key);
    const place = before?.place ?? { node, key, id: '' };
    if (stored) place.id = stored.record.content.ID;
    const after = stored && new InstanceEntry(place, stored, this.#entries);
    const replaced = before && after && this.#services.replace(before, after);
    if (replaced) changes.service(replaced.service, replaced.listChanged);
    if (before) {
      before.invalidate();
      node.instances.delete(key);
      const left = replaced ? undefined : this.#services.remove(before);
      if (left) changes.service(left.service, left.listChanged);
      this.#unlistOwned(before);
    }
    if (after) {
      node.instances.set(key, after);
      this.#lastInstance = after;
      const joined = replaced ? undefined : this.#services.add(after);
      if (joined) changes.service(joined.service, joined.listChanged);
      this.#listOwned(after);
    }
    changes.nodes.add(node);
    changes.instance(place, before, after);
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
    check.define(stored, this.#lastInstance);
    if (stored) {
      this.#shared.definition(stored.record, check.instance?.stored.record);
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
    check.ownState = stored;
    this.#touchCheck(check, changes);
  }

  /** Definitions wake the agents that have to run them. */
  #noteDefinition(check: CheckEntry, changes: ChangeSet): void {
    if (check.definition && isRunnable(check.definition.record.definition)) changes.definitionNodes.add(check.node.key);
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
    if (service) changes.service(service, false);
    changes.instance(entry.place, entry, entry);
  }

  #touchCheck(check: CheckEntry, changes: ChangeSet): void {
    changes.nodes.add(check.node);
    changes.checks.add(check);
    if (!check.definition) return;
    if (check.instanceKey === '') {
      this.#touchNode(check.node, changes);
      return;
    }
    const { instance } = check;
    if (instance) this.#touchInstance(instance, changes);
  }

  #listOwned(entry: InstanceEntry): void {
    const { owner } = entry.stored.record;
    if (owner !== '') this.#byOwner.add(owner, entry);
  }

  #unlistOwned(entry: InstanceEntry): void {
    const { owner } = entry.stored.record;
    if (owner !== '') this.#byOwner.delete(owner, entry);
  }

  /** Gives every touched topic the new version and drops what has become empty. */
  protected settleRecords(changes: ChangeSet, version: number): void {
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
    for (const [namespace, listChanged] of changes.namespaces) {
      if (listChanged) bump((of) => of.services, namespace);
      bump((of) => of.instances, namespace);
    }
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

  #relist(check: CheckEntry, changes: ChangeSet): void {
    this.#checks.relist(check, changes);
    if (!check.definition && !check.ownState) check.node.checks.delete(check.key);
  }
}
