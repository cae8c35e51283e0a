import { filterOf } from '../filter/filter-cache.ts';
import { HEALTH_ROW, NODE_CONTENT_ROW } from '../filter/rows.ts';
import { ERROR_CODE_HEADER } from '../http/respond.ts';
import type { Route } from '../http/route.ts';
import type { HealthEntry } from '../shapes/catalog.ts';
import type { CatalogOverview, ListedService, NodeWithContent } from '../shapes/ui.ts';
import type { LiveRead } from './catalog-backend.ts';
import { keyOf, missing, type ReadRouteDeps, readRoute } from './read-route.ts';

/** What Consul's user interface lists. */
export interface UiBackend {
  /** In order of their names, of the instances that pass only when a filter is given. */
  services(namespace: string, keep?: (entry: HealthEntry) => boolean): LiveRead<readonly ListedService[]>;
  /** In order of their names. */
  nodes(namespace: string): LiveRead<readonly NodeWithContent[]>;
  node(namespace: string, name: string): LiveRead<NodeWithContent | undefined>;
  overview(): LiveRead<CatalogOverview>;
}

/** GET /v1/internal/ui/{services,nodes,node/:node,catalog-overview}: not documented by Consul, but asked by its user interface. */
export function uiRoutes(deps: ReadRouteDeps, backend: UiBackend): Route[] {
  return [
    readRoute<readonly ListedService[]>(deps, '/v1/internal/ui/services', ({ namespace, peer, filter }) => ({
      key: keyOf('ui-services', namespace, peer, filter),
      live: backend.services(namespace, filter === '' ? undefined : filterOf(filter, HEALTH_ROW)),
      json: (services) => (peer ? [] : services),
    })),
    readRoute<readonly NodeWithContent[]>(deps, '/v1/internal/ui/nodes', ({ namespace, peer, filter }) => {
      const keep = filterOf(filter, NODE_CONTENT_ROW);
      return {
        key: keyOf('ui-nodes', namespace, peer, filter),
        live: backend.nodes(namespace),
        json: (nodes) => (peer ? [] : nodes.filter(keep)),
      };
    }),
    readRoute<NodeWithContent | undefined>(deps, '/v1/internal/ui/node/:node', ({ namespace }, { params }) => {
      const { node: name } = params;
      if (!name) return missing('node name');
      return {
        key: keyOf('ui-node', namespace, name.toLowerCase()),
        live: backend.node(namespace, name),
        json: (node) => node,
        respond: (node) =>
          node
            ? { json: node }
            : {
                status: 404,
                text: `No node ${JSON.stringify(name)} in the catalog`,
                headers: { [ERROR_CODE_HEADER]: 'notFound' },
              },
      };
    }),
    readRoute<CatalogOverview>(deps, '/v1/internal/ui/catalog-overview', () => ({
      key: keyOf('ui-overview'),
      live: backend.overview(),
      json: (overview) => overview,
    })),
  ];
}
