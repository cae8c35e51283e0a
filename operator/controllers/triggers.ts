import type { HealthCheck, Service } from '../../crds/types/index.ts';
import type { CatalogMirror } from '../catalog-mirror/catalog-mirror.ts';
import { type ClusterView, catalogName, serviceKeyOf } from '../indexes/cluster-view.ts';
import { type ChangeCause, keyOf, type ObjectKey } from '../object-source.ts';
import type { DeleteEvidence } from '../sweep-guard/delete-evidence.ts';
import type { SweepGuard } from '../sweep-guard/sweep-guard.ts';
import type { WorkQueue } from '../work-queue/work-queue.ts';
import type { SliceView } from '../workloads/endpoint-slice.ts';
import { type PodView, podDiffers } from '../workloads/pod.ts';
import { endpointSubject, instanceId, podSubject, serviceKeyOfRef, serviceRef } from './identity.ts';
import { podReadiness } from './service/readiness.ts';

export interface TriggerDeps {
  readonly cluster: ClusterView;
  readonly mirror: CatalogMirror;
  readonly guard: SweepGuard;
  readonly evidence: DeleteEvidence;
  readonly services: WorkQueue;
  readonly healthChecks: WorkQueue;
}

/**
 * Turns changes of the sources and the catalog into keys to reconcile, and notes what was seen happening, so that the
 * sweep guard can tell deletes that were asked for from inferred ones.
 */
export class Triggers {
  readonly #deps: TriggerDeps;
  readonly #unsubscribe: (() => void)[];

  constructor(deps: TriggerDeps) {
    this.#deps = deps;
    const { services, healthChecks, pods, slices } = deps.cluster.sources;
    this.#unsubscribe = [
      services.subscribe((key, old, current, cause) => this.#service(key, old, current, cause)),
      healthChecks.subscribe((_, old, current) => this.#healthCheck(old, current)),
      pods.subscribe((_, old, current, cause) => this.#pod(old, current, cause)),
      slices.subscribe((_, old, current, cause) => this.#slice(old, current, cause)),
      deps.mirror.subscribe((ref, cause) => this.#entry(ref, cause)),
      deps.guard.onSettled((refs) => {
        for (const ref of refs) this.#addRef(ref);
      }),
    ];
  }

  /**
   * Enqueues everything: what is declared, and what the catalog holds for objects that are gone. To be called once at
   * the begin, when all sources and the mirror are synced, since only then a reconcile can say what is missing.
   */
  all(): void {
    const { mirror, guard, services } = this.#deps;
    for (const ref of mirror.refs()) if (serviceKeyOfRef(ref) !== undefined) guard.expectVisit(ref);
    for (const key of this.serviceKeys()) if (key !== undefined) services.add(key);
  }

  /**
   * Every Service that is declared, or that the catalog holds entries or a HealthCheck is there for; undefined for an entry or
   * HealthCheck of one that is declared.
   */
  *serviceKeys(): Generator<ObjectKey | undefined> {
    const { services, healthChecks } = this.#deps.cluster.sources;
    for (const service of services.list()) yield keyOf(service);
    for (const ref of this.#deps.mirror.refs()) {
      const key = serviceKeyOfRef(ref);
      yield key === undefined || services.get(key) ? undefined : key;
    }
    for (const check of healthChecks.list()) {
      const key = serviceKeyOf(check);
      yield services.get(key) ? undefined : key;
    }
  }

  *healthCheckKeys(): Generator<ObjectKey> {
    for (const check of this.#deps.cluster.sources.healthChecks.list()) yield keyOf(check);
  }

  /** A Service was worked on: the statuses of its HealthChecks follow. */
  settled(key: ObjectKey): void {
    for (const check of this.#deps.cluster.checkKeysOf(key)) this.#deps.healthChecks.add(check);
  }

  close(): void {
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
  }

  #service(key: ObjectKey, old: Service | undefined, current: Service | undefined, cause: ChangeCause): void {
    const { cluster, evidence } = this.#deps;
    const changed =
      old?.metadata.generation !== current?.metadata.generation || old?.metadata.uid !== current?.metadata.uid;
    if (cause === 'watch' && old && changed) evidence.note(serviceRef(key));
    this.#add(key, cause);
    // Who wants the same name, or the same instance id, may get it now, or lose it.
    for (const each of [old, current])
      if (each && changed) for (const other of cluster.rivalsOf(each)) this.#add(other, cause);
  }

  /** Its definitions are written with the instances of its Service, which is reconciled even if there is none. */
  #healthCheck(old: HealthCheck | undefined, current: HealthCheck | undefined): void {
    for (const each of [old, current]) if (each) this.#deps.services.add(serviceKeyOf(each));
  }

  #pod(old: PodView | undefined, current: PodView | undefined, cause: ChangeCause): void {
    const { cluster, evidence } = this.#deps;
    if (old && current && !podDiffers(old, current)) return;
    const before = old ? cluster.servicesOfPod(old) : new Set<ObjectKey>();
    const after = current ? cluster.servicesOfPod(current) : new Set<ObjectKey>();
    for (const key of before) {
      const service = cluster.sources.services.get(key);
      if (cause === 'watch' && service && old && !(current && after.has(key) && stays(current))) {
        evidence.note(instanceOf(service, old));
      }
      this.#add(key, cause);
    }
    for (const key of after) {
      const service = cluster.sources.services.get(key);
      // It is here to stay, whatever was seen before.
      if (service && current && stays(current)) evidence.forget(instanceOf(service, current));
      if (!before.has(key)) this.#add(key, cause);
    }
    // Endpoints may come before the first pod that tells the address of their node.
    if (current && current.hostIP !== old?.hostIP)
      for (const key of cluster.servicesToldHost(current)) this.#add(key, cause);
  }

  #slice(old: SliceView | undefined, current: SliceView | undefined, cause: ChangeCause): void {
    const { cluster } = this.#deps;
    for (const slice of [old, current]) {
      if (!slice) continue;
      for (const key of cluster.servicesOfSlice(slice)) {
        const service = cluster.sources.services.get(key);
        const stays = current && cluster.servicesOfSlice(current).has(key) ? current : undefined;
        if (service && slice === current) this.#stayed(service, slice);
        else if (service && cause === 'watch') this.#left(service, slice, stays);
        this.#add(key, cause);
      }
    }
  }

  /** Notes which of the endpoints that a slice had are in no slice of the Service any more. */
  #left(service: Service, old: SliceView, current: SliceView | undefined): void {
    const { cluster, evidence } = this.#deps;
    const gone = new Set(old.endpoints.map(endpointSubject));
    const keep = ({ endpoints }: SliceView) => {
      for (const each of endpoints) if (!each.terminating) gone.delete(endpointSubject(each));
    };
    if (current) keep(current);
    if (gone.size > 0) for (const slice of cluster.slicesOf(service)) keep(slice);
    for (const each of gone) evidence.note(instanceId(catalogName(service), each));
  }

  /** What is in a slice is here to stay, whatever was seen before. */
  #stayed(service: Service, { endpoints }: SliceView): void {
    const name = catalogName(service);
    for (const each of endpoints)
      if (!each.terminating) this.#deps.evidence.forget(instanceId(name, endpointSubject(each)));
  }

  #entry(ref: string, cause: ChangeCause): void {
    const key = serviceKeyOfRef(ref);
    if (key !== undefined) this.#add(key, cause);
  }

  #add(key: ObjectKey, cause: ChangeCause): void {
    if (cause === 'relist') this.#deps.guard.expectVisit(serviceRef(key));
    this.#deps.services.add(key);
  }

  #addRef(ref: string): void {
    const key = serviceKeyOfRef(ref);
    if (key !== undefined) this.#deps.services.add(key);
  }
}

/** Whether a pod will be an instance for as long as nothing more happens to it. */
function stays(pod: PodView): boolean {
  return pod.metadata.deletionTimestamp === undefined && pod.podIP !== '' && podReadiness(pod) !== undefined;
}

function instanceOf(service: Service, pod: PodView): string {
  return instanceId(catalogName(service), podSubject(pod));
}
