import { type CheckLimits, checkKey } from './check-key.ts';
import type { Operation } from './operations.ts';

/**
 * A short part of a broken history of one key that is broken too: the shortest beginning, without the reads and refused
 * writes that are not needed. Only such are left out whose absence breaks nothing.
 */
export function minimalHistory(
  operations: readonly Operation[],
  limits: CheckLimits = { withinMs: 2000 },
): Operation[] {
  const ends = operations.map(({ end }) => end).filter(Number.isFinite);
  ends.sort((a, b) => a - b);
  let [low, high] = [0, ends.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (checkKey(beginning(operations, ends[middle]!), limits) === 'broken') high = middle;
    else low = middle + 1;
  }
  const shortest = beginning(operations, ends[low] ?? Infinity);
  return shortest.filter(withoutEffect).reduce((kept, candidate) => {
    const fewer = kept.filter((operation) => operation !== candidate);
    return checkKey(fewer, limits) === 'broken' ? fewer : kept;
  }, shortest);
}

/** What was known at the event `until`: what was on its way then is unknown. */
function beginning(operations: readonly Operation[], until: number): Operation[] {
  return operations
    .filter(({ start, end, call }) => start <= until && (end <= until || call.kind !== 'read'))
    .map((operation) => {
      const by = operation.by !== undefined && operation.by <= until ? operation.by : undefined;
      return operation.end <= until ? operation : { ...operation, end: Infinity, by, answer: undefined };
    })
    .toSorted((a, b) => a.start - b.start);
}

function withoutEffect({ call, answer, end }: Operation): boolean {
  return call.kind === 'read' || (end !== Infinity && answer === false);
}
