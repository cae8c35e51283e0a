import type { Predicate } from '../filter/compile.ts';
import { filterOf } from '../filter/filter-cache.ts';
import { CATALOG_ROW, INSTANCE_ROW, NODE_ROW } from '../filter/rows.ts';
import type { Route } from '../http/route.ts';
import { DEFAULT_NAMESPACE, type HealthEntry, type Node } from '../shapes/catalog.ts';
import type { NodeReads, NodeServices, ServiceReads, ServiceSummary } from './catalog-backend.ts';
import { hasNodeMeta, hasTags } from './matching.ts';
import { nearOf } from './near.ts';
import { keyOf, missing, type ReadRouteDeps, readRoute } from './read-route.ts';

const NO_SERVICES_FILTER =
  'Invalid query parameter: "filter" - filter expressions are not supported for the list of services yet; filter /v1/catalog/service/:name';

/** GET /v1/catalog/{nodes,services,service/:name,node/:node,node-services/:node} (Consul HTTP API, "Catalog"). */
export function catalogReadRoutes(deps: ReadRouteDeps, backend: NodeReads & ServiceReads): Route[] {
  return [
    readRoute<readonly Node[]>(deps, '/v1/catalog/nodes', ({ nodeMeta, filter }, request) => {
      const filtered = filterOf(filter, NODE_ROW);
      const near = nearOf(deps, request);
      return {
        key: keyOf('nodes', nodeMeta, near.key, filter),
        live: backend.nodes(),
        json: (nodes) =>
          near.order(
            nodes.filter((node) => hasNodeMeta(node, nodeMeta) && filtered(node)),
            (node) => node.Node,
          ),
      };
    }),
    readRoute<readonly ServiceSummary[]>(deps, '/v1/catalog/services', ({ namespace, nodeMeta, peer, filter }) => {
      if (filter !== '') return { status: 400, text: NO_SERVICES_FILTER };
      return {
        key: keyOf('services', namespace, nodeMeta, peer),
        live: backend.services(namespace, nodeMeta),
        json: (services) => (peer ? {} : Object.fromEntries(services.map(({ name, tags }) => [name, tags]))),
      };
    }),
    readRoute<readonly HealthEntry[]>(
      deps,
      '/v1/catalog/service/:name',
      ({ namespace, tags, nodeMeta, peer, filter }, request) => {
        const { params } = request;
        if (!params.name) return missing('service name');
        const filtered = filterOf(filter, CATALOG_ROW);
        const near = nearOf(deps, request);
        const wanted = (entry: HealthEntry) => hasTags(entry.Service, tags) && hasNodeMeta(entry.Node, nodeMeta);
        return {
          key: keyOf('service', namespace, params.name.toLowerCase(), tags, nodeMeta, peer, near.key, filter),
          live: backend.service(namespace, params.name),
          json: (entries) =>
            peer
              ? []
              : near
                  .order(entries.filter(wanted), (entry) => entry.Node.Node)
                  .map(catalogRow)
                  .filter(filtered),
        };
      },
    ),
    readRoute<NodeServices | undefined>(deps, '/v1/catalog/node/:node', ({ namespace, filter }, { params }) => {
      if (!params.node) return missing('node name');
      const wanted = filterOf(filter, INSTANCE_ROW);
      return {
        key: keyOf('node', namespace, params.node.toLowerCase(), filter),
        live: backend.node(namespace, params.node),
        json: (found) => nodeWithMap(found, wanted),
      };
    }),
    readRoute<NodeServices | undefined>(
      deps,
      '/v1/catalog/node-services/:node',
      ({ namespace, filter }, { params }) => {
        if (!params.node) return missing('node name');
        const wanted = filterOf(filter, INSTANCE_ROW);
        return {
          key: keyOf('node-services', namespace, params.node.toLowerCase(), filter),
          live: backend.node(namespace, params.node),
          json: (found) => ({ Node: found?.node ?? null, Services: found?.instances.filter(wanted) ?? null }),
        };
      },
    ),
  ];
}

function nodeWithMap(found: NodeServices | undefined, wanted: Predicate): unknown {
  if (!found) return null;
  return {
    Node: found.node,
    Services: Object.fromEntries(found.instances.filter(wanted).map((instance) => [instance.ID, instance])),
  };
}

/** One row of /v1/catalog/service/:name: the node's and the instance's fields side by side. */
function catalogRow({ Node: node, Service: service }: HealthEntry): Record<string, unknown> {
  const row: Record<string, unknown> = {
    ID: node.ID,
    Node: node.Node,
    Address: node.Address,
    Datacenter: node.Datacenter,
    TaggedAddresses: node.TaggedAddresses,
    NodeMeta: node.Meta,
    ServiceKind: service.Kind ?? '',
    ServiceID: service.ID,
    ServiceName: service.Service,
    ServiceTags: service.Tags,
    ServiceAddress: service.Address,
    ServiceWeights: service.Weights,
    ServiceMeta: service.Meta ?? {},
    ServicePort: service.Port,
    ServiceSocketPath: service.SocketPath ?? '',
    ServiceEnableTagOverride: service.EnableTagOverride,
    ServiceProxy: service.Proxy,
    ServiceConnect: service.Connect,
    ServiceLocality: null,
    CreateIndex: service.CreateIndex,
    ModifyIndex: service.ModifyIndex,
  };
  if (service.TaggedAddresses) row.ServiceTaggedAddresses = service.TaggedAddresses;
  if (service.Ports) row.ServicePorts = service.Ports;
  if (service.Namespace && service.Namespace !== DEFAULT_NAMESPACE) row.Namespace = service.Namespace;
  return row;
}
