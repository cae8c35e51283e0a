import type { Verdict } from '../../api/shapes/agent-sync.ts';
import { DEFAULT_NAMESPACE } from '../../api/shapes/catalog.ts';
import { localKey, SERF_HEALTH } from './entries.ts';
import { PlanBuilder } from './plan.ts';
import { type CheckDefinitionRecord, checkStateRecord } from './records.ts';
import type { CatalogState } from './state.ts';

/** The owner of what the servers themselves keep in the catalog. */
export const SERVER_OWNER = 'server/catalog';

/** State halves only; checks that are not (or no longer) in the catalog are left out. */
export function planVerdicts(
  state: CatalogState,
  nodeName: string,
  verdicts: readonly Verdict[],
  nowMs: number,
): PlanBuilder {
  const plan = new PlanBuilder();
  plan.plansAsStored();
  const node = state.node(nodeName);
  for (const verdict of node ? verdicts : []) {
    const check = node!.checks.get(localKey(verdict.Namespace, verdict.CheckID));
    if (!check?.definition || check === node!.serfHealth) continue;
    const { namespace, checkId } = check.definition.record;
    const {
      told: current,
      node: { key: first },
      key: local,
    } = check;
    if (current?.status === verdict.Status && current.output === verdict.Output) continue;
    plan.rely(state.keys.checkDefinition(first, namespace, checkId), check.definition);
    const record = checkStateRecord({ status: verdict.Status, output: verdict.Output }, current, nowMs);
    const given = state.given('checkState', { first, local }, record);
    plan.give(state.keys.checkState(first, namespace, checkId), check.ownState, given);
    if (verdict.Status === 'critical') plan.loses({ node: first, check: local });
  }
  return plan;
}

/** What is known of a node's agent. */
export interface AgentHealth {
  readonly alive: boolean;
  readonly heartbeatMs: number;
  /** Its port among members, 0 = it has none; Consul's when absent. */
  readonly serfPort?: number | undefined;
}

/** The check that says whether a node's agent is alive; made with the agent's first sign of life. */
export function planAgentHealth(state: CatalogState, nodeName: string, agent: AgentHealth, nowMs: number): PlanBuilder {
  const plan = new PlanBuilder();
  const node = state.node(nodeName);
  if (!node) return plan;
  const { keys } = state;
  plan.rely(keys.node(node.key), node.stored);
  const check = node.serfHealth;
  const definition: CheckDefinitionRecord = {
    node: node.name,
    namespace: DEFAULT_NAMESPACE,
    checkId: SERF_HEALTH,
    name: 'Serf Health Status',
    notes: '',
    serviceId: '',
    type: '',
    interval: '',
    timeout: '',
    exposedPort: 0,
    definition: {},
    heartbeatMs: agent.heartbeatMs,
    ...(agent.serfPort === undefined ? {} : { serfPort: agent.serfPort }),
    owner: SERVER_OWNER,
    ref: '',
    hash: '',
  };
  plan.putChanged(keys.checkDefinition(node.key, DEFAULT_NAMESPACE, SERF_HEALTH), check?.definition, definition);
  const verdict = agent.alive
    ? ({ status: 'passing', output: 'Agent alive and reachable' } as const)
    : ({ status: 'critical', output: 'Agent not live or unreachable' } as const);
  const record = checkStateRecord(verdict, check?.told, nowMs);
  plan.putChanged(keys.checkState(node.key, DEFAULT_NAMESPACE, SERF_HEALTH), check?.ownState, record);
  if (check && !agent.alive) plan.loses({ node: node.key, check: check.key });
  return plan;
}
