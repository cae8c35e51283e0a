import { checkedNamespace } from '../../api/http/request-params.ts';
import { DEFAULT_NAMESPACE } from '../../api/shapes/catalog.ts';
import type { Deregistration, WriterIdentity } from '../../api/shapes/registration.ts';
import { AppError } from '../../core/errors.ts';
import { type CheckEntry, NodeEntry } from './entries.ts';
import type { RecordSpot } from './keys.ts';
import { PlanBuilder } from './plan.ts';
import type { CatalogState } from './state.ts';
import { checkEpoch, mayDelete, mayDeleteUnread } from './writer-rules.ts';

/** A deregistration, or the first part of one that is too large for a transaction: then it is to be planned again. */
export interface DeregistrationPlan {
  readonly plan: PlanBuilder;
  readonly complete: boolean;
}

/**
 * Removes an instance with its checks, else a check, else a whole node. What is unknown is no error.
 * What cannot be read goes like anything else, but for no owner: nobody knows whose it is.
 * @throws AppError `badRequest`, `notOwner`, `staleEpoch`.
 */
export function planDeregistration(
  state: CatalogState,
  target: Deregistration,
  writer: WriterIdentity,
  limits: { maxChecks: number },
): DeregistrationPlan {
  if (!target.Node) throw new AppError('badRequest', 'Must provide node', { facts: { field: 'Node' } });
  const namespace = target.Namespace ? checkedNamespace(target.Namespace) : DEFAULT_NAMESPACE;
  const plan = new PlanBuilder();
  checkEpoch(state, plan, writer);
  const node = state.node(target.Node) ?? unreadNode(state, plan, target.Node, writer);
  let complete = true;
  if (node) {
    plan.rely(state.keys.node(node.key), node.stored);
    if (target.ServiceID) {
      const spot = state.keys.spot(node.key, namespace, target.ServiceID);
      complete = planInstanceRemoval(state, plan, { node, spot, maxChecks: limits.maxChecks }, writer);
    } else if (target.CheckID) {
      planCheckRemoval(state, plan, node, state.keys.spot(node.key, namespace, target.CheckID), writer);
    } else {
      for (const entry of node.instances.values())
        mayDelete(writer, entry.stored.record, instanceText(node, entry.key));
      for (const check of node.checks.values()) {
        if (check !== node.serfHealth && check.definition) {
          mayDelete(writer, check.definition.record, checkText(node, check.key));
        }
      }
      planNodeRemoval(state, plan, node, { keepId: false });
    }
  }
  return { plan, complete };
}

/** A node that is stored and cannot be read, with what is on it. */
function unreadNode(
  state: CatalogState,
  plan: PlanBuilder,
  name: string,
  writer: WriterIdentity,
): NodeEntry | undefined {
  const key = state.keys.node(name);
  const refused = state.refused.get(key);
  if (!refused) return undefined;
  mayDeleteUnread(writer, refused);
  plan.rely(key, refused);
  return state.nodeRemains(name) ?? new NodeEntry(name.toLowerCase());
}

/** Whether a node exists only for instances that are gone. */
export function isAbandoned(node: NodeEntry): boolean {
  return node.stored?.record.implicit === true && node.instances.size === 0 && node.checks.size === 0;
}

/** Removes a node whose last instances went side by side, so that none of them was the last when it was planned. */
export function planAbandonedNode(state: CatalogState, name: string): PlanBuilder {
  const plan = new PlanBuilder();
  const node = state.node(name);
  if (node && isAbandoned(node)) planNodeRemoval(state, plan, node, { keepId: false });
  return plan;
}

/** A node with everything on it. Nothing on it can be written meanwhile: each writer there relies on the node. */
export function planNodeRemoval(
  state: CatalogState,
  plan: PlanBuilder,
  node: NodeEntry,
  options: { keepId: boolean },
): void {
  const { keys } = state;
  const id = node.stored?.record.id ?? '';
  for (const kind of ['checkState', 'checkDefinition', 'instance'] as const)
    plan.deleteRange(keys.ofNode(kind, node.key));
  for (const range of state.nodeRanges(node.key)) plan.deleteRange(range);
  if (id !== '' && !options.keepId) plan.delete(keys.nodeId(id), state.nodeId(id));
  plan.delete(keys.node(node.key), node.stored);
  plan.loses({ node: node.key });
}

/** Whether that is all of it. */
function planInstanceRemoval(
  state: CatalogState,
  plan: PlanBuilder,
  target: { node: NodeEntry; spot: RecordSpot; maxChecks: number },
  writer: WriterIdentity,
): boolean {
  const { node, spot, maxChecks } = target;
  const { local } = spot;
  const entry = node.instances.get(local);
  const instanceKey = state.keys.at('instance', spot);
  const refused = entry ? undefined : state.refused.get(instanceKey);
  if (entry) mayDelete(writer, entry.stored.record, instanceText(node, local));
  else if (refused) mayDeleteUnread(writer, refused);
  else return true;
  const known = entry?.stored ?? refused;
  const checks = [...(node.checksByInstance.get(local) ?? [])];
  if (entry && isLastOfImplicitNode(node, checks.length)) {
    planNodeRemoval(state, plan, node, { keepId: false });
    return true;
  }
  if (checks.length > maxChecks) {
    // The best go first: in between the instance must not look healthier than it is.
    checks.sort((a, b) => SEVERITY[a.status] - SEVERITY[b.status]);
    plan.rely(instanceKey, known);
    for (const check of checks.slice(0, Math.min(maxChecks, checks.length - maxChecks)))
      removeCheck(state, plan, check);
    return false;
  }
  for (const check of checks) removeCheck(state, plan, check);
  plan.delete(instanceKey, known);
  return true;
}

const SEVERITY = { passing: 0, warning: 1, critical: 2 } as const;

/** A node that exists only for its instances goes with the last of them, unless an agent or other checks are on it. */
function isLastOfImplicitNode(node: NodeEntry, removedChecks: number): boolean {
  return (
    node.stored?.record.implicit === true &&
    node.instances.size === 1 &&
    node.checks.size === removedChecks &&
    node.serfHealth === undefined
  );
}

function planCheckRemoval(
  state: CatalogState,
  plan: PlanBuilder,
  node: NodeEntry,
  spot: RecordSpot,
  writer: WriterIdentity,
): void {
  const check = node.checks.get(spot.local);
  if (!check?.definition) {
    // A state half that nothing shows, and that cannot be read.
    const stateKey = state.keys.at('checkState', spot);
    const refused = state.refused.get(stateKey);
    if (!refused) return;
    mayDeleteUnread(writer, refused);
    plan.delete(stateKey, refused);
    return;
  }
  mayDelete(writer, check.definition.record, checkText(node, spot.local));
  removeCheck(state, plan, check);
}

/** A check with both its halves. */
export function removeCheck(state: CatalogState, plan: PlanBuilder, check: CheckEntry): void {
  const record = check.definition?.record;
  if (!record) return;
  plan.delete(state.keys.checkState(check.node.key, record.namespace, record.checkId), check.ownState);
  plan.delete(state.keys.checkDefinition(check.node.key, record.namespace, record.checkId), check.definition);
  plan.loses({ node: check.node.key, check: check.key });
}

function instanceText(node: NodeEntry, key: string): string {
  return `instance ${key} on node ${node.name}`;
}

function checkText(node: NodeEntry, key: string): string {
  return `check ${key} on node ${node.name}`;
}
