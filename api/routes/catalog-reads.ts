import { filterOf } from '../filter/filter-cache.ts';
import { CATALOG_ROW, INSTANCE_ROW, NODE_ROW } from '../filter/rows.ts';
import { readParams } from '../http/request-params.ts';
import type { Route } from '../http/route.ts';
import { DEFAULT_NAMESPACE, type HealthEntry, type Node } from '../shapes/catalog.ts';
import type { LiveRead, NodeReads, NodeServices, ServiceReads, ServiceSummary } from './catalog-backend.ts';
import { mergingOf } from './central-config.ts';
import { hasNodeMeta, hasTags, unionOfTags } from './matching.ts';
import { nearOf } from './near.ts';
import { keyOf, missing, type ReadRouteDeps, readRoute } from './read-route.ts';

const LISTS = { allNamespaces: true };

/**
 * GET /v1/catalog/{datacenters,nodes,services,service/:name,connect/:name,node/:node,node-services/:node}
 * (Consul HTTP API, "Catalog").
 */
export function catalogReadRoutes(deps: ReadRouteDeps, backend: NodeReads & ServiceReads): Route[] {
  return [
    datacentersRoute(deps),
    nodesRoute(deps, backend),
    servicesRoute(deps, backend),
    instancesRoute(deps, '/v1/catalog/service/:name', 'service', (namespace, name) => backend.service(namespace, name)),
    instancesRoute(deps, '/v1/catalog/connect/:name', 'connect', (namespace, name) => backend.connect(namespace, name)),
    nodeRoute(deps, backend, '/v1/catalog/node/:node', ({ node, instances }) => ({
      Node: node,
      Services: Object.fromEntries(instances.map((instance) => [instance.ID, instance])),
    })),
    nodeRoute(
      deps,
      backend,
      '/v1/catalog/node-services/:node',
      ({ node, instances }) => ({ Node: node, Services: instances }),
      { Node: null, Services: null },
    ),
  ];
}

/** The only datacenter so far; it does not block and has no index. */
function datacentersRoute(deps: ReadRouteDeps): Route {
  return {
    method: 'GET',
    path: '/v1/catalog/datacenters',
    handle(request) {
      // Conflicting parameters are refused here too.
      const { cached } = readParams(request);
      const headers = cached ? deps.cached.ask('datacenters', request.headers['cache-control']) : {};
      return { json: [deps.datacenter], headers };
    },
  };
}

function nodesRoute(deps: ReadRouteDeps, backend: NodeReads): Route {
  return readRoute<readonly Node[]>(deps, '/v1/catalog/nodes', ({ nodeMeta, filter }, request) => {
    const keep = filterOf(filter, NODE_ROW);
    const near = nearOf(deps, request);
    return {
      key: keyOf('nodes', nodeMeta, filter, near.key),
      live: backend.nodes(),
      json: (nodes) =>
        near.order(
          nodes.filter((node) => hasNodeMeta(node, nodeMeta) && keep(node)),
          (node) => node.Node,
        ),
    };
  });
}

/** Names and tags. A filter is asked of the rows that they come from. */
function servicesRoute(deps: ReadRouteDeps, backend: ServiceReads): Route {
  const path = '/v1/catalog/services';
  const names = readRoute<readonly ServiceSummary[]>(
    deps,
    path,
    ({ namespace, nodeMeta, peer }) => ({
      key: keyOf('services', namespace, nodeMeta, peer),
      cacheable: true,
      byUrl: true,
      live: backend.services(namespace, nodeMeta),
      json: (services) => (peer ? {} : Object.fromEntries(services.map(({ name, tags }) => [name, tags]))),
    }),
    LISTS,
  );
  const filtered = readRoute<readonly HealthEntry[]>(
    deps,
    path,
    ({ namespace, nodeMeta, peer, filter }) => {
      const keep = filterOf(filter, CATALOG_ROW);
      return {
        key: keyOf('services-filtered', namespace, nodeMeta, peer, filter),
        cacheable: true,
        live: backend.instances(namespace),
        json: (entries) =>
          peer
            ? {}
            : tagsByName(entries.filter((entry) => hasNodeMeta(entry.Node, nodeMeta) && keep(catalogRow(entry)))),
      };
    },
    LISTS,
  );
  return { ...names, handle: (request) => (request.query.get('filter') ? filtered : names).handle(request) };
}

function tagsByName(entries: readonly HealthEntry[]): Record<string, string[]> {
  const tags = new Map<string, string[][]>();
  for (const { Service: service } of entries) {
    const lists = tags.get(service.Service);
    if (lists) lists.push(service.Tags);
    else tags.set(service.Service, [service.Tags]);
  }
  return Object.fromEntries([...tags].map(([name, lists]) => [name, unionOfTags(lists)]));
}

function instancesRoute(
  deps: ReadRouteDeps,
  path: string,
  kind: string,
  live: (namespace: string, name: string) => LiveRead<readonly HealthEntry[]>,
): Route {
  return readRoute<readonly HealthEntry[]>(deps, path, (params, request) => {
    const { namespace, tags, nodeMeta, peer, filter } = params;
    const { name } = request.params;
    if (!name) return missing('service name');
    const keep = filterOf(filter, CATALOG_ROW);
    const near = nearOf(deps, request);
    const merging = mergingOf(deps.central, request);
    const wanted = (entry: HealthEntry) => hasTags(entry.Service, tags) && hasNodeMeta(entry.Node, nodeMeta);
    return {
      key: keyOf(kind, namespace, name.toLowerCase(), tags, nodeMeta, peer, filter, near.key, merging.key),
      cacheable: true,
      byUrl: near.key === '',
      live: merging.live(live(namespace, name)),
      json: (entries) =>
        peer
          ? []
          : near
              .order(entries.filter(wanted), (entry) => entry.Node.Node)
              .map((entry) => catalogRow(merging.entry(entry)))
              .filter(keep),
    };
  });
}

/** The instances of a node, in the form that `shown` gives them. */
function nodeRoute(
  deps: ReadRouteDeps,
  backend: NodeReads,
  path: string,
  shown: (found: NodeServices) => unknown,
  absent: unknown = null,
): Route {
  return readRoute<NodeServices | undefined>(deps, path, ({ namespace, filter }, request) => {
    const { node } = request.params;
    if (!node) return missing('node name');
    const keep = filterOf(filter, INSTANCE_ROW);
    const merging = mergingOf(deps.central, request);
    return {
      key: keyOf(path, namespace, node.toLowerCase(), filter, merging.key),
      live: merging.live(backend.node(namespace, node)),
      json: (found) =>
        found ? shown({ node: found.node, instances: found.instances.map(merging.instance).filter(keep) }) : absent,
    };
  });
}

/** One row of /v1/catalog/service/:name: the node's and the instance's fields side by side. */
export function catalogRow({ Node: node, Service: service }: HealthEntry): Record<string, unknown> {
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
    ServiceLocality: service.Locality ?? null,
    CreateIndex: service.CreateIndex,
    ModifyIndex: service.ModifyIndex,
  };
  if (service.TaggedAddresses) row.ServiceTaggedAddresses = service.TaggedAddresses;
  if (service.Ports) row.ServicePorts = service.Ports;
  if (service.Namespace && service.Namespace !== DEFAULT_NAMESPACE) row.Namespace = service.Namespace;
  return row;
}
