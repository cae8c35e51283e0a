import type { LiveRead } from '../../api/routes/catalog-backend.ts';
import type { UiBackend } from '../../api/routes/ui-routes.ts';
import { ALL_NAMESPACES, type HealthEntry } from '../../api/shapes/catalog.ts';
import type { CatalogOverview, ListedService, NodeWithContent } from '../../api/shapes/ui.ts';
import { liveRead } from '../backend/catalog-reads.ts';
import { ANY_STATUS } from '../catalog/check-lists.ts';
import type { NodeEntry } from '../catalog/entries.ts';
import type { CatalogState } from '../catalog/state.ts';
import { topicOf } from '../catalog/topics.ts';
import { GATEWAYS_TOPIC } from '../gateways/gateway-index.ts';
import { WILDCARD_TOPICS } from '../gateways/gateway-services.ts';
import type { OverviewCounts } from './overview-counts.ts';
import type { ServiceRows } from './service-rows.ts';

/** On what rows depend beside their instances. */
const GATEWAY_TOPICS: readonly string[] = [GATEWAYS_TOPIC, ...WILDCARD_TOPICS];

export interface UiBackendDeps {
  readonly state: CatalogState;
  readonly rows: ServiceRows;
  readonly overview: OverviewCounts;
}

/** What the user interface lists, over the state of this server. */
export class StateUiBackend implements UiBackend {
  readonly #deps: UiBackendDeps;

  constructor(deps: UiBackendDeps) {
    this.#deps = deps;
  }

  services(namespace: string, keep?: (entry: HealthEntry) => boolean): LiveRead<readonly ListedService[]> {
    const { state, rows } = this.#deps;
    return liveRead(state, [topicOf.instances(namespace), ...GATEWAY_TOPICS], () =>
      [...state.services(namespace)].sort(byKey).flatMap((service) => {
        const kept = keep ? service.health().filter(keep) : undefined;
        return (kept ?? service.health()).length > 0 ? [rows.row(service, kept)] : [];
      }),
    );
  }

  nodes(namespace: string): LiveRead<readonly NodeWithContent[]> {
    const { state } = this.#deps;
    const topics = [topicOf.nodes, topicOf.instances(namespace), topicOf.checks(namespace, ANY_STATUS)];
    return liveRead(state, topics, () =>
      [...state.nodeEntries()].sort(byKey).flatMap((node) => withContent(node, namespace) ?? []),
    );
  }

  node(namespace: string, name: string): LiveRead<NodeWithContent | undefined> {
    const { state } = this.#deps;
    return liveRead(state, [topicOf.node(name.toLowerCase())], () => withContent(state.node(name), namespace));
  }

  overview(): LiveRead<CatalogOverview> {
    const { state, overview } = this.#deps;
    const topics = [topicOf.nodes, topicOf.instances(ALL_NAMESPACES), topicOf.checks(ALL_NAMESPACES, ANY_STATUS)];
    return liveRead(state, topics, () => overview.read());
  }
}

function withContent(node: NodeEntry | undefined, namespace: string): NodeWithContent | undefined {
  if (!node?.shape) return undefined;
  const instances = [...node.instances.values()].filter((instance) => instance.namespace === namespace).sort(byKey);
  const checks = [...node.checks.values()].filter((check) => check.definition && check.namespace === namespace);
  return {
    ...node.shape,
    Services: instances.map((instance) => instance.shape()),
    Checks: checks.sort(byKey).map((check) => check.joined()),
  };
}

function byKey(a: { key: string }, b: { key: string }): number {
  return a.key < b.key ? -1 : a.key > b.key ? 1 : 0;
}
