import type { Condition, Intention, IntentionStatus } from '../../../crds/types/index.ts';
import { type ConditionWishes, conditions } from '../../status/conditions.ts';

/** What became of an Intention. */
export interface IntentionOutcome {
  readonly wishes: ConditionWishes;
  /** Who holds the destination instead. */
  readonly overriddenBy?: string;
}

/** The status of an Intention. Everything is always set, so that a patch replaces all. */
export function intentionStatus(
  { metadata, spec, status }: Intention,
  { wishes, overriddenBy }: IntentionOutcome,
  now: string,
): Required<IntentionStatus> & { conditions: Condition[] } {
  const generation = metadata.generation ?? 0;
  return {
    sources: spec.sources.length,
    effective: wishes.Ready.status === 'True' ? spec.sources.length : 0,
    overriddenBy: overriddenBy === undefined ? [] : [overriddenBy],
    observedGeneration: generation,
    conditions: conditions(status?.conditions, wishes, { generation, now }),
  };
}
