import { filterOf } from '../filter/filter-cache.ts';
import { CHECK_ROW, HEALTH_ROW } from '../filter/rows.ts';
import { flagParam } from '../http/request-params.ts';
import type { Route } from '../http/route.ts';
import { aggregateStatus, type HealthCheck, type HealthEntry } from '../shapes/catalog.ts';
import type { LiveRead, NodeReads, ServiceReads } from './catalog-backend.ts';
import { mergingOf } from './central-config.ts';
import { hasNodeMeta, hasTags } from './matching.ts';
import { nearOf } from './near.ts';
import { keyOf, missing, type ReadRouteDeps, readRoute } from './read-route.ts';

/** GET /v1/health/{service,connect}/:name and /{checks/:service,node/:node,state/:state} (Consul HTTP API, "Health"). */
export function healthReadRoutes(deps: ReadRouteDeps, backend: NodeReads & ServiceReads): Route[] {
  return [
    healthInstancesRoute(deps, '/v1/health/service/:name', 'health', (namespace, name) =>
      backend.service(namespace, name),
    ),
    healthInstancesRoute(deps, '/v1/health/connect/:name', 'health-connect', (namespace, name) =>
      backend.connect(namespace, name),
    ),
    serviceChecksRoute(deps, backend),
    readRoute<readonly HealthCheck[]>(deps, '/v1/health/node/:node', ({ namespace, filter }, { params }) => {
      if (!params.node) return missing('node name');
      const keep = filterOf(filter, CHECK_ROW);
      return {
        key: keyOf('health-node', namespace, params.node.toLowerCase(), filter),
        live: backend.nodeChecks(namespace, params.node),
        json: (checks) => checks.filter(keep),
      };
    }),
    readRoute<readonly HealthCheck[]>(
      deps,
      '/v1/health/state/:state',
      (given, request) => {
        const { namespace, nodeMeta, peer, filter } = given;
        const { state } = request.params;
        if (!state) return missing('check state');
        const keep = filterOf(filter, CHECK_ROW);
        const near = nearOf(deps, request);
        return {
          key: keyOf('health-state', namespace, state, nodeMeta, peer, filter, near.key),
          live: backend.checksInState(namespace, state, nodeMeta),
          json: (checks) => (peer ? [] : near.order(checks.filter(keep), (check) => check.Node)),
        };
      },
      { allNamespaces: true },
    ),
  ];
}

/** Instances with their checks, with the parameters of Consul's health reads. `kind` names the read. */
export function healthInstancesRoute(
  deps: ReadRouteDeps,
  path: string,
  kind: string,
  live: (namespace: string, name: string) => LiveRead<readonly HealthEntry[]>,
): Route {
  return readRoute<readonly HealthEntry[]>(deps, path, (given, request) => {
    const { namespace, tags, nodeMeta, peer, filter } = given;
    const passing = flagParam(request.query, 'passing');
    const { name } = request.params;
    if (!name) return missing('service name');
    const keep = filterOf(filter, HEALTH_ROW);
    const near = nearOf(deps, request);
    const merging = mergingOf(deps.central, request);
    const wanted = (entry: HealthEntry) =>
      hasTags(entry.Service, tags) &&
      hasNodeMeta(entry.Node, nodeMeta) &&
      (!passing || aggregateStatus(entry.Checks) === 'passing') &&
      keep(entry);
    return {
      key: keyOf(kind, namespace, name.toLowerCase(), tags, nodeMeta, peer, passing, filter, near.key, merging.key),
      cacheable: true,
      byUrl: near.key === '',
      live: merging.live(live(namespace, name)),
      json: (entries) =>
        peer ? [] : near.order(entries.map(merging.entry).filter(wanted), (entry) => entry.Node.Node),
    };
  });
}

function serviceChecksRoute(deps: ReadRouteDeps, backend: ServiceReads): Route {
  return readRoute<readonly HealthEntry[]>(deps, '/v1/health/checks/:service', (given, request) => {
    const { namespace, nodeMeta, peer, filter } = given;
    const { service } = request.params;
    if (!service) return missing('service name');
    const keep = filterOf(filter, CHECK_ROW);
    const near = nearOf(deps, request);
    return {
      key: keyOf('health-checks', namespace, service.toLowerCase(), nodeMeta, peer, filter, near.key),
      live: backend.service(namespace, service),
      json: (entries) =>
        peer
          ? []
          : near
              .order(
                entries.filter((entry) => hasNodeMeta(entry.Node, nodeMeta)),
                (entry) => entry.Node.Node,
              )
              .flatMap((entry) => entry.Checks.filter((check) => check.ServiceID !== '' && keep(check))),
    };
  });
}
