import { ALL_NAMESPACES, type HealthEntry } from '../../api/shapes/catalog.ts';
import type { InstanceEntry } from './entries.ts';

/** All instances of one service, in order of node and id. */
export class ServiceEntry {
  readonly namespace: string;
  readonly key: string;
  readonly instances: InstanceEntry[] = [];
  /** How many instances carry each tag. */
  readonly #tags = new Map<string, number>();
  #tagList: readonly string[] | undefined;
  #health: readonly HealthEntry[] | undefined;

  constructor(namespace: string, key: string) {
    this.namespace = namespace;
    this.key = key;
  }

  /** The name as its first instance spells it. */
  get name(): string {
    return this.instances[0]?.service ?? this.key;
  }

  /** The union of the tags of all instances, in the order in which these first name them. Must not be modified. */
  tags(): readonly string[] {
    this.#tagList ??= [...new Set(this.instances.flatMap(({ tags }) => tags))];
    return this.#tagList;
  }

  /** Instances whose node exists, joined with their checks. Must not be modified. */
  health(): readonly HealthEntry[] {
    this.#health ??= this.instances.filter((entry) => entry.node.shape).map((entry) => entry.health());
    return this.#health;
  }

  invalidate(): void {
    this.#health = undefined;
  }

  /** Whether the name or the union of tags has changed with it. */
  add(entry: InstanceEntry): boolean {
    const name = this.name;
    this.instances.splice(this.#position(entry), 0, entry);
    let changed = this.instances.length === 1 || name !== this.name;
    for (const tag of entry.tags) {
      const count = this.#tags.get(tag) ?? 0;
      this.#tags.set(tag, count + 1);
      if (count === 0) changed = true;
    }
    if (changed) this.#tagList = undefined;
    return changed;
  }

  /** Whether the name or the union of tags has changed with it. */
  remove(entry: InstanceEntry): boolean {
    const at = this.#position(entry);
    if (this.instances[at] !== entry) return false;
    const name = this.name;
    this.instances.splice(at, 1);
    let changed = this.instances.length === 0 || name !== this.name;
    for (const tag of entry.tags) {
      const count = (this.#tags.get(tag) ?? 0) - 1;
      if (count > 0) this.#tags.set(tag, count);
      else {
        this.#tags.delete(tag);
        changed = true;
      }
    }
    if (changed) this.#tagList = undefined;
    return changed;
  }

  /** Where the entry is, or belongs. */
  #position(entry: InstanceEntry): number {
    let low = 0;
    let high = this.instances.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.instances[middle]!.sortKey < entry.sortKey) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** The services of all namespaces. */
export class ServiceIndex {
  readonly #byNamespace = new Map<string, Map<string, ServiceEntry>>();

  get(namespace: string, key: string): ServiceEntry | undefined {
    return this.#byNamespace.get(namespace)?.get(key);
  }

  /** Services of a namespace (of all with `*`) that have instances, in no order. */
  *list(namespace: string): Iterable<ServiceEntry> {
    if (namespace !== ALL_NAMESPACES) yield* this.#byNamespace.get(namespace)?.values() ?? [];
    else for (const services of this.#byNamespace.values()) yield* services.values();
  }

  /** Those that have services, in no order. */
  namespaces(): Iterable<string> {
    return this.#byNamespace.keys();
  }

  add(entry: InstanceEntry): { service: ServiceEntry; listChanged: boolean } {
    let services = this.#byNamespace.get(entry.namespace);
    if (!services) {
      services = new Map();
      this.#byNamespace.set(entry.namespace, services);
    }
    let service = services.get(entry.serviceKey);
    if (!service) {
      service = new ServiceEntry(entry.namespace, entry.serviceKey);
      services.set(entry.serviceKey, service);
    }
    return { service, listChanged: service.add(entry) };
  }

  remove(entry: InstanceEntry): { service: ServiceEntry; listChanged: boolean } | undefined {
    const services = this.#byNamespace.get(entry.namespace);
    const service = services?.get(entry.serviceKey);
    if (!services || !service) return undefined;
    const listChanged = service.remove(entry);
    if (service.instances.length === 0) {
      services.delete(entry.serviceKey);
      if (services.size === 0) this.#byNamespace.delete(entry.namespace);
    }
    return { service, listChanged };
  }
}
