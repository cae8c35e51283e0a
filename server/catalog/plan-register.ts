import type { WriterIdentity } from '../../api/shapes/registration.ts';
import { AppError } from '../../core/errors.ts';
import { isRunnable, localKey, type NodeEntry } from './entries.ts';
import type { NormalCheck, NormalRegistration } from './normalize.ts';
import { PlanBuilder } from './plan.ts';
import { planNodeRemoval, removeCheck } from './plan-deregister.ts';
import {
  type CheckDefinitionRecord,
  type CheckStateRecord,
  checkStateRecord,
  type InstanceContent,
  type InstanceRecord,
  type NodeRecord,
  type Ownership,
  sameRecord,
} from './records.ts';
import type { CatalogState } from './state.ts';
import { checkEpoch, mayOverwrite, ownershipAfter, sameOwner } from './writer-rules.ts';

export interface RegisterOptions {
  /** Checks of this instance and writer that the registration lacks are removed with it. */
  readonly replaceExistingChecks: boolean;
}

/** Gives services in the mesh their addresses. */
export interface MeshAddresses {
  /** What is stored of an instance, with its service's address; adds to the plan what that takes. */
  assign(plan: PlanBuilder, namespace: string, content: InstanceContent): InstanceContent;
}

/**
 * Node, instance and checks in one transaction; what is there already is not written again.
 * @throws AppError `badRequest` with Consul's texts, `notOwner`, `staleEpoch`.
 */
export function planRegistration(
  state: CatalogState,
  registration: NormalRegistration,
  writer: WriterIdentity,
  options: RegisterOptions & { readonly mesh: MeshAddresses; readonly nowMs: number },
): PlanBuilder {
  const plan = new PlanBuilder();
  plan.plansAsStored();
  checkEpoch(state, plan, writer);
  planNode(state, plan, registration, writer);
  const node = state.nodeRemains(registration.node);
  if (registration.instance) planInstance(state, plan, registration, writer, options.mesh);
  for (const check of registration.checks) planCheck(state, plan, registration, check, writer, options);
  if (options.replaceExistingChecks && registration.instance && node) {
    planReplacement(state, plan, registration, node, writer);
  }
  return plan;
}

function planNode(
  state: CatalogState,
  plan: PlanBuilder,
  registration: NormalRegistration,
  writer: WriterIdentity,
): void {
  const node = state.node(registration.node);
  const key = state.keys.node(registration.node);
  const current = node?.stored?.record;
  if (node && registration.skipNodeUpdate) {
    const { address } = registration;
    // Who made it for an instance did not know its address yet.
    if (current?.implicit && current.address === '' && address !== '')
      plan.put(key, node.stored, { ...current, address });
    else plan.rely(key, node.stored);
    return;
  }
  const id = registration.nodeId || current?.id || '';
  if (id !== '' && id !== current?.id) planNodeId(state, plan, registration, node, id);
  const record: NodeRecord = {
    name: registration.node,
    id,
    address: registration.address,
    taggedAddresses: registration.taggedAddresses,
    meta: registration.nodeMeta,
    ...(registration.locality ? { locality: registration.locality } : {}),
    implicit: registration.skipNodeUpdate && writer.owner !== '',
  };
  if (node && current && sameRecord(current, record)) plan.rely(key, node.stored);
  else plan.put(key, node?.stored, record);
}

/** A UUID belongs to one node: under another name it renames that node, unless the name is taken by a live one. */
function planNodeId(
  state: CatalogState,
  plan: PlanBuilder,
  registration: NormalRegistration,
  node: NodeEntry | undefined,
  id: string,
): void {
  const taken = node?.stored?.record;
  if (node && taken && taken.id !== '' && node.serfHealth?.status === 'passing') {
    throw new AppError(
      'badRequest',
      `failed inserting node: Error while renaming Node ID: "${id}": Node name ${registration.node} is reserved by node ${taken.id} with name ${taken.name} (${taken.address})`,
      { facts: { field: 'ID' } },
    );
  }
  if (taken && taken.id !== '') plan.delete(state.keys.nodeId(taken.id), state.nodeId(taken.id));
  const holder = state.nodeId(id);
  const old = holder && state.node(holder.record);
  if (old && old.key !== registration.node.toLowerCase()) planNodeRemoval(state, plan, old, { keepId: true });
  plan.put(state.keys.nodeId(id), holder, registration.node);
}

function planInstance(
  state: CatalogState,
  plan: PlanBuilder,
  registration: NormalRegistration,
  writer: WriterIdentity,
  mesh: MeshAddresses,
): void {
  const { namespace } = registration.instance!;
  const content = mesh.assign(plan, namespace, registration.instance!.content);
  const spot = state.keys.spot(registration.node, namespace, content.ID);
  const key = state.keys.at('instance', spot);
  const current = state.nodeRemains(registration.node)?.instances.get(spot.local)?.stored;
  mayOverwrite(writer, current?.record, () => `instance ${content.ID} on node ${registration.node}`);
  const same = current !== undefined && sameRecord(current.record.content, content);
  const agreed = same || overridesTags(current?.record.content, content);
  const { owner, ref, hash } = ownershipAfter(writer, current?.record, agreed);
  const record: InstanceRecord = { owner, ref, hash, node: registration.node, namespace, content };
  if (current && same && sameOwnership(current.record, record)) plan.own(key, current);
  else plan.give(key, current, state.given('instance', spot, record));
}

/** Whether nothing but the tags changes, and the instance lets others do that (Consul's EnableTagOverride). */
function overridesTags(current: InstanceContent | undefined, content: InstanceContent): boolean {
  if (!current?.EnableTagOverride) return false;
  const { Meta } = current;
  // Clients write "no metadata" as null or as {}.
  const same = content.Meta === null && Object.keys(Meta ?? {}).length === 0 ? null : Meta;
  return sameRecord({ ...current, Meta: same, Tags: content.Tags }, content);
}

function planCheck(
  state: CatalogState,
  plan: PlanBuilder,
  registration: NormalRegistration,
  check: NormalCheck,
  writer: WriterIdentity,
  { nowMs }: { readonly nowMs: number },
): void {
  const { keys } = state;
  const node = state.nodeRemains(registration.node);
  requireInstance(state, plan, registration, check, node);
  const spot = keys.spot(registration.node, check.namespace, check.checkId);
  const entry = node?.checks.get(spot.local);
  const current = entry?.definition;
  mayOverwrite(writer, current?.record, () => `check ${check.checkId} on node ${registration.node}`);
  const stateHalf = check.state ?? (entry?.told ? undefined : check.initialState);
  const told = stateHalf && checkStateRecord(stateHalf, entry?.told, nowMs);
  // Who writes the state half holds the definition too, so that there is none at its own key in the end.
  // That of a check that an agent runs is the agent's from the beginning.
  const mayLie = !entry?.ownState && !isRunnable(check.definition);
  const lies = mayLie && (state.packs || entry?.stateWithin !== undefined);
  // Once there is one at its own key, what lies in the definition says nothing any more, and stays.
  const within = lies && told ? told : entry?.stateWithin;
  const same = current !== undefined && !entry?.isUnread && sameDefinition(current.record, registration.node, check);
  const ownership = ownershipAfter(writer, current?.record, same);
  const record = definitionRecord(registration.node, check, ownership, within);
  const key = keys.at('checkDefinition', spot);
  const asBefore = same && sameOwnership(current.record, record) && sameRecord(current.record.state, within);
  if (asBefore) plan.own(key, current);
  else plan.give(key, current, state.given('checkDefinition', spot, record));
  if (told && !lies)
    plan.giveChanged(keys.at('checkState', spot), entry?.ownState, state.given('checkState', spot, told));
  if (entry && told?.status === 'critical') plan.loses({ node: entry.node.key, check: entry.key });
}

/** Written out, as records are kept: what is spread from others takes more memory. */
function definitionRecord(
  node: string,
  check: NormalCheck,
  { owner, ref, hash }: Ownership,
  state: CheckStateRecord | undefined,
): CheckDefinitionRecord {
  return {
    node,
    namespace: check.namespace,
    checkId: check.checkId,
    name: check.name,
    notes: check.notes,
    serviceId: check.serviceId,
    type: check.type,
    interval: check.interval,
    timeout: check.timeout,
    exposedPort: check.exposedPort,
    definition: check.definition,
    owner,
    ref,
    hash,
    state,
  };
}

/** The instance of a check has to exist, or to come with it. */
function requireInstance(
  state: CatalogState,
  plan: PlanBuilder,
  registration: NormalRegistration,
  check: NormalCheck,
  node: NodeEntry | undefined,
): void {
  if (check.serviceId === '') return;
  if (comesWith(registration, check)) return;
  const wanted = localKey(check.namespace, check.serviceId);
  const found = node?.instances.get(wanted);
  if (!found) {
    throw new AppError('badRequest', `Unknown service ID '${check.serviceId}' for check ID '${check.checkId}'`, {
      facts: { field: 'Check.ServiceID' },
    });
  }
  plan.rely(state.keys.instance(registration.node, check.namespace, check.serviceId), found.stored);
}

function comesWith({ instance }: NormalRegistration, { namespace, serviceId }: NormalCheck): boolean {
  if (instance?.namespace !== namespace) return false;
  const { ID } = instance.content;
  return ID === serviceId || ID.toLowerCase() === serviceId.toLowerCase();
}

function planReplacement(
  state: CatalogState,
  plan: PlanBuilder,
  registration: NormalRegistration,
  node: NodeEntry,
  writer: WriterIdentity,
): void {
  const { namespace, content } = registration.instance!;
  const kept = new Set(registration.checks.map((check) => localKey(check.namespace, check.checkId)));
  for (const entry of node.checksByInstance.get(localKey(namespace, content.ID)) ?? []) {
    const record = entry.definition?.record;
    if (!record || kept.has(entry.key) || !sameOwner(record.owner, writer.owner)) continue;
    removeCheck(state, plan, entry);
  }
}

function sameOwnership(a: InstanceRecord | CheckDefinitionRecord, b: InstanceRecord | CheckDefinitionRecord): boolean {
  return a.owner === b.owner && a.ref === b.ref && a.hash === b.hash;
}

function sameDefinition(record: CheckDefinitionRecord, node: string, check: NormalCheck): boolean {
  const { owner: _owner, ref: _ref, hash: _hash, state: _own, ...told } = record;
  const { heartbeatMs: _heartbeatMs, serfPort: _serfPort, ...current } = told;
  const { state: _state, initialState: _initialState, ...content } = check;
  return sameRecord(current, { node, ...content });
}
