import type { Condition } from '../../crds/types/index.ts';

/** What a condition should say now. */
export interface ConditionWish {
  readonly status: Condition['status'];
  readonly reason: string;
  readonly message: string;
}

/** The three conditions of our kinds, as kstatus and GitOps tools read them. */
export interface ConditionWishes {
  readonly Ready: ConditionWish;
  /** Absent means False. */
  readonly Reconciling?: ConditionWish;
  readonly Stalled?: ConditionWish;
}

const QUIET: ConditionWish = { status: 'False', reason: 'Idle', message: '' };
/** Limit of the API server (metav1.Condition). */
const MAX_MESSAGE = 1024;

/** The list of conditions; the time of transition stays as long as the status of a condition does. */
export function conditions(
  old: readonly Condition[] | undefined,
  wishes: ConditionWishes,
  observed: { readonly generation: number; readonly now: string },
): Condition[] {
  return (['Ready', 'Reconciling', 'Stalled'] as const).map((type) => {
    const wish = wishes[type] ?? QUIET;
    const before = old?.find((condition) => condition.type === type);
    return {
      type,
      status: wish.status,
      observedGeneration: observed.generation,
      lastTransitionTime: before?.status === wish.status ? before.lastTransitionTime : observed.now,
      reason: wish.reason,
      message: wish.message.slice(0, MAX_MESSAGE),
    };
  });
}

/** The condition Ready of a status. */
export function readyOf(status: { conditions?: readonly Condition[] } | undefined): Condition | undefined {
  return status?.conditions?.find(({ type }) => type === 'Ready');
}
