import { ALL_NAMESPACES, type CheckStatus, type HealthCheck } from '../../api/shapes/catalog.ts';
import type { ChangeSet } from './change-set.ts';
import type { CheckEntry } from './entries.ts';

/** The name of what `health/state/any` lists. */
export const ANY_STATUS = 'any';

/** The checks by their state. */
export class CheckLists {
  readonly #byStatus = new Map<CheckStatus, Set<CheckEntry>>();

  /** Checks of a namespace (or of all, `*`) in a state (or `any`), by node and id. */
  inState(namespace: string, status: string): HealthCheck[] {
    const sets =
      status === ANY_STATUS ? [...this.#byStatus.values()] : [this.#byStatus.get(status as CheckStatus) ?? []];
    const all = namespace === ALL_NAMESPACES;
    const found: CheckEntry[] = [];
    for (const set of sets)
      for (const check of set) if ((all || check.namespace === namespace) && check.node.stored) found.push(check);
    found.sort((a, b) => (a.node.key === b.node.key ? (a.key < b.key ? -1 : 1) : a.node.key < b.node.key ? -1 : 1));
    return found.map((check) => check.joined());
  }

  /** Moves a check to the list of its state; both lists have changed then. */
  relist(check: CheckEntry, changes: ChangeSet): void {
    const before = check.listedAs;
    const after = check.definition ? check.status : undefined;
    if (before) changes.checkTopic(check.namespace, before);
    if (after) changes.checkTopic(check.namespace, after);
    if (before !== after) {
      if (before) this.#byStatus.get(before)?.delete(check);
      if (after) this.#byStatus.set(after, (this.#byStatus.get(after) ?? new Set()).add(check));
      check.listedAs = after;
    }
  }
}
