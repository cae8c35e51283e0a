import { type Loss, PlanBuilder } from './plan.ts';

/** Ends what lives only as long as nodes and checks do: sessions. */
export interface BoundEnds {
  /**
   * Adds to a plan the end of what is bound to what it takes away, as far as it fits into one transaction. Whether all of it
   * did. `marks`: each end in the form that relies on least, as others write to what is ended.
   */
  planEnds(plan: PlanBuilder, losses: readonly Loss[], options: { readonly marks: boolean }): boolean;
}

/** Plans of one write that may fail before ends take the form that relies on least. */
const PATIENCE = 3;

/**
 * Plans of one write, with the end of what is bound to what they take away. Where that does not fit beside it, it is ended
 * in transactions of its own before.
 */
export class BoundPlans {
  readonly #ends: BoundEnds;
  #planned = 0;
  #whole = false;

  constructor(ends: BoundEnds) {
    this.#ends = ends;
  }

  /** Whether the last plan was the write itself, and not only ends that come before it. */
  get whole(): boolean {
    return this.#whole;
  }

  /** `plan` with the ends, or the first ends alone: then the write is to be planned again after that is stored. */
  complete(plan: PlanBuilder): PlanBuilder {
    const { losses } = plan;
    const options = { marks: ++this.#planned > PATIENCE };
    this.#whole = losses.length === 0 || this.#ends.planEnds(plan, losses, options);
    if (this.#whole) return plan;
    const ends = new PlanBuilder();
    this.#ends.planEnds(ends, losses, options);
    return ends;
  }
}
