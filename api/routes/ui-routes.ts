import { filterOf } from '../filter/filter-cache.ts';
import { HEALTH_ROW, NODE_CONTENT_ROW } from '../filter/rows.ts';
import { ERROR_CODE_HEADER } from '../http/respond.ts';
import type { Route, RouteResponse } from '../http/route.ts';
import type { HealthEntry } from '../shapes/catalog.ts';
import type { Intention } from '../shapes/intention.ts';
import type { CatalogOverview, ListedService, NodeWithContent, ServiceSummary, ServiceTopology } from '../shapes/ui.ts';
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

/** What it asks of the mesh, in the default namespace. */
export interface MeshUiBackend {
  /** `isIngress`: of an ingress gateway. */
  topology(service: string, isIngress: boolean): LiveRead<ServiceTopology>;
  /** The services behind a gateway, in the order of its entry. */
  gatewayServices(gateway: string): LiveRead<readonly ServiceSummary[]>;
  /** The intentions whose destination is such a service, the highest precedence first. */
  gatewayIntentions(gateway: string): LiveRead<readonly Intention[]>;
  /** The services that a peer may use. */
  exported(peer: string): LiveRead<readonly ListedService[]>;
}

/** GET /v1/internal/ui/…: not documented by Consul, but asked by its user interface. */
export function uiRoutes(deps: ReadRouteDeps, backend: UiBackend, mesh: MeshUiBackend): Route[] {
  return [
    ...meshRoutes(deps, mesh),
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

function meshRoutes(deps: ReadRouteDeps, mesh: MeshUiBackend): Route[] {
  return [
    readRoute<ServiceTopology>(deps, '/v1/internal/ui/service-topology/:service', (_, { params, query }) => {
      const { service } = params;
      const kind = query.get('kind');
      if (!service) return missing('service name');
      if (kind === null) return missing('service kind');
      if (kind !== '' && kind !== 'ingress-gateway') return refusedKind(kind);
      return {
        key: keyOf('ui-topology', service.toLowerCase(), kind),
        live: mesh.topology(service, kind !== ''),
        json: (topology) => topology,
      };
    }),
    ofGateway(deps, 'gateway-services-nodes', (gateway) => mesh.gatewayServices(gateway)),
    ofGateway(deps, 'gateway-intentions', (gateway) => mesh.gatewayIntentions(gateway)),
    readRoute<readonly ListedService[]>(deps, '/v1/internal/ui/exported-services', ({ peer }) => {
      if (!peer) return missing('peer name');
      return { key: keyOf('ui-exported', peer), live: mesh.exported(peer), json: (services) => services };
    }),
  ];
}

function ofGateway(deps: ReadRouteDeps, what: string, live: (gateway: string) => LiveRead<readonly object[]>): Route {
  return readRoute<readonly object[]>(deps, `/v1/internal/ui/${what}/:gateway`, (_, { params: { gateway } }) => {
    if (!gateway) return missing('gateway name');
    return { key: keyOf(`ui-${what}`, gateway.toLowerCase()), live: live(gateway), json: (list) => list };
  });
}

function refusedKind(kind: string): RouteResponse {
  return {
    status: 400,
    text: `Unsupported service kind ${JSON.stringify(kind)}: must be empty, or ingress-gateway`,
    headers: { [ERROR_CODE_HEADER]: 'badRequest' },
  };
}
