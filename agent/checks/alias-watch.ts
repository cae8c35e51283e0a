import type { NodeHealth } from '../../api/shapes/agent-sync.ts';
import { type CheckStatus, DEFAULT_NAMESPACE } from '../../api/shapes/catalog.ts';
import type { CheckResult } from './check-state.ts';
import type { AliasPlan } from './probe-plan.ts';
import type { RemoteNodes } from './remote-nodes.ts';

/** A check as an alias looks at it. */
export interface AliasedCheck {
  readonly name: string;
  readonly type: string;
  readonly serviceId: string;
  readonly namespace: string;
  readonly status: CheckStatus;
  readonly output: string;
}

/** What has changed; of a check also the key of its service, and of the one it has left ('' for the node itself). */
export interface AliasedChange {
  readonly kind: string;
  readonly key: string;
  readonly serviceKey?: string | undefined;
  readonly movedFrom?: string;
}

/** The services and checks of this node. */
export interface AliasedState {
  onChange(listener: (change: AliasedChange) => void): () => void;
  service(namespace: string, id: string): object | undefined;
  check(key: string): AliasedCheck | undefined;
  checksOf(namespace: string, serviceId: string): readonly AliasedCheck[];
}

/**
 * Keeps alias checks at the worst of what they stand for. Each change looks at the aliases of its own service alone.
 * What is on another node is followed at the servers. Alias checks themselves do not count, so that two that stand for each other cannot hold one another critical.
 */
export class AliasWatch {
  readonly #state: AliasedState;
  readonly #nodes: Pick<RemoteNodes, 'follow'>;
  readonly #nodeName: string;
  /** By service key. */
  readonly #followers = new Map<string, Set<() => void>>();
  #unlisten: (() => void) | undefined;

  constructor(deps: { state: AliasedState; nodes: Pick<RemoteNodes, 'follow'> }, options: { nodeName: string }) {
    this.#state = deps.state;
    this.#nodes = deps.nodes;
    this.#nodeName = options.nodeName;
  }

  /** Gives the result now and after each change, until the function that it returns is called. */
  follow(plan: AliasPlan, namespace: string, onResult: (result: CheckResult) => void): () => void {
    if (plan.node !== '' && plan.node.toLowerCase() !== this.#nodeName.toLowerCase()) {
      return this.#nodes.follow(plan.node, (health) => onResult(remoteResult(plan, namespace, health)));
    }
    const key = serviceKey(namespace, plan.service);
    const recompute = () => onResult(this.#resultOf(plan, namespace));
    const followers = this.#followers.get(key) ?? new Set();
    followers.add(recompute);
    this.#followers.set(key, followers);
    this.#unlisten ??= this.#state.onChange((change) => this.#changed(change));
    recompute();
    return () => {
      followers.delete(recompute);
      if (followers.size === 0 && this.#followers.get(key) === followers) this.#followers.delete(key);
      if (this.#followers.size > 0) return;
      this.#unlisten?.();
      this.#unlisten = undefined;
    };
  }

  #changed(change: AliasedChange): void {
    const key = change.kind === 'service' ? change.key : this.#serviceOf(change);
    if (key !== undefined) this.#wake(key);
    if (change.movedFrom !== undefined && key !== '') this.#wake(change.movedFrom);
  }

  /** The key of a changed check's service, '' for a check of the node; undefined when the change counts for no alias. */
  #serviceOf(change: AliasedChange): string | undefined {
    const check = this.#state.check(change.key);
    if (check?.type === 'alias') return undefined;
    return check ? check.serviceId && serviceKey(check.namespace, check.serviceId) : (change.serviceKey ?? '');
  }

  /** The checks of the node ('') count for every alias. */
  #wake(key: string): void {
    const keys = key === '' ? [...this.#followers.keys()] : [key];
    for (const one of keys) for (const recompute of [...(this.#followers.get(one) ?? [])]) recompute();
  }

  #resultOf(plan: AliasPlan, namespace: string): CheckResult {
    if (plan.service !== '' && !this.#state.service(namespace, plan.service)) {
      return notFound(plan);
    }
    const ofService = plan.service === '' ? [] : this.#state.checksOf(namespace, plan.service);
    return worstOf([...ofService, ...this.#state.checksOf(DEFAULT_NAMESPACE, '')]);
  }
}

/** The same of what the servers say of another node. One that they do not know has nothing that could pass. */
function remoteResult(plan: AliasPlan, namespace: string, health: NodeHealth): CheckResult {
  if (!health.Known) return { status: 'critical', output: `Node ${plan.node} could not be found` };
  const isMeant = (one: { Namespace: string; ServiceID: string }) =>
    serviceKey(one.Namespace, one.ServiceID) === serviceKey(namespace, plan.service);
  if (plan.service !== '' && !health.Services.some(isMeant)) return notFound(plan);
  const checks = health.Checks.filter(
    (one) => (one.ServiceID === '' && one.Namespace === DEFAULT_NAMESPACE) || (plan.service !== '' && isMeant(one)),
  );
  return worstOf(
    checks.map(({ Name, Type, Status, Output }) => ({ name: Name, type: Type, status: Status, output: Output })),
  );
}

function worstOf(all: readonly Pick<AliasedCheck, 'name' | 'type' | 'status' | 'output'>[]): CheckResult {
  const checks = all.filter((one) => one.type !== 'alias');
  if (checks.length === 0) return { status: 'passing', output: 'No checks found.' };
  const critical = checks.find((check) => check.status === 'critical');
  if (critical) return { status: 'critical', output: failing(critical) };
  const warning = checks.find((check) => check.status === 'warning');
  return warning
    ? { status: 'warning', output: failing(warning) }
    : { status: 'passing', output: 'All checks passing.' };
}

function notFound({ service, node }: AliasPlan): CheckResult {
  return { status: 'critical', output: `Service ${service} could not be found on node ${node}` };
}

function failing(check: Pick<AliasedCheck, 'name' | 'output'>): string {
  return `Aliased check ${JSON.stringify(check.name)} failing: ${check.output}`;
}

function serviceKey(namespace: string, id: string): string {
  return `${namespace}/${id.toLowerCase()}`;
}
