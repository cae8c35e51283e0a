import type { MirrorEntry } from '../../catalog-mirror/catalog-mirror.ts';
import type { PlannedInstance } from './plan-registrations.ts';

/** What of the catalog the diff looks at; CatalogMirror satisfies it. */
export interface CatalogEntries {
  byRef(ref: string): Iterable<readonly [key: string, entry: MirrorEntry]>;
  hashOf(key: string, ref: string): string | undefined;
  coming(ref: string): Iterable<string>;
}

/** An entry to be removed. */
export interface Removal {
  readonly key: string;
  readonly entry: MirrorEntry;
  /** Nobody was seen asking for it; see SweepGuard. */
  readonly inferred: boolean;
}

export interface PlanDiff {
  readonly register: readonly PlannedInstance[];
  readonly remove: readonly Removal[];
  /** Entries are still to come that will have to be removed then. */
  readonly more: boolean;
}

/** What has to be written so that the catalog holds just the plan for `ref`. */
export function diffPlan(
  ref: string,
  planned: readonly PlannedInstance[],
  entries: CatalogEntries,
  wasSeen: (subject: string) => boolean,
): PlanDiff {
  const wanted = new Set(planned.map(({ key }) => key));
  const refSeen = wasSeen(ref);
  const remove: Removal[] = [];
  for (const [key, entry] of entries.byRef(ref)) {
    if (!wanted.has(key)) remove.push({ key, entry, inferred: !refSeen && !wasSeen(entry.id) });
  }
  const more = [...entries.coming(ref)].some((key) => !wanted.has(key));
  return { register: planned.filter(({ key, hash }) => entries.hashOf(key, ref) !== hash), remove, more };
}
