import type { Revision } from '../../store/store.ts';
import { type Loss, PlanBuilder } from './plan.ts';
import type { StateWriter } from './state-writer.ts';

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
 * Writes a plan with the end of what is bound to what it takes away. Where that does not fit beside it, it is ended before, in
 * transactions of its own. The revision of the write. @throws AppError as `StateWriter.write`.
 */
export async function writeWithEnds(
  writer: Pick<StateWriter, 'write' | 'maxSize' | 'maxBytes'>,
  ends: BoundEnds,
  makePlan: () => PlanBuilder,
): Promise<Revision> {
  let planned = 0;
  let whole = false;
  const withEnds = (): PlanBuilder => {
    const plan = makePlan();
    const { losses } = plan;
    const options = { marks: ++planned > PATIENCE };
    // What is too large will be refused: nothing ends for it.
    whole = losses.length === 0 || !fits(plan, writer) || ends.planEnds(plan, losses, options);
    if (whole) return plan;
    const first = new PlanBuilder();
    ends.planEnds(first, losses, options);
    return first;
  };
  for (;;) {
    const revision = await writer.write(() => withEnds().build());
    if (whole) return revision;
  }
}

function fits(plan: PlanBuilder, { maxSize, maxBytes }: Pick<StateWriter, 'maxSize' | 'maxBytes'>): boolean {
  return plan.room(maxSize) >= 0 && plan.bytes <= maxBytes;
}
