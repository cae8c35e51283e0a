import type {
  LiveRead,
  NodeMeta,
  NodeReads,
  NodeServices,
  ServiceReads,
  ServiceSummary,
} from '../../api/routes/catalog-backend.ts';
import { hasNodeMeta, unionOfTags } from '../../api/routes/matching.ts';
import { ALL_NAMESPACES, type HealthCheck, type HealthEntry, type Node } from '../../api/shapes/catalog.ts';
import type { CatalogLookups } from '../catalog/lookups.ts';
import type { ServiceEntry } from '../catalog/service-index.ts';
import type { CatalogState } from '../catalog/state.ts';
import { type KnownTopic, topicOf } from '../catalog/topics.ts';

/**
 * A read of the state that depends on these topics. The value is made when it is first asked for. Where it depends on what
 * is there, `topics` gives the present ones; others may come and go only with a change of one that stays.
 */
export function liveRead<T>(
  state: CatalogState,
  topics: readonly string[] | (() => readonly string[]),
  read: () => T,
): LiveRead<T> {
  const version = versionOf(state, topics);
  return {
    version,
    run() {
      const index = version();
      let made: { readonly value: T } | undefined;
      return {
        get value() {
          made ??= { value: read() };
          return made.value;
        },
        index,
        applied: state.applied,
      };
    },
    admit: () => state.topics.admit(),
    watch: (wake) => state.topics.watch(typeof topics === 'function' ? topics() : topics, wake),
  };
}

/** What gives the newest version of the topics; a read of one of them is asked for again and again. */
function versionOf(state: CatalogState, topics: readonly string[] | (() => readonly string[])): () => number {
  if (typeof topics !== 'function' && topics.length === 1) {
    const [name] = topics as readonly [string];
    const all = state.topics;
    let topic: KnownTopic | undefined;
    return () => {
      state.assertLoaded();
      if (!topic || topic.forgotten) topic = all.find(name);
      return topic ? all.versionOf(topic) : all.version(name);
    };
  }
  const present = typeof topics === 'function' ? topics : () => topics;
  return () => {
    state.assertLoaded();
    let index = 0;
    for (const topic of present()) index = Math.max(index, state.topics.version(topic));
    return index;
  };
}

/** The reads of Consul's catalog and health endpoints over the state of this server. */
export class StateCatalogReads implements NodeReads, ServiceReads {
  readonly #state: CatalogState;
  readonly #lookups: Pick<CatalogLookups, 'connect'>;

  constructor(deps: { state: CatalogState; lookups: Pick<CatalogLookups, 'connect'> }) {
    this.#state = deps.state;
    this.#lookups = deps.lookups;
  }

  nodes(): LiveRead<readonly Node[]> {
    return liveRead(this.#state, [topicOf.nodes], () => this.#state.nodes());
  }

  node(namespace: string, name: string): LiveRead<NodeServices | undefined> {
    return liveRead(this.#state, [topicOf.node(name.toLowerCase())], () => {
      const entry = this.#state.node(name);
      if (!entry?.shape) return undefined;
      const instances = [...entry.instances.values()].filter((instance) => instance.namespace === namespace);
      instances.sort(byKey);
      return { node: entry.shape, instances: instances.map((instance) => instance.shape()) };
    });
  }

  nodeChecks(namespace: string, name: string): LiveRead<readonly HealthCheck[]> {
    return liveRead(this.#state, [topicOf.node(name.toLowerCase())], () => {
      const checks = [...(this.#state.node(name)?.checks.values() ?? [])];
      return checks
        .filter((check) => check.definition && check.namespace === namespace)
        .sort(byKey)
        .map((check) => check.joined());
    });
  }

  services(namespace: string, nodeMeta: NodeMeta): LiveRead<readonly ServiceSummary[]> {
    if (nodeMeta.length === 0) {
      return liveRead(this.#state, [topicOf.services(namespace)], () =>
        joined(
          namespace,
          [...this.#state.services(namespace)]
            .sort(byKey)
            .map((service) => ({ name: service.name, tags: service.tags() })),
        ),
      );
    }
    return liveRead(this.#state, [topicOf.instances(namespace)], () =>
      joined(
        namespace,
        [...this.#state.services(namespace)].sort(byKey).flatMap((service) => summaryOnNodes(service, nodeMeta)),
      ),
    );
  }

  service(namespace: string, name: string): LiveRead<readonly HealthEntry[]> {
    return liveRead(this.#state, [topicOf.service(namespace, name.toLowerCase())], () =>
      this.#state.service(namespace, name),
    );
  }

  connect(namespace: string, name: string): LiveRead<readonly HealthEntry[]> {
    return liveRead(this.#state, [topicOf.meshEndpoints(`${namespace}/${name.toLowerCase()}`)], () =>
      this.#lookups.connect(namespace, name),
    );
  }

  instances(namespace: string): LiveRead<readonly HealthEntry[]> {
    return liveRead(this.#state, [topicOf.instances(namespace)], () =>
      [...this.#state.services(namespace)].sort(byKey).flatMap((service) => service.health()),
    );
  }

  checksInState(namespace: string, status: string, nodeMeta: NodeMeta): LiveRead<readonly HealthCheck[]> {
    const topic = topicOf.checks(namespace, status);
    if (nodeMeta.length === 0) {
      return liveRead(this.#state, [topic], () => this.#state.checksInState(namespace, status));
    }
    return liveRead(this.#state, [topic, topicOf.nodes], () =>
      this.#state.checksInState(namespace, status).filter((check) => {
        const node = this.#state.node(check.Node)?.shape;
        return node !== undefined && hasNodeMeta(node, nodeMeta);
      }),
    );
  }
}

/** A name that several namespaces have is shown once, with the tags of all. */
function joined(namespace: string, services: ServiceSummary[]): ServiceSummary[] {
  if (namespace !== ALL_NAMESPACES) return services;
  const byName = new Map<string, ServiceSummary>();
  for (const { name, tags } of services) {
    const known = byName.get(name)?.tags ?? [];
    byName.set(name, { name, tags: [...new Set([...known, ...tags])] });
  }
  return [...byName.values()];
}

function summaryOnNodes(service: ServiceEntry, nodeMeta: NodeMeta): ServiceSummary[] {
  const entries = service.health().filter((entry) => hasNodeMeta(entry.Node, nodeMeta));
  if (entries.length === 0) return [];
  return [{ name: service.name, tags: unionOfTags(entries.map((entry) => entry.Service.Tags)) }];
}

function byKey(a: { key: string }, b: { key: string }): number {
  return a.key < b.key ? -1 : a.key > b.key ? 1 : 0;
}
