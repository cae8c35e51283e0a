import { type CheckStatus, DEFAULT_NAMESPACE } from '../../api/shapes/catalog.ts';
import { AppError } from '../../core/errors.ts';
import type { CheckResult } from './check-state.ts';
import type { AliasPlan } from './probe-plan.ts';

/** A check as an alias looks at it. */
export interface AliasedCheck {
  readonly name: string;
  readonly type: string;
  readonly serviceId: string;
  readonly namespace: string;
  readonly status: CheckStatus;
  readonly output: string;
}

/** The services and checks of this node. */
export interface AliasedState {
  onChange(listener: (change: { kind: string; key: string; serviceKey?: string | undefined }) => void): () => void;
  service(namespace: string, id: string): object | undefined;
  check(key: string): AliasedCheck | undefined;
  checksOf(namespace: string, serviceId: string): readonly AliasedCheck[];
}

/**
 * Keeps alias checks at the worst of what they stand for. Each change looks at the aliases of its own service alone.
 * Alias checks themselves do not count, so that two that stand for each other cannot hold one another critical.
 */
export class AliasWatch {
  readonly #state: AliasedState;
  readonly #nodeName: string;
  /** By service key. */
  readonly #followers = new Map<string, Set<() => void>>();
  #unlisten: (() => void) | undefined;

  constructor(deps: { state: AliasedState }, options: { nodeName: string }) {
    this.#state = deps.state;
    this.#nodeName = options.nodeName;
  }

  /** Gives the result now and after each change, until the function that it returns is called. */
  follow(plan: AliasPlan, namespace: string, onResult: (result: CheckResult) => void): () => void {
    if (plan.node !== '' && plan.node.toLowerCase() !== this.#nodeName.toLowerCase()) {
      throw new AppError(
        'badRequest',
        `Invalid check: AliasNode: ${JSON.stringify(plan.node)} is another node; this agent follows services of its own node`,
        { facts: { field: 'AliasNode' } },
      );
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

  #changed(change: { kind: string; key: string; serviceKey?: string | undefined }): void {
    const key = change.kind === 'service' ? change.key : this.#serviceOf(change);
    if (key === undefined) return;
    const keys = key === '' ? [...this.#followers.keys()] : [key];
    for (const one of keys) this.#wake(one);
  }

  /** The key of a changed check's service, '' for a check of the node; undefined when the change counts for no alias. */
  #serviceOf(change: { key: string; serviceKey?: string | undefined }): string | undefined {
    const check = this.#state.check(change.key);
    if (check?.type === 'alias') return undefined;
    return check ? check.serviceId && serviceKey(check.namespace, check.serviceId) : (change.serviceKey ?? '');
  }

  #wake(key: string): void {
    for (const recompute of [...(this.#followers.get(key) ?? [])]) recompute();
  }

  #resultOf(plan: AliasPlan, namespace: string): CheckResult {
    if (plan.service !== '' && !this.#state.service(namespace, plan.service)) {
      return { status: 'critical', output: `Service ${plan.service} could not be found on node ${plan.node}` };
    }
    const ofService = plan.service === '' ? [] : this.#state.checksOf(namespace, plan.service);
    const checks = [...ofService, ...this.#state.checksOf(DEFAULT_NAMESPACE, '')].filter((one) => one.type !== 'alias');
    if (checks.length === 0) return { status: 'passing', output: 'No checks found.' };
    const critical = checks.find((check) => check.status === 'critical');
    if (critical) return { status: 'critical', output: failing(critical) };
    const warning = checks.find((check) => check.status === 'warning');
    return warning
      ? { status: 'warning', output: failing(warning) }
      : { status: 'passing', output: 'All checks passing.' };
  }
}

function failing(check: AliasedCheck): string {
  return `Aliased check ${JSON.stringify(check.name)} failing: ${check.output}`;
}

function serviceKey(namespace: string, id: string): string {
  return `${namespace}/${id.toLowerCase()}`;
}
