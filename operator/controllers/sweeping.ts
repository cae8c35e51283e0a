import type { ConditionWish } from '../status/conditions.ts';

/** A held or waiting sweep is looked at again after so long; what ends it comes as a change of its own. */
export const HELD_MS = 30_000;

/** Of an object whose removals are held or wait. */
export const SWEEPING: ConditionWish = {
  status: 'True',
  reason: 'Sweeping',
  message: 'removals wait for a complete view',
};
