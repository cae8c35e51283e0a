import {
  type CheckStatus,
  DEFAULT_NAMESPACE,
  type HealthCheck,
  type HealthEntry,
  type Node,
  noVerdictText,
  type ServiceInstance,
} from '../../api/shapes/catalog.ts';
import type { InstancePlace } from './instance-place.ts';
import {
  type CheckDefinitionRecord,
  type CheckStateRecord,
  type InstanceRecord,
  instanceShape,
  type NodeRecord,
} from './records.ts';
import { isUnread } from './refused-checks.ts';
import { createIndexOf, modifyIndexOf, type Stored } from './stored.ts';
import { topicOf } from './topics.ts';

/** The id of the check that says whether a node's agent is alive (Consul's name). */
export const SERF_HEALTH = 'serfHealth';
/** Its key within a node. */
export const SERF_HEALTH_KEY = `${DEFAULT_NAMESPACE}/${SERF_HEALTH.toLowerCase()}`;

/** The key of an instance or check within its node. */
export function localKey(namespace: string, id: string): string {
  return `${namespace}/${id.toLowerCase()}`;
}

/**
 * A node and everything on it. It exists for readers while `stored` is set; entries may be left for the moment between
 * two changes of one transaction.
 */
export class NodeEntry {
  readonly key: string;
  /** What is told when something of it changes. */
  readonly topic: string;
  readonly instances = new Map<string, InstanceEntry>();
  readonly checks = new Map<string, CheckEntry>();
  /** Checks by the instance that they belong to; '' for checks of the node itself. */
  readonly checksByInstance = new Map<string, readonly CheckEntry[]>();
  /** The JSON form; undefined while the node does not exist. */
  shape: Node | undefined;
  #stored: Stored<NodeRecord> | undefined;
  #name: string;
  #nodeChecks: readonly HealthCheck[] | undefined;

  constructor(key: string) {
    this.key = key;
    this.topic = topicOf.node(key);
    this.#name = key;
  }

  get stored(): Stored<NodeRecord> | undefined {
    return this.#stored;
  }

  set stored(stored: Stored<NodeRecord> | undefined) {
    this.#stored = stored;
    if (stored) this.#name = stored.record.name;
  }

  /** As it was last spelled. */
  get name(): string {
    return this.#name;
  }

  /** Only a node whose agent has reported has serfHealth. */
  get serfHealth(): CheckEntry | undefined {
    const check = this.checks.get(SERF_HEALTH_KEY);
    return check?.definition ? check : undefined;
  }

  get empty(): boolean {
    return !this.stored && this.instances.size === 0 && this.checks.size === 0;
  }

  /** Lists a check under its instance. */
  listCheck(check: CheckEntry): void {
    const others = this.checksByInstance.get(check.instanceKey);
    this.checksByInstance.set(check.instanceKey, others ? [...others, check] : [check]);
  }

  unlistCheck(check: CheckEntry): void {
    const left = this.checksByInstance.get(check.instanceKey)?.filter((other) => other !== check) ?? [];
    if (left.length > 0) this.checksByInstance.set(check.instanceKey, left);
    else this.checksByInstance.delete(check.instanceKey);
  }

  /** Checks of the node itself, in order of their ids. */
  nodeChecks(): readonly HealthCheck[] {
    this.#nodeChecks ??= joinedChecks(this.checksByInstance.get(''));
    return this.#nodeChecks;
  }

  /** To be called when the node, or a check of its own, has changed. */
  invalidate(): void {
    this.#nodeChecks = undefined;
  }
}

/** Joined instances that are kept, some 10 MB: in a large catalog few are read again and again. */
const MAX_JOINED = 16_384;

/** What the entries of one catalog have in common. */
export class EntryContext {
  /** What is added to store revisions to give indexes. */
  readonly base: number;
  /** Instances that keep their joined form, in the order in which they forget it. */
  readonly #joined = new Set<InstanceEntry>();
  readonly #maxJoined: number;

  constructor(base: number, maxJoined = MAX_JOINED) {
    this.base = base;
    this.#maxJoined = maxJoined;
  }

  joined(entry: InstanceEntry): void {
    this.#joined.add(entry);
    if (this.#joined.size <= this.#maxJoined) return;
    const [oldest] = this.#joined;
    oldest!.invalidate();
  }

  forgotten(entry: InstanceEntry): void {
    this.#joined.delete(entry);
  }
}

/** One instance with what its readers need, joined when asked for and kept for a while. */
export class InstanceEntry {
  readonly place: InstancePlace;
  readonly stored: Stored<InstanceRecord>;
  /** The name of its service in lower case. */
  readonly serviceKey: string;
  readonly #context: EntryContext;
  #health: HealthEntry | undefined;

  constructor(place: InstancePlace, stored: Stored<InstanceRecord>, context: EntryContext) {
    this.place = place;
    this.stored = stored;
    this.serviceKey = stored.record.content.Service.toLowerCase();
    this.#context = context;
  }

  get node(): NodeEntry {
    return this.place.node;
  }

  /** Within its node. */
  get key(): string {
    return this.place.key;
  }

  get id(): string {
    return this.stored.record.content.ID;
  }

  get createIndex(): number {
    return createIndexOf(this.stored, this.#context.base);
  }

  /** The JSON form, made anew. */
  shape(): ServiceInstance {
    const { stored } = this;
    return instanceShape(stored.record, this.createIndex, modifyIndexOf(stored, this.#context.base));
  }

  get service(): string {
    return this.stored.record.content.Service;
  }

  /** '' for an ordinary service. */
  get kind(): string {
    return this.stored.record.content.Kind ?? '';
  }

  get tags(): readonly string[] {
    return this.stored.record.content.Tags;
  }

  get namespace(): string {
    return this.stored.record.namespace;
  }

  checks(): readonly CheckEntry[] | undefined {
    return this.node.checksByInstance.get(this.key);
  }

  /** The node's own checks come first, as in Consul. */
  health(): HealthEntry {
    if (!this.#health) {
      this.#health = {
        Node: this.node.shape!,
        Service: this.shape(),
        Checks: [...this.node.nodeChecks(), ...joinedChecks(this.checks())],
      };
      this.#context.joined(this);
    }
    return this.#health;
  }

  /** To be called when it, its node or one of its checks has changed, or when it is removed. */
  invalidate(): void {
    if (!this.#health) return;
    this.#health = undefined;
    this.#context.forgotten(this);
  }
}

/**
 * The two halves of a check. It exists for readers while the definition does. The state half lies at a key of its own, which is its
 * agent's; a state that comes with the definition may lie in that until there is one at its own key.
 */
export class CheckEntry {
  readonly node: NodeEntry;
  readonly key: string;
  readonly namespace: string;
  readonly #context: EntryContext;
  #definition: Stored<CheckDefinitionRecord> | undefined;
  #instanceKey = '';
  /** What lies at the key of the state half. */
  ownState: Stored<CheckStateRecord> | undefined;
  /** The state under which it is listed now. */
  listedAs: CheckStatus | undefined;

  constructor(node: NodeEntry, namespace: string, key: string, context: EntryContext) {
    this.node = node;
    this.namespace = namespace;
    this.key = key;
    this.#context = context;
  }

  get definition(): Stored<CheckDefinitionRecord> | undefined {
    return this.#definition;
  }

  /** `likely`: an instance that it may belong to, to be looked at first. */
  define(stored: Stored<CheckDefinitionRecord> | undefined, likely: InstanceEntry | undefined): void {
    this.#definition = stored;
    this.#instanceKey = this.#keyOf(stored?.record.serviceId ?? '', likely);
  }

  #keyOf(serviceId: string, likely: InstanceEntry | undefined): string {
    if (serviceId === '') return '';
    if (likely?.id === serviceId && likely.namespace === this.namespace) return likely.key;
    const key = localKey(this.namespace, serviceId);
    // The same text where there is one already.
    return this.node.instances.get(key)?.key ?? key;
  }

  /** The instance that it belongs to, where that is there; undefined for a check of the node itself. */
  get instance(): InstanceEntry | undefined {
    return this.node.instances.get(this.#instanceKey);
  }

  /** The key of its instance within the node; '' for a check of the node itself. */
  get instanceKey(): string {
    return this.#instanceKey;
  }

  /** Whether its definition is stored and cannot be read. */
  get isUnread(): boolean {
    return this.#definition !== undefined && isUnread(this.#definition.record);
  }

  /** The state that came with the definition and lies in it. */
  get stateWithin(): CheckStateRecord | undefined {
    return this.isUnread ? undefined : this.#definition?.record.state;
  }

  /** The state half, wherever it lies. */
  get told(): CheckStateRecord | undefined {
    return this.ownState?.record ?? this.stateWithin;
  }

  /** What counts: the state half, unless nobody knows what it is the state of. */
  get state(): CheckStateRecord | undefined {
    return this.isUnread ? this.#definition!.record.state : this.told;
  }

  get status(): CheckStatus {
    return this.state?.status ?? 'critical';
  }

  get output(): string {
    const { state } = this;
    if (state) return state.output;
    return noVerdictText(this.node.name, { hasAgent: this.node.serfHealth !== undefined });
  }

  /** Both halves in their JSON form, made anew. Must only be called while the definition exists. */
  joined(): HealthCheck {
    const definition = this.definition!;
    const { record } = definition;
    const { base } = this.#context;
    const { instance } = this;
    const shape: HealthCheck = {
      Node: this.node.name,
      CheckID: record.checkId,
      Name: record.name,
      Status: this.status,
      Notes: record.notes,
      Output: this.output,
      ServiceID: record.serviceId,
      ServiceName: instance?.service ?? '',
      ServiceTags: instance?.stored.record.content.Tags ?? [],
      Type: record.type,
      Interval: record.interval,
      Timeout: record.timeout,
      ExposedPort: record.exposedPort,
      Definition: record.definition,
      CreateIndex: createIndexOf(definition, base),
      ModifyIndex: Math.max(modifyIndexOf(definition, base), this.ownState ? modifyIndexOf(this.ownState, base) : 0),
    };
    if (record.namespace !== DEFAULT_NAMESPACE) shape.Namespace = record.namespace;
    return shape;
  }
}

/** Whether an agent can run it. */
export function isRunnable(definition: CheckDefinitionRecord['definition']): boolean {
  const { HTTP, TCP, UDP, GRPC, H2PING } = definition;
  return Boolean(HTTP || TCP || UDP || GRPC || H2PING || (definition.TTL && definition.TTL !== '0s'));
}

function joinedChecks(checks: readonly CheckEntry[] | undefined): HealthCheck[] {
  if (!checks) return [];
  if (checks.length === 1) return [checks[0]!.joined()];
  return [...checks].sort(byKey).map((check) => check.joined());
}

function byKey(a: { readonly key: string }, b: { readonly key: string }): number {
  return a.key < b.key ? -1 : a.key > b.key ? 1 : 0;
}
