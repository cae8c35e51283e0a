import { AppError } from '../../core/errors.ts';
import type { Compare, Op } from '../../store/store.ts';
import type { Plan } from './plan.ts';
import type { RefusedRecords } from './refused-records.ts';

/**
 * What a plan compares and does where entries cannot be read, of which it knows nothing: what it puts in the place of one is
 * compared with that, and what it wants to be absent is deleted. This is how such an entry is mended.
 * @throws AppError `storeCorrupt` where the plan relies on such an entry without putting it: nobody knows what it says.
 */
export function overRefused(
  plan: Pick<Plan, 'compares' | 'ops' | 'absent'>,
  refused: RefusedRecords,
): { readonly compares: readonly Compare[]; readonly ops: readonly Op[] } {
  if (refused.size === 0) return plan;
  const gone = plan.absent.filter((key) => refused.get(key)).map((key): Op => ({ kind: 'delete', key }));
  const ops = [...plan.ops, ...gone];
  if (ops.length === 0) return plan;
  const compares = plan.compares.map((compare): Compare => {
    const found = compare.kind === 'key' ? refused.get(compare.key) : undefined;
    if (compare.kind !== 'key' || !found || found.modRevision === compare.modRevision) return compare;
    if (!ops.some((op) => op.kind !== 'deleteRange' && op.key === compare.key)) {
      throw new AppError('storeCorrupt', found.why);
    }
    return { ...compare, modRevision: found.modRevision };
  });
  return { compares, ops };
}
