import { unionOfTags } from '../../api/routes/matching.ts';
import { ALL_NAMESPACES, type HealthEntry } from '../../api/shapes/catalog.ts';
import type { InstanceEntry } from './entries.ts';
import { comparePlaces } from './instance-place.ts';
import { topicOf } from './topics.ts';

/** All instances of one service, in order of node and id. */
export class ServiceEntry {
  readonly namespace: string;
  readonly key: string;
  /** What is told when something of it changes. */
  readonly topic: string;
  readonly instances: InstanceEntry[] = [];
  /** How many instances carry each tag. */
  readonly #tags = new Map<string, number>();
  #tagList: readonly string[] | undefined;

  constructor(namespace: string, key: string) {
    this.namespace = namespace;
    this.key = key;
    this.topic = topicOf.service(namespace, key);
  }

  /** The name as its first instance spells it. */
  get name(): string {
    return this.instances[0]?.service ?? this.key;
  }

  /** The kind of its first instance; '' for an ordinary service. */
  get kind(): string {
    return this.instances[0]?.kind ?? '';
  }

  /** The union of the tags of all instances (see unionOfTags). Must not be modified. */
  tags(): readonly string[] {
    this.#tagList ??= unionOfTags(this.instances.map(({ tags }) => tags));
    return this.#tagList;
  }

  /** Instances whose node exists, joined with their checks. */
  health(): HealthEntry[] {
    return this.instances.filter((entry) => entry.node.shape).map((entry) => entry.health());
  }

  /** Whether the name, the kind or the union of tags may have changed with it. */
  add(entry: InstanceEntry): boolean {
    const first = this.instances[0];
    this.instances.splice(this.#position(entry), 0, entry);
    let changed = this.instances[0] !== first;
    for (const tag of entry.tags) {
      const count = this.#tags.get(tag) ?? 0;
      this.#tags.set(tag, count + 1);
      if (count === 0) changed = true;
    }
    if (changed) this.#tagList = undefined;
    return changed;
  }

  /** Whether the name, the kind or the union of tags may have changed with it. */
  remove(entry: InstanceEntry): boolean {
    const at = this.#position(entry);
    if (this.instances[at] !== entry) return false;
    this.instances.splice(at, 1);
    let changed = at === 0;
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

  /** Puts the new entry of an instance in the place of the old one. */
  replace(before: InstanceEntry, after: InstanceEntry): void {
    const at = this.#position(before);
    if (this.instances[at] === before) this.instances[at] = after;
  }

  /** Where the entry is, or belongs. */
  #position(entry: InstanceEntry): number {
    let low = 0;
    let high = this.instances.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (comparePlaces(this.instances[middle]!.place, entry.place) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** The services of all namespaces. */
export class ServiceIndex {
  readonly #byNamespace = new Map<string, Map<string, ServiceEntry>>();
  /** The index of the first instance that each namespace is known to have had. */
  readonly #since = new Map<string, number>();
  #turns = 0;

  get(namespace: string, key: string): ServiceEntry | undefined {
    return this.#byNamespace.get(namespace)?.get(key);
  }

  /** Services of a namespace (of all with `*`) that have instances, in no order. */
  *list(namespace: string): Iterable<ServiceEntry> {
    if (namespace !== ALL_NAMESPACES) yield* this.#byNamespace.get(namespace)?.values() ?? [];
    else for (const services of this.#byNamespace.values()) yield* services.values();
  }

  /** How many services there are in all namespaces. */
  get size(): number {
    let count = 0;
    for (const services of this.#byNamespace.values()) count += services.size;
    return count;
  }

  /** How often a namespace has come to have services, or to have none. */
  get turns(): number {
    return this.#turns;
  }

  /** Those that have services, in no order. */
  namespaces(): Iterable<string> {
    return this.#byNamespace.keys();
  }

  /** The index of the first instance that a namespace with services is known to have had. */
  since(namespace: string): number {
    return this.#since.get(namespace)!;
  }

  add(entry: InstanceEntry): { service: ServiceEntry; listChanged: boolean } {
    let services = this.#byNamespace.get(entry.namespace);
    if (!services) {
      services = new Map();
      this.#byNamespace.set(entry.namespace, services);
      this.#since.set(entry.namespace, entry.createIndex);
      this.#turns++;
    } else if (entry.createIndex < this.since(entry.namespace)) this.#since.set(entry.namespace, entry.createIndex);
    let service = services.get(entry.serviceKey);
    if (!service) {
      service = new ServiceEntry(entry.namespace, entry.serviceKey);
      services.set(entry.serviceKey, service);
    }
    return { service, listChanged: service.add(entry) };
  }

  /** When an instance keeps its service's name, its kind and its tags, the lists of services stay as they are. */
  replace(before: InstanceEntry, after: InstanceEntry): { service: ServiceEntry; listChanged: boolean } | undefined {
    const service = this.get(before.namespace, before.serviceKey);
    if (!service || before.service !== after.service || !sameTags(before.tags, after.tags)) return undefined;
    if (before.kind !== after.kind) return undefined;
    service.replace(before, after);
    return { service, listChanged: false };
  }

  remove(entry: InstanceEntry): { service: ServiceEntry; listChanged: boolean } | undefined {
    const services = this.#byNamespace.get(entry.namespace);
    const service = services?.get(entry.serviceKey);
    if (!services || !service) return undefined;
    const listChanged = service.remove(entry);
    if (service.instances.length === 0) {
      services.delete(entry.serviceKey);
      if (services.size === 0 && this.#byNamespace.delete(entry.namespace)) {
        this.#since.delete(entry.namespace);
        this.#turns++;
      }
    }
    return { service, listChanged };
  }
}

function sameTags(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((tag, at) => tag === other[at]);
}
