import type { KubeObject, ResourceKind } from '../kube-api/kube-api.ts';
import type { ObjectSource } from '../object-source.ts';
import { Informer, type InformerDeps } from './informer.ts';
import { MergedSource } from './merged-source.ts';

/** The informers of one kind, one for each watched namespace or one for all. */
export class InformerSet<T extends KubeObject> {
  readonly informers: readonly Informer<T>[];
  readonly source: ObjectSource<T>;
  readonly #byNamespace = new Map<string, Informer<T>>();

  /** No namespaces = all. */
  constructor(
    deps: InformerDeps,
    options: { resource: ResourceKind; strip: (object: KubeObject) => T; namespaces: readonly string[] },
  ) {
    const { resource, strip, namespaces } = options;
    if (namespaces.length === 0) {
      const informer = new Informer(deps, { resource, strip });
      this.informers = [informer];
      this.source = informer;
      return;
    }
    for (const namespace of namespaces)
      this.#byNamespace.set(namespace, new Informer(deps, { resource, strip, namespace }));
    this.informers = [...this.#byNamespace.values()];
    this.source = new MergedSource(this.#byNamespace);
  }

  /** See Informer.offer. */
  offer(object: KubeObject): void {
    this.#of(object).offer(object);
  }

  /** See Informer.renew. */
  renew(object: KubeObject): void {
    this.#of(object).renew(object);
  }

  /** Age of the oldest of the informers' last contacts with the API server. */
  staleMs(): number {
    return Math.max(...this.informers.map((informer) => informer.staleMs()));
  }

  #of({ metadata }: KubeObject): Informer<T> {
    return this.#byNamespace.get(metadata.namespace ?? 'default') ?? this.informers[0]!;
  }
}
