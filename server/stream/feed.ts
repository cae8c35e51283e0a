import type { StreamSpec } from '../../api/routes/stream-routes.ts';
import { ALL_NAMESPACES } from '../../api/shapes/catalog.ts';
import type { InstanceEntry } from '../catalog/entries.ts';
import { namespaceOf, sortKeyOf } from '../catalog/instance-place.ts';
import type { CatalogState } from '../catalog/state.ts';
import type { Touch } from './touch-log.ts';

/** What a stream takes touches with. */
export interface FeedReader {
  touch(touch: Touch): void;
}

/**
 * The instances that streams of one shape show. It remembers which of them pass the filter, so that what never passed
 * makes no lines; without a filter there is nothing to remember.
 */
export class Feed {
  readonly spec: StreamSpec;
  readonly readers = new Set<FeedReader>();
  readonly #state: CatalogState;
  readonly #passing = new Set<string>();

  constructor(deps: { state: CatalogState }, spec: StreamSpec) {
    this.#state = deps.state;
    this.spec = spec;
    this.reload();
  }

  /** To be called when the catalog was loaded anew. */
  reload(): void {
    this.#passing.clear();
    if (!this.spec.wanted) return;
    for (const entry of this.listed()) if (this.shows(entry)) this.#passing.add(sortKeyOf(entry.place));
  }

  /** The instances of its services, whether they pass the filter or not. */
  *listed(): Iterable<InstanceEntry> {
    const { namespace, services } = this.spec;
    if (!services) {
      for (const service of this.#state.services(namespace)) yield* service.instances;
      return;
    }
    for (const name of namespace === ALL_NAMESPACES ? this.#state.namespaces() : [namespace]) {
      for (const service of services) yield* this.#state.serviceEntry(name, service)?.instances ?? [];
    }
  }

  /** Whether the touch may be of one of its instances. */
  concerns({ place, services, checksOnly }: Touch): boolean {
    const { spec } = this;
    if (checksOnly && spec.rows === 'catalog') return false;
    if (spec.namespace !== ALL_NAMESPACES && spec.namespace !== namespaceOf(place)) return false;
    return !spec.services || services.some((service) => spec.services!.has(service));
  }

  shows(entry: InstanceEntry): boolean {
    const { namespace, services, wanted } = this.spec;
    if (!entry.node.shape) return false;
    if (namespace !== ALL_NAMESPACES && namespace !== entry.namespace) return false;
    if (services && !services.has(entry.serviceKey)) return false;
    return !wanted || wanted(entry.health());
  }

  /** Tells its readers, unless the instance neither passes the filter nor did before. */
  touch(touch: Touch, now: InstanceEntry | undefined): void {
    if (this.spec.wanted) {
      const key = sortKeyOf(touch.place);
      const passed = this.#passing.has(key);
      const passes = now !== undefined && this.shows(now);
      if (!passed && !passes) return;
      if (passes) this.#passing.add(key);
      else this.#passing.delete(key);
    }
    for (const reader of this.readers) reader.touch(touch);
  }
}
