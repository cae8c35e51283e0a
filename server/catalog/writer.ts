import type { Verdict } from '../../api/shapes/agent-sync.ts';
import type { OwnerState } from '../../api/shapes/owned.ts';
import type { Deregistration, Registration, WriterIdentity } from '../../api/shapes/registration.ts';
import type { Clock } from '../../core/clock.ts';
import { AppError } from '../../core/errors.ts';
import type { Revision } from '../../store/store.ts';
import { type BoundEnds, writeWithEnds } from './bound-ends.ts';
import { normalizeRegistration } from './normalize.ts';
import { PlanBuilder } from './plan.ts';
import { isAbandoned, planAbandonedNode, planDeregistration } from './plan-deregister.ts';
import { type MeshAddresses, planRegistration, type RegisterOptions } from './plan-register.ts';
import { type AgentHealth, planAgentHealth, planVerdicts } from './plan-verdicts.ts';
import type { CatalogState } from './state.ts';
import type { StateWriter } from './state-writer.ts';
import { checkEpoch } from './writer-rules.ts';

export interface CatalogWriterDeps {
  readonly state: CatalogState;
  readonly writer: StateWriter;
  readonly mesh: MeshAddresses;
  readonly clock: Clock;
}

/** Operations or compares of a deregistration besides two for each check: owner, node, instance. */
const DEREGISTRATION_OWN_OPS = 4;
/** Verdicts of one transaction at most: each is one operation and two compares. */
const MAX_VERDICTS = 500;

/** Writes to the catalog: nodes, instances, checks and owners. */
export class CatalogWriter {
  readonly #deps: CatalogWriterDeps;
  #ends: BoundEnds = { planEnds: () => true };

  constructor(deps: CatalogWriterDeps) {
    this.#deps = deps;
  }

  /** From now on what is bound to nodes and checks ends with them. Called once, before anything is written. */
  endBound(ends: BoundEnds): void {
    this.#ends = ends;
  }

  /** @throws AppError `badRequest` with Consul's texts, `notOwner`, `staleEpoch`, `queueFull`, what the store throws. */
  async register(registration: Registration, by: WriterIdentity, options: RegisterOptions): Promise<void> {
    const { state, mesh, clock } = this.#deps;
    const normal = normalizeRegistration(registration);
    try {
      await this.#write(() => planRegistration(state, normal, by, { ...options, mesh, nowMs: clock.now() }));
    } catch (error) {
      if (!(error instanceof AppError && error.code === 'tooLarge')) throw error;
      throw new AppError(
        'tooLarge',
        `the registration is too large to be stored at once (${error.message}); register the service first, then its ` +
          'Checks in further requests',
        { cause: error },
      );
    }
  }

  /** @throws AppError like `register`. What is unknown is no error. */
  async deregister(target: Deregistration, by: WriterIdentity): Promise<void> {
    const { state, writer } = this.#deps;
    const limits = { maxChecks: Math.floor((writer.maxOps - DEREGISTRATION_OWN_OPS) / 2) };
    for (let complete = false; !complete; ) {
      await this.#write(() => {
        const planned = planDeregistration(state, target, by, limits);
        ({ complete } = planned);
        return planned.plan;
      });
    }
    const node = state.node(target.Node);
    if (node && isAbandoned(node)) await this.#write(() => planAbandonedNode(state, target.Node));
  }

  /** State halves of the checks of a node; unknown checks are ignored. */
  async writeVerdicts(node: string, verdicts: readonly Verdict[]): Promise<void> {
    const size = Math.max(1, Math.min(MAX_VERDICTS, Math.floor(this.#deps.writer.maxOps / 2)));
    for (let at = 0; at < verdicts.length; at += size) {
      const part = verdicts.slice(at, at + size);
      await this.#write(() => planVerdicts(this.#deps.state, node, part, this.#deps.clock.now()));
    }
  }

  /** The node's serfHealth check. */
  async writeAgentHealth(node: string, agent: AgentHealth): Promise<void> {
    await this.#write(() => planAgentHealth(this.#deps.state, node, agent, this.#deps.clock.now()));
  }

  /** From now on lower epochs of this owner are refused. @throws AppError `staleEpoch`. */
  async claimEpoch(owner: OwnerState): Promise<void> {
    await this.#deps.writer.write(() => {
      const plan = new PlanBuilder();
      checkEpoch(this.#deps.state, plan, { owner: owner.Owner, epoch: owner.Epoch }, { claims: true });
      return plan.build();
    });
  }

  /** What is bound to what a plan takes away ends with it, or before it. */
  #write(plan: () => PlanBuilder): Promise<Revision> {
    return writeWithEnds(this.#deps.writer, this.#ends, plan);
  }
}
