import type { CheckEntry, InstanceEntry, NodeEntry } from './entries.ts';
import { meshDestination } from './mesh-destination.ts';
import type { ServiceEntry } from './service-index.ts';

/** A change of an owned instance: `before` is what the owner's followers knew of it, `after` what they are to know. */
export interface OwnedChange {
  readonly before: InstanceEntry | undefined;
  readonly after: InstanceEntry | undefined;
}

/** What one transaction has touched; turned into versions, wake-ups and owned changes when all of it is in place. */
export class ChangeSet {
  /** By topic. Whether their data exists is decided at the end, as several changes may touch one topic. */
  readonly services = new Map<string, ServiceEntry>();
  readonly nodes = new Set<NodeEntry>();
  readonly definitionNodes = new Set<string>();
  readonly serviceLists = new Set<string>();
  readonly instanceNamespaces = new Set<string>();
  readonly checkTopics = new Map<string, Set<string>>();
  readonly checks = new Set<CheckEntry>();
  nodeList = false;
  /** By sort key: the entry before the transaction, undefined when there was none. */
  readonly instancesBefore = new Map<string, InstanceEntry | undefined>();
  readonly instancesAfter = new Map<string, InstanceEntry | undefined>();

  service(service: ServiceEntry): void {
    this.services.set(service.topic, service);
  }

  checkTopic(namespace: string, status: string): void {
    let statuses = this.checkTopics.get(namespace);
    if (!statuses) {
      statuses = new Set(['any']);
      this.checkTopics.set(namespace, statuses);
    }
    statuses.add(status);
  }

  instance(sortKey: string, before: InstanceEntry | undefined, after: InstanceEntry | undefined): void {
    if (!this.instancesBefore.has(sortKey)) this.instancesBefore.set(sortKey, before);
    this.instancesAfter.set(sortKey, after);
  }

  /** The mesh endpoints that have changed, by `namespace/service`: whether one of those that changed is still there. */
  meshDestinations(): Map<string, boolean> {
    const found = new Map<string, boolean>();
    const note = (entries: Iterable<InstanceEntry | undefined>, live: boolean) => {
      for (const entry of entries) {
        const destination = entry && meshDestination(entry.namespace, entry.stored.record.content);
        if (destination !== undefined) found.set(destination, live);
      }
    };
    note(this.instancesBefore.values(), false);
    note(this.instancesAfter.values(), true);
    return found;
  }

  *ownedChanges(): Iterable<OwnedChange> {
    for (const [key, before] of this.instancesBefore) {
      const after = this.instancesAfter.get(key);
      if (before?.stored.record.owner || after?.stored.record.owner) yield { before, after };
    }
  }
}
