import type { Node } from '../../api/shapes/catalog.ts';
import type { CheckOp, NodeOp, ServiceOp } from '../../api/shapes/txn.ts';
import { AppError } from '../../core/errors.ts';
import type { Key, KeyRange } from '../../store/store.ts';
import { type CheckEntry, localKey } from '../catalog/entries.ts';
import { type NormalCheck, normalizeRegistration } from '../catalog/normalize.ts';
import type { Known } from '../catalog/plan.ts';
import {
  type CheckDefinitionRecord,
  type CheckStateRecord,
  checkStateRecord,
  type InstanceRecord,
  instanceShape,
  type NodeRecord,
  sameRecord,
} from '../catalog/records.ts';
import { isUnread } from '../catalog/refused-checks.ts';
import { createIndexOf, modifyIndexOf, type Stored } from '../catalog/stored.ts';
import { API_WRITER, ownershipAfter } from '../catalog/writer-rules.ts';
import { type DraftIndexes, indexJson, type TxnContext, TxnRefusal } from './txn-context.ts';

/** A record as the transaction sees it. */
interface Drafted<T> extends DraftIndexes {
  readonly record: T;
}

const VERBS = new Set(['get', 'set', 'cas', 'delete', 'delete-cas']);

/** A check shows the later change of its halves; undefined as one that is made by this transaction. */
function shownIndexes(definition: DraftIndexes, state: DraftIndexes | undefined): DraftIndexes {
  const { create, modify } = definition;
  if (!state || modify === undefined) return definition;
  return { create, modify: state.modify === undefined ? undefined : Math.max(modify, state.modify) };
}

/** The state half that lies in the definition. */
function stateWithin(definition: Drafted<CheckDefinitionRecord> | undefined): Drafted<CheckStateRecord> | undefined {
  if (!definition || isUnread(definition.record)) return undefined;
  const record = definition.record.state;
  return record && { ...definition, record };
}

/** What is wrong with the operation itself. */
export function catalogProblem(op: NodeOp | ServiceOp | CheckOp): string | undefined {
  return VERBS.has(op.verb) ? undefined : `unknown ${op.kind} operation: ${op.verb}`;
}

/** Operations on nodes, instances and checks. Their methods throw TxnRefusal when a condition does not hold. */
export class CatalogOperations {
  readonly #context: TxnContext;

  constructor(context: TxnContext) {
    this.#context = context;
  }

  node({ verb, node: given }: NodeOp): void {
    const name = given.Node ?? '';
    if (name === '') throw new TxnRefusal('Must provide node');
    const { state, draft } = this.#context;
    const place = state.keys.node(name);
    const base = this.#base(state.node(name)?.stored);
    const before = draft.read<Drafted<NodeRecord>>(place, base);
    this.#guard(verb, before, given.ModifyIndex, `node ${q(name)}`);
    if (verb === 'get') {
      this.#showNode(before!);
      return;
    }
    if (verb !== 'set' && verb !== 'cas') {
      if (before) this.#deleteNode(name, before.record);
      return;
    }
    const normal = normalized(() =>
      normalizeRegistration({
        Node: name,
        ID: given.ID,
        Address: given.Address,
        TaggedAddresses: given.TaggedAddresses,
        NodeMeta: given.Meta,
      }),
    );
    const id = normal.nodeId || before?.record.id || '';
    if (id !== '' && id !== before?.record.id) this.#takeId(id, name, before?.record.id ?? '');
    const record: NodeRecord = {
      name,
      id,
      address: normal.address,
      taggedAddresses: normal.taggedAddresses,
      meta: normal.nodeMeta,
      implicit: false,
    };
    this.#showNode(this.#put(place, base, before, record));
  }

  service({ verb, node, service: given }: ServiceOp): void {
    const { state, draft } = this.#context;
    if (node === '') throw new TxnRefusal('Must provide node');
    const normal =
      verb === 'get'
        ? undefined
        : normalized(() => normalizeRegistration({ Node: node, SkipNodeUpdate: true, Service: given }).instance!);
    const namespace = normal?.namespace ?? this.#context.namespace;
    const id = normal?.content.ID ?? (given.ID || (given.Service ?? ''));
    const place = state.keys.instance(node, namespace, id);
    const base = this.#base(this.#nodeEntry(node)?.instances.get(localKey(namespace, id))?.stored);
    const before = draft.read<Drafted<InstanceRecord>>(place, base);
    if (verb === 'set' || verb === 'cas') this.#requireNode(node);
    this.#guard(verb, before, given.ModifyIndex, `service ${q(id)} on node ${q(node)}`);
    if (verb === 'get') {
      this.#showService(before!);
      return;
    }
    if (verb !== 'set' && verb !== 'cas') {
      if (!before) return;
      this.#deleteChecksOf(node, namespace, id);
      draft.delete(place, base);
      return;
    }
    const { content } = normal!;
    const same = before !== undefined && sameRecord(before.record.content, content);
    const record = { ...ownershipAfter(API_WRITER, before?.record, same), node, namespace, content };
    this.#showService(this.#put(place, base, before, record));
  }

  check({ verb, check: given }: CheckOp): void {
    const { state, draft } = this.#context;
    const node = given.Node ?? '';
    if (node === '') throw new TxnRefusal('Must provide node');
    const id = given.CheckID || given.Name || '';
    const namespace = given.Namespace ?? this.#context.namespace;
    const entry = this.#nodeEntry(node)?.checks.get(localKey(namespace, id));
    const place = state.keys.checkDefinition(node, namespace, id);
    const base = this.#base(entry?.definition);
    const before = draft.read<Drafted<CheckDefinitionRecord>>(place, base);
    if (verb === 'set' || verb === 'cas') this.#requireNode(node);
    const statePlace = state.keys.checkState(node, namespace, id);
    const stateBase = this.#base(entry?.ownState);
    const own = draft.read<Drafted<CheckStateRecord>>(statePlace, stateBase);
    const stateBefore = own ?? stateWithin(before);
    this.#guard(verb, before && shownIndexes(before, own), given.ModifyIndex, `check ${q(id)} on node ${q(node)}`);
    if (verb === 'get') {
      this.#showCheck(before!, stateBefore);
      return;
    }
    if (verb !== 'set' && verb !== 'cas') {
      draft.delete(place, base);
      draft.delete(statePlace, stateBase);
      if (entry) this.#loses(entry);
      return;
    }
    const [normal] = normalized(() =>
      normalizeRegistration({ Node: node, SkipNodeUpdate: true, Check: { ...given, Namespace: namespace } }),
    ).checks as [NormalCheck];
    if (normal.serviceId !== '' && !this.#instance(node, namespace, normal.serviceId)) {
      throw new TxnRefusal('Missing service registration');
    }
    const { state: given2, initialState, checkId, ...content } = normal;
    const definition = { ...content, node, checkId };
    const same = before !== undefined && sameRecord({ ...before.record, ...definition }, before.record);
    const half = given2 ?? (stateBefore ? undefined : initialState);
    const ownership = ownershipAfter(API_WRITER, before?.record, same);
    const record = { ...definition, ...ownership, state: stateWithin(before)?.record };
    const after = this.#put(place, base, before, record);
    const stored = half && checkStateRecord(half, stateBefore?.record, this.#context.nowMs);
    if (entry && stored?.status === 'critical') this.#loses(entry);
    const changed = stored && !(stateBefore && sameRecord(stateBefore.record, stored));
    this.#showCheck(after, changed ? this.#put(statePlace, stateBase, own, stored) : stateBefore);
  }

  #guard(verb: string, before: DraftIndexes | undefined, index: number | undefined, what: string): void {
    if (verb === 'get' && !before) throw new TxnRefusal(`${what} doesn't exist`);
    if (verb === 'cas' && (before ? before.modify !== index : (index ?? 0) !== 0)) {
      throw new TxnRefusal(`failed to set ${what}, index is stale`);
    }
    if (verb === 'delete-cas' && before && before.modify !== index) {
      throw new TxnRefusal(`failed to delete ${what}, index is stale`);
    }
  }

  #put<T extends object>(
    place: Key,
    base: { known: Known; value: Drafted<T> } | undefined,
    before: Drafted<T> | undefined,
    record: T,
  ): Drafted<T> {
    if (before && sameRecord(before.record, record)) return before;
    const after: Drafted<T> = { record, create: before?.create, modify: undefined };
    this.#context.draft.put(place, base, after, record);
    return after;
  }

  /** Another node's UUID is not taken away within a transaction. */
  #takeId(id: string, name: string, old: string): void {
    const { state, draft } = this.#context;
    const place = state.keys.nodeId(id);
    const base = this.#base(state.nodeId(id));
    const holder = draft.read<Drafted<string>>(place, base);
    if (holder && holder.record.toLowerCase() !== name.toLowerCase()) {
      throw new TxnRefusal(
        `node ID ${q(id)} belongs to node ${q(holder.record)}; register it outside of a transaction`,
      );
    }
    if (old !== '') draft.delete(state.keys.nodeId(old), this.#base(state.nodeId(old)));
    const value: Drafted<string> = { record: name, create: holder?.create, modify: undefined };
    draft.put(place, base, value, Buffer.from(JSON.stringify(name)));
  }

  #deleteNode(name: string, record: NodeRecord): void {
    const { state, draft } = this.#context;
    const { keys } = state;
    const entry = this.#nodeEntry(name);
    const present = new Map<Key, Known>();
    for (const { stored } of entry?.instances.values() ?? []) {
      present.set(keys.instance(name, stored.record.namespace, stored.record.content.ID), stored);
    }
    for (const check of entry?.checks.values() ?? []) {
      const id = check.key.slice(check.key.indexOf('/') + 1);
      if (check.definition) present.set(keys.checkDefinition(name, check.namespace, id), check.definition);
      if (check.ownState) present.set(keys.checkState(name, check.namespace, id), check.ownState);
    }
    const remove = (range: KeyRange) => draft.deleteRange(range, within(present, range));
    for (const kind of ['checkState', 'checkDefinition', 'instance'] as const) remove(keys.ofNode(kind, name));
    for (const range of state.nodeRanges(name.toLowerCase())) draft.deleteRange(range, new Map());
    if (record.id !== '') draft.delete(keys.nodeId(record.id), this.#base(state.nodeId(record.id)));
    draft.delete(keys.node(name), this.#base(state.node(name)?.stored));
    this.#context.loses({ node: name.toLowerCase() });
  }

  #deleteChecksOf(node: string, namespace: string, serviceId: string): void {
    const { state, draft } = this.#context;
    const wanted = localKey(namespace, serviceId);
    for (const check of this.#nodeEntry(node)?.checksByInstance.get(wanted) ?? []) {
      const id = check.definition!.record.checkId;
      draft.delete(state.keys.checkDefinition(node, namespace, id), this.#base(check.definition));
      draft.delete(state.keys.checkState(node, namespace, id), this.#base(check.ownState));
      this.#loses(check);
    }
    for (const { key, now } of [...draft.within(state.keys.ofNode('checkDefinition', node))]) {
      const record = (now as Drafted<CheckDefinitionRecord> | undefined)?.record;
      if (!record || localKey(record.namespace, record.serviceId) !== wanted) continue;
      draft.delete(key, undefined);
      draft.delete(state.keys.checkState(node, namespace, record.checkId), undefined);
    }
  }

  #requireNode(name: string): void {
    const { state, draft } = this.#context;
    const found = draft.read(state.keys.node(name), this.#base(state.node(name)?.stored));
    if (!found) throw new TxnRefusal('Missing node registration');
  }

  #instance(node: string, namespace: string, id: string): Drafted<InstanceRecord> | undefined {
    const { state, draft } = this.#context;
    const base = this.#base(this.#nodeEntry(node)?.instances.get(localKey(namespace, id))?.stored);
    return draft.read<Drafted<InstanceRecord>>(state.keys.instance(node, namespace, id), base);
  }

  #loses({ node, key }: CheckEntry): void {
    this.#context.loses({ node: node.key, check: key });
  }

  #nodeEntry(name: string) {
    return this.#context.state.nodeRemains(name);
  }

  #base<T>(stored: Stored<T> | undefined): { known: Known; value: Drafted<T> } | undefined {
    if (!stored) return undefined;
    const { base } = this.#context.state;
    const indexes = { create: createIndexOf(stored, base), modify: modifyIndexOf(stored, base) };
    return { known: stored, value: { record: stored.record, ...indexes } };
  }

  #showNode({ record, ...indexes }: Drafted<NodeRecord>): void {
    const { datacenter } = this.#context;
    this.#context.result((index) => {
      const node: Node = {
        ID: record.id,
        Node: record.name,
        Address: record.address,
        Datacenter: datacenter,
        TaggedAddresses: record.taggedAddresses,
        Meta: record.meta,
        ...indexJson(indexes, index),
      };
      return { Node: node };
    });
  }

  #showService({ record, ...indexes }: Drafted<InstanceRecord>): void {
    this.#context.result((index) => {
      const { CreateIndex, ModifyIndex } = indexJson(indexes, index);
      const shape = instanceShape(record, CreateIndex, ModifyIndex);
      return { Service: { ...shape, Tags: orNull(shape.Tags) } };
    });
  }

  #showCheck(
    { record, ...indexes }: Drafted<CheckDefinitionRecord>,
    half: Drafted<CheckStateRecord> | undefined,
  ): void {
    const service =
      record.serviceId === '' ? undefined : this.#instance(record.node, record.namespace, record.serviceId);
    const content = service?.record.content;
    this.#context.result((index) => {
      const shown = indexJson(indexes, index);
      const ofState = half ? indexJson(half, index).ModifyIndex : 0;
      return {
        Check: {
          Node: record.node,
          CheckID: record.checkId,
          Name: record.name,
          Status: half?.record.status ?? 'critical',
          Notes: record.notes,
          Output: half?.record.output ?? '',
          ServiceID: record.serviceId,
          ServiceName: content?.Service ?? '',
          ServiceTags: orNull(content?.Tags ?? []),
          Type: record.type,
          Interval: record.interval,
          Timeout: record.timeout,
          ExposedPort: record.exposedPort,
          Definition: record.definition,
          CreateIndex: shown.CreateIndex,
          ModifyIndex: Math.max(shown.ModifyIndex, ofState),
        },
      };
    });
  }
}

function within(present: ReadonlyMap<Key, Known>, range: KeyRange): Map<Key, Known> {
  return new Map([...present].filter(([key]) => key.startsWith(range.start)));
}

function orNull(tags: readonly string[]): readonly string[] | null {
  return tags.length > 0 ? tags : null;
}

/** What is wrong with a record is the operation's error, not the request's. */
function normalized<T>(make: () => T): T {
  try {
    return make();
  } catch (error) {
    if (error instanceof AppError && error.code === 'badRequest') throw new TxnRefusal(error.message);
    throw error;
  }
}

function q(text: string): string {
  return JSON.stringify(text);
}
