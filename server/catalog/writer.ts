import type { Verdict } from '../../api/shapes/agent-sync.ts';
import type { OwnerState } from '../../api/shapes/owned.ts';
import type { Deregistration, Registration, WriterIdentity } from '../../api/shapes/registration.ts';
import type { Clock } from '../../core/clock.ts';
import { AppError } from '../../core/errors.ts';
import type { CounterMetric, Metrics } from '../../core/metrics.ts';
import type { Store } from '../../store/store.ts';
import { KeyedLocks } from './keyed-locks.ts';
import { normalizeRegistration } from './normalize.ts';
import { type LockMode, type Plan, PlanBuilder } from './plan.ts';
import { isAbandoned, planAbandonedNode, planDeregistration } from './plan-deregister.ts';
import { planRegistration, type RegisterOptions } from './plan-register.ts';
import { planAgentHealth, planVerdicts } from './plan-verdicts.ts';
import type { RevisionGate } from './revision-gate.ts';
import type { CatalogState } from './state.ts';
import { checkEpoch } from './writer-rules.ts';

export interface CatalogWriterDeps {
  readonly store: Pick<Store, 'commit' | 'traits'>;
  readonly state: CatalogState;
  readonly gate: RevisionGate;
  readonly clock: Clock;
  readonly metrics: Metrics;
}

export interface CatalogWriterOptions {
  /** Writes under way or waiting for their turn; further ones are refused with `queueFull`. */
  readonly maxPending: number;
}

/**
 * Plans of one write: another when its locks had to grow, or when a compare failed, which only another process can cause.
 * More than this means a quarrel.
 */
const MAX_ATTEMPTS = 16;
/** How long the state may take to show a commit. */
const APPLY_DEADLINE_MS = 10_000;
/** Operations or compares of a deregistration besides two for each check: owner, node, instance. */
const DEREGISTRATION_OWN_OPS = 4;
/** Verdicts of one transaction at most: each is one operation and two compares. */
const MAX_VERDICTS = 500;

/**
 * Writes to the catalog: plans from the state, commits with compares on everything the plan relies on, and
 * acknowledges when the own state shows the commit. Writers of one entry go in turn; others go side by side and share
 * the store's batches.
 */
export class CatalogWriter {
  readonly #deps: CatalogWriterDeps;
  readonly #options: CatalogWriterOptions;
  readonly #locks = new KeyedLocks();
  readonly #commits: CounterMetric;
  #pending = 0;

  constructor(deps: CatalogWriterDeps, options: CatalogWriterOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#commits = deps.metrics.counter({
      name: 'lictor_catalog_writes_total',
      help: 'Catalog writes by outcome: committed, unchanged, conflict (planned again)',
      labels: ['outcome'],
    });
    deps.metrics.observedGauge(
      { name: 'lictor_catalog_pending_writes', help: 'Catalog writes under way or waiting for their turn' },
      () => this.#pending,
    );
  }

  /** @throws AppError `badRequest` with Consul's texts, `notOwner`, `staleEpoch`, `queueFull`, what the store throws. */
  async register(registration: Registration, writer: WriterIdentity, options: RegisterOptions): Promise<void> {
    const normal = normalizeRegistration(registration);
    await this.#write(() => planRegistration(this.#deps.state, normal, writer, options));
  }

  /** @throws AppError like `register`. What is unknown is no error. */
  async deregister(target: Deregistration, writer: WriterIdentity): Promise<void> {
    const { state, store } = this.#deps;
    const limits = { maxChecks: Math.floor((store.traits.maxTxnOps - DEREGISTRATION_OWN_OPS) / 2) };
    for (let complete = false; !complete; ) {
      await this.#write(() => {
        const plan = planDeregistration(state, target, writer, limits);
        ({ complete } = plan);
        return plan;
      });
    }
    const node = state.node(target.Node);
    if (node && isAbandoned(node)) await this.#write(() => planAbandonedNode(state, target.Node));
  }

  /** State halves of the checks of a node; unknown checks are ignored. */
  async writeVerdicts(node: string, verdicts: readonly Verdict[]): Promise<void> {
    const size = Math.max(1, Math.min(MAX_VERDICTS, Math.floor(this.#deps.store.traits.maxTxnOps / 2)));
    for (let at = 0; at < verdicts.length; at += size) {
      const part = verdicts.slice(at, at + size);
      await this.#write(() => planVerdicts(this.#deps.state, node, part));
    }
  }

  /** The node's serfHealth check. */
  async writeAgentHealth(node: string, agent: { alive: boolean; heartbeatMs: number }): Promise<void> {
    await this.#write(() => planAgentHealth(this.#deps.state, node, agent));
  }

  /** From now on lower epochs of this owner are refused. @throws AppError `staleEpoch`. */
  async claimEpoch(owner: OwnerState): Promise<void> {
    await this.#write(() => {
      const plan = new PlanBuilder();
      checkEpoch(this.#deps.state, plan, { owner: owner.Owner, epoch: owner.Epoch });
      return plan.build();
    });
  }

  async #write(plan: () => Plan): Promise<void> {
    this.#deps.state.assertLoaded();
    if (this.#pending >= this.#options.maxPending) {
      throw new AppError('queueFull', `too many catalog writes at once (${this.#options.maxPending}); try again later`);
    }
    this.#pending++;
    try {
      await this.#attempts(plan);
    } finally {
      this.#pending--;
    }
  }

  async #attempts(makePlan: () => Plan): Promise<void> {
    let plan = makePlan();
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const held = plan.locks;
      const waiting = this.#locks.acquire(held);
      try {
        if (waiting !== undefined) {
          await waiting;
          plan = makePlan();
          // What it needs has grown meanwhile: begin again with all of it.
          if (!covers(held, plan.locks)) continue;
        }
        if (await this.#commit(plan)) return;
      } finally {
        this.#locks.release(held);
      }
      plan = makePlan();
    }
    throw new AppError(
      'conflict',
      `the same catalog entries are written elsewhere; gave up after ${MAX_ATTEMPTS} tries`,
    );
  }

  /** Whether it is done; false: a compare failed and the state has moved on. */
  async #commit(plan: Plan): Promise<boolean> {
    if (plan.ops.length === 0) {
      this.#commits.add(1, { outcome: 'unchanged' });
      return true;
    }
    const { store, gate, clock } = this.#deps;
    const result = await store.commit({ compares: plan.compares, ops: plan.ops });
    if (result.ok) {
      if (!(await gate.reached(result.revision, { clock, withinMs: APPLY_DEADLINE_MS }))) {
        throw new AppError(
          'deadline',
          'the write is stored, but this server does not show it yet; read before retrying',
        );
      }
      this.#commits.add(1, { outcome: 'committed' });
      return true;
    }
    this.#commits.add(1, { outcome: 'conflict' });
    // The store's revision may stand for something outside the catalog, which the state never shows: wait a little.
    await gate.reached(result.revision, { clock, withinMs: 100 });
    return false;
  }
}

/** Whether all of `needed` is held. */
function covers(held: ReadonlyMap<string, LockMode>, needed: ReadonlyMap<string, LockMode>): boolean {
  for (const [key, mode] of needed) {
    const has = held.get(key);
    if (has === undefined || (mode === 'exclusive' && has === 'shared')) return false;
  }
  return true;
}
