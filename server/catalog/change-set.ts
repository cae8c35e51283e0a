import { ANY_STATUS } from './check-lists.ts';
import type { CheckEntry, InstanceEntry, NodeEntry } from './entries.ts';
import type { InstancePlace } from './instance-place.ts';
import { meshDestination } from './mesh-destination.ts';
import type { ServiceEntry } from './service-index.ts';

/** What an instance was before a transaction and is after it; undefined when it was, or is, not there. */
export interface InstanceChange {
  readonly before: InstanceEntry | undefined;
  after: InstanceEntry | undefined;
}

/** A change of an owned instance: `before` is what the owner's followers knew of it, `after` what they are to know. */
export type OwnedChange = Readonly<InstanceChange>;

const NO_DESTINATIONS: ReadonlyMap<string, boolean> = new Map();

/** What one transaction has touched; turned into versions, wake-ups and owned changes when all of it is in place. */
export class ChangeSet {
  /** By topic. Whether their data exists is decided at the end, as several changes may touch one topic. */
  readonly services = new Map<string, ServiceEntry>();
  readonly nodes = new Set<NodeEntry>();
  readonly definitionNodes = new Set<string>();
  /** Namespaces of changed services, and whether the names, kinds or tags of their lists may be others now. */
  readonly namespaces = new Map<string, boolean>();
  /** By namespace: the states whose lists of checks have changed. */
  readonly checkTopics = new Map<string, string[]>();
  readonly checks = new Set<CheckEntry>();
  nodeList = false;
  readonly instances = new Map<InstancePlace, InstanceChange>();

  service(service: ServiceEntry, listChanged: boolean): void {
    this.services.set(service.topic, service);
    if (listChanged || !this.namespaces.has(service.namespace)) this.namespaces.set(service.namespace, listChanged);
  }

  checkTopic(namespace: string, status: string): void {
    const statuses = this.checkTopics.get(namespace);
    if (!statuses) this.checkTopics.set(namespace, [ANY_STATUS, status]);
    else if (!statuses.includes(status)) statuses.push(status);
  }

  instance(place: InstancePlace, before: InstanceEntry | undefined, after: InstanceEntry | undefined): void {
    const known = this.instances.get(place);
    if (known) known.after = after;
    else this.instances.set(place, { before, after });
  }

  /** The mesh endpoints that have changed, by `namespace/service`: whether one of those that changed is still there. */
  meshDestinations(): ReadonlyMap<string, boolean> {
    let found: Map<string, boolean> | undefined;
    const note = (entry: InstanceEntry | undefined, live: boolean) => {
      const destination = entry && meshDestination(entry.namespace, entry.stored.record.content);
      if (destination === undefined) return;
      found ??= new Map();
      found.set(destination, live);
    };
    for (const { before } of this.instances.values()) note(before, false);
    for (const { after } of this.instances.values()) note(after, true);
    return found ?? NO_DESTINATIONS;
  }

  *ownedChanges(): Iterable<OwnedChange> {
    for (const change of this.instances.values()) {
      if (change.before?.stored.record.owner || change.after?.stored.record.owner) yield change;
    }
  }
}
