import type { MirrorEntry } from '../../catalog-mirror/catalog-mirror.ts';
import type { ClusterView } from '../../indexes/cluster-view.ts';
import type { ObjectKey } from '../../object-source.ts';
import type { Handovers } from '../handovers.ts';
import { serviceRef } from '../identity.ts';
import type { PlannedInstance } from './plan-registrations.ts';

/** What other Services want of the entries that one Service has or plans. Made for one reconcile; plans each of them once. */
export class Rivals {
  readonly #cluster: ClusterView;
  readonly #key: ObjectKey;
  readonly #planOf: (key: ObjectKey) => readonly PlannedInstance[];
  readonly #handovers: Pick<Handovers, 'mayWrite'>;
  readonly #wanted = new Map<ObjectKey, ReadonlyMap<string, PlannedInstance>>();

  constructor(
    deps: { cluster: ClusterView; handovers: Pick<Handovers, 'mayWrite'> },
    key: ObjectKey,
    planOf: (key: ObjectKey) => readonly PlannedInstance[],
  ) {
    this.#cluster = deps.cluster;
    this.#handovers = deps.handovers;
    this.#key = key;
    this.#planOf = planOf;
  }

  /** Whether a Service, which is not the one looked at, declares this entry. */
  wants(other: ObjectKey, entry: string): boolean {
    return this.#plannedBy(other, entry) !== undefined;
  }

  /** Whether another Service may write over this entry: removing it would take it away from that one for a moment. */
  takes(key: string, entry: MirrorEntry): boolean {
    for (const other of this.#cluster.claimants(entry)) {
      const planned = this.#plannedBy(other, key);
      if (planned && this.#handovers.mayWrite(serviceRef(other), planned)) return true;
    }
    return false;
  }

  #plannedBy(other: ObjectKey, entry: string): PlannedInstance | undefined {
    if (other === this.#key) return undefined;
    let wanted = this.#wanted.get(other);
    if (!wanted) {
      wanted = new Map(this.#planOf(other).map((planned) => [planned.key, planned]));
      this.#wanted.set(other, wanted);
    }
    return wanted.get(entry);
  }
}
