import type { HealthCheck, Service } from '../../crds/types/index.ts';
import type { KubeObject } from '../kube-api/kube-api.ts';
import { keyOf, type ObjectKey, type ObjectSource, objectKey } from '../object-source.ts';
import type { SliceView } from '../workloads/endpoint-slice.ts';
import { selects } from '../workloads/label-selector.ts';
import type { PodView } from '../workloads/pod.ts';
import { ObjectIndex } from './object-index.ts';

/** The four sources that the controllers read. */
export interface ClusterSources {
  readonly services: ObjectSource<Service>;
  readonly healthChecks: ObjectSource<HealthCheck>;
  readonly pods: ObjectSource<PodView>;
  readonly slices: ObjectSource<SliceView>;
}

/** How Kubernetes namespaces become catalog namespaces. */
export type NamespaceMapping = 'single' | 'mirror';

/** The sources and what the controllers look up in them, each lookup by index. */
export class ClusterView {
  readonly sources: ClusterSources;
  readonly #mapping: NamespaceMapping;
  readonly #podsByLabel: ObjectIndex<PodView>;
  readonly #podsByNode: ObjectIndex<PodView>;
  readonly #servicesByLabel: ObjectIndex<Service>;
  readonly #servicesBySlices: ObjectIndex<Service>;
  readonly #servicesByName: ObjectIndex<Service>;
  readonly #servicesByInstanceId: ObjectIndex<Service>;
  readonly #slicesByService: ObjectIndex<SliceView>;
  readonly #slicesByNode: ObjectIndex<SliceView>;
  readonly #checksByService: ObjectIndex<HealthCheck>;

  constructor(sources: ClusterSources, options: { namespaces: NamespaceMapping }) {
    this.sources = sources;
    this.#mapping = options.namespaces;
    this.#podsByLabel = new ObjectIndex(sources.pods, podLabels);
    this.#podsByNode = new ObjectIndex(sources.pods, ({ nodeName, hostIP }) => (nodeName && hostIP ? [nodeName] : []));
    this.#servicesByLabel = new ObjectIndex(sources.services, leadingLabel);
    this.#servicesBySlices = new ObjectIndex(sources.services, ({ metadata, spec }) =>
      spec.kubernetesService ? [objectKey(metadata.namespace ?? 'default', spec.kubernetesService)] : [],
    );
    this.#servicesByName = new ObjectIndex(sources.services, (service) => [this.#nameKey(service)]);
    this.#servicesByInstanceId = new ObjectIndex(sources.services, (service) => this.#idKeys(service));
    this.#slicesByService = new ObjectIndex(sources.slices, ({ metadata, serviceName }) =>
      serviceName ? [objectKey(metadata.namespace ?? 'default', serviceName)] : [],
    );
    this.#slicesByNode = new ObjectIndex(
      sources.slices,
      ({ endpoints }) => new Set(endpoints.flatMap(({ nodeName }) => (nodeName ? [nodeName] : []))),
    );
    this.#checksByService = new ObjectIndex(sources.healthChecks, (check) => [serviceKeyOf(check)]);
  }

  /** Whether every source was read completely once. */
  synced(): boolean {
    return Object.values(this.sources).every((source: ObjectSource) => source.synced());
  }

  catalogNamespace(kubernetesNamespace: string): string {
    return this.#mapping === 'single' ? 'default' : kubernetesNamespace;
  }

  podsOf({ metadata, spec }: Service): PodView[] {
    const { selector } = spec;
    if (!selector) return [];
    const namespace = metadata.namespace ?? 'default';
    let best = labelKey(namespace, '*');
    for (const [name, value] of Object.entries(selector.matchLabels ?? {})) {
      const candidate = labelKey(namespace, name, value);
      if (this.#podsByLabel.count(candidate) < this.#podsByLabel.count(best)) best = candidate;
    }
    const pods: PodView[] = [];
    for (const key of this.#podsByLabel.get(best)) {
      const pod = this.sources.pods.get(key);
      if (pod && selects(selector, pod.metadata.labels)) pods.push(pod);
    }
    return pods;
  }

  /** In an order that does not change: where a pod is in slices of two address families, the first one's address counts. */
  slicesOf({ metadata, spec }: Service): SliceView[] {
    if (!spec.kubernetesService) return [];
    const keys = this.#slicesByService.get(objectKey(metadata.namespace ?? 'default', spec.kubernetesService));
    return [...keys].flatMap((key) => this.sources.slices.get(key) ?? []).sort(byFamilyAndName);
  }

  /** HealthChecks of a Service, in the order of their names. */
  checksOf(service: ObjectKey): HealthCheck[] {
    return [...this.#checksByService.get(service)].sort().flatMap((key) => this.sources.healthChecks.get(key) ?? []);
  }
  checkKeysOf(service: ObjectKey): ReadonlySet<ObjectKey> {
    return this.#checksByService.get(service);
  }

  /** The Services whose instances this pod is one of. */
  servicesOfPod(pod: PodView): Set<ObjectKey> {
    const found = new Set<ObjectKey>();
    for (const value of podLabels(pod)) {
      for (const key of this.#servicesByLabel.get(value)) {
        const selector = this.sources.services.get(key)?.spec.selector;
        if (selector && selects(selector, pod.metadata.labels)) found.add(key);
      }
    }
    return found;
  }

  servicesOfSlice({ metadata, serviceName }: SliceView): ReadonlySet<ObjectKey> {
    return this.#servicesBySlices.get(objectKey(metadata.namespace ?? 'default', serviceName));
  }

  /** Address of a node, as any pod on it tells it; '' when not known. */
  hostAddress(node: string): string {
    for (const key of this.#podsByNode.get(node)) return this.sources.pods.get(key)?.hostIP ?? '';
    return '';
  }

  /** The Services with endpoints on the node of this pod, if it is the only one that tells the node's address. */
  servicesToldHost({ nodeName, hostIP }: PodView): Set<ObjectKey> {
    if (hostIP === '' || this.#podsByNode.count(nodeName) !== 1) return new Set();
    const slices = [...this.#slicesByNode.get(nodeName)].flatMap((key) => this.sources.slices.get(key) ?? []);
    return new Set(slices.flatMap((slice) => [...this.servicesOfSlice(slice)]));
  }

  /** All Services that want the catalog name of this one, itself included. */
  sameName(service: Service): ReadonlySet<ObjectKey> {
    return this.#servicesByName.get(this.#nameKey(service));
  }

  /** All Services that may want what this one declares: its name, or the ids that it gives its instances. */
  rivalsOf(service: Service): Set<ObjectKey> {
    const ids = this.#idKeys(service).flatMap((id) => [...this.#servicesByInstanceId.get(id)]);
    return new Set([...this.sameName(service), ...ids]);
  }

  /** All Services that may declare an instance: by its service's name in the catalog, or by its id. */
  claimants(instance: { namespace: string; service: string; id: string }): Set<ObjectKey> {
    const { namespace, service, id } = instance;
    const ofName = this.#servicesByName.get(nameKey(namespace, service));
    return new Set([...ofName, ...this.#servicesByInstanceId.get(idKey(namespace, id))]);
  }

  /**
   * Who holds the name: of all that want it the oldest, of the same age the first by key. A name is held by one Service
   * and never merged.
   */
  nameHolder(service: Service): ObjectKey {
    let holder = service;
    for (const key of this.sameName(service)) {
      const other = this.sources.services.get(key);
      if (other && isBefore(other, holder)) holder = other;
    }
    return keyOf(holder);
  }

  close(): void {
    this.#podsByLabel.close();
    this.#podsByNode.close();
    this.#servicesByLabel.close();
    this.#servicesBySlices.close();
    this.#servicesByName.close();
    this.#servicesByInstanceId.close();
    this.#slicesByService.close();
    this.#slicesByNode.close();
    this.#checksByService.close();
  }

  #nameKey(service: Service): string {
    return nameKey(this.catalogNamespace(service.metadata.namespace ?? 'default'), catalogName(service));
  }

  #idKeys({ metadata, spec }: Service): string[] {
    const namespace = this.catalogNamespace(metadata.namespace ?? 'default');
    return (spec.instances ?? []).flatMap(({ id }) => (id === undefined ? [] : [idKey(namespace, id)]));
  }
}

/** The service name in the catalog. */
export function catalogName({ metadata, spec }: Service): string {
  return spec.serviceName ?? metadata.name;
}

/** The key of the Service that a HealthCheck is for. */
export function serviceKeyOf({ metadata, spec }: HealthCheck): ObjectKey {
  return objectKey(metadata.namespace ?? 'default', spec.serviceRef.name);
}

/** Whether `a` goes before `b` where both want the same: the older, of the same age the first by key. */
export function isBefore(a: KubeObject, b: KubeObject): boolean {
  const [ageA, ageB] = [a.metadata.creationTimestamp ?? '', b.metadata.creationTimestamp ?? ''];
  return ageA === ageB ? keyOf(a) < keyOf(b) : ageA < ageB;
}

function nameKey(catalogNamespace: string, name: string): string {
  return `${catalogNamespace}\0${name.toLowerCase()}`;
}

function idKey(catalogNamespace: string, id: string): string {
  return `${catalogNamespace}\0${id}`;
}

function labelKey(namespace: string, name: string, value = ''): string {
  return `${namespace}\0${name}\0${value}`;
}

function* podLabels({ metadata }: PodView): Generator<string> {
  const namespace = metadata.namespace ?? 'default';
  yield labelKey(namespace, '*');
  for (const name of Object.keys(metadata.labels ?? {})) yield labelKey(namespace, name, metadata.labels![name]);
}

/** One label that every pod of the Service has; `*` when its selector has none. */
function leadingLabel({ metadata, spec }: Service): string[] {
  if (!spec.selector) return [];
  const namespace = metadata.namespace ?? 'default';
  const [first] = Object.entries(spec.selector.matchLabels ?? {}).sort();
  return [first ? labelKey(namespace, first[0], first[1]) : labelKey(namespace, '*')];
}

/** IPv4 first, IPv6 then, names last. */
const FAMILIES = ['IPv4', 'IPv6'];

function byFamilyAndName(a: SliceView, b: SliceView): number {
  const rank = ({ addressType }: SliceView) =>
    FAMILIES.includes(addressType) ? FAMILIES.indexOf(addressType) : FAMILIES.length;
  return rank(a) - rank(b) || (a.metadata.name < b.metadata.name ? -1 : 1);
}
