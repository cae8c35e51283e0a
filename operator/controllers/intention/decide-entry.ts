import type { MirroredEntry } from '../../intention-mirror/intention-mirror.ts';

/** What has to be done so that a destination has its planned entry. `foreign`: it is somebody else's and stays. */
export type EntryDecision =
  | { readonly do: 'nothing' }
  | { readonly do: 'write'; readonly cas: number }
  | { readonly do: 'leave'; readonly foreign: MirroredEntry };

/**
 * Compares what the servers hold of a destination with the plan for it. An entry of another Intention of the same owner
 * is taken over in place, so that there is no moment without rules.
 */
export function decideEntry(
  digest: string,
  found: MirroredEntry | undefined,
  isOwn: (entry: MirroredEntry) => boolean,
): EntryDecision {
  if (!found) return { do: 'write', cas: 0 };
  if (!isOwn(found)) return { do: 'leave', foreign: found };
  return found.digest === digest ? { do: 'nothing' } : { do: 'write', cas: found.modifyIndex };
}

/** Which of the entries that an Intention declared it wants no more. */
export function surplusEntries(declared: Iterable<MirroredEntry>, wanted: string | undefined): MirroredEntry[] {
  return [...declared].filter(({ destination }) => destination.toLowerCase() !== wanted);
}
