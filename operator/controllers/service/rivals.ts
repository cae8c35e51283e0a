import type { MirrorEntry } from '../../catalog-mirror/catalog-mirror.ts';
import type { ClusterView } from '../../indexes/cluster-view.ts';
import type { ObjectKey } from '../../object-source.ts';
import type { PlannedInstance } from './plan-registrations.ts';

/** What other Services want of the entries that one Service has or plans. Made for one reconcile; plans each of them once. */
export class Rivals {
  readonly #cluster: ClusterView;
  readonly #key: ObjectKey;
  readonly #planOf: (key: ObjectKey) => readonly PlannedInstance[];
  readonly #wanted = new Map<ObjectKey, ReadonlySet<string>>();

  constructor(cluster: ClusterView, key: ObjectKey, planOf: (key: ObjectKey) => readonly PlannedInstance[]) {
    this.#cluster = cluster;
    this.#key = key;
    this.#planOf = planOf;
  }

  /** Whether a Service, which is not the one looked at, declares this entry. */
  wants(other: ObjectKey, entry: string): boolean {
    if (other === this.#key) return false;
    let wanted = this.#wanted.get(other);
    if (!wanted) {
      wanted = new Set(this.#planOf(other).map(({ key }) => key));
      this.#wanted.set(other, wanted);
    }
    return wanted.has(entry);
  }

  /** Whether another Service writes over this entry: removing it would take it away from that one for a moment. */
  takes(key: string, entry: MirrorEntry): boolean {
    for (const other of this.#cluster.claimants(entry)) if (this.wants(other, key)) return true;
    return false;
  }
}
