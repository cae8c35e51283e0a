import { filterOf } from '../filter/filter-cache.ts';
import { CHECK_ROW, HEALTH_ROW } from '../filter/rows.ts';
import { flagParam } from '../http/request-params.ts';
import type { Route } from '../http/route.ts';
import { aggregateStatus, type HealthCheck, type HealthEntry } from '../shapes/catalog.ts';
import type { NodeReads, ServiceReads } from './catalog-backend.ts';
import { hasNodeMeta, hasTags } from './matching.ts';
import { nearOf } from './near.ts';
import { keyOf, missing, type ReadRouteDeps, readRoute } from './read-route.ts';

/** GET /v1/health/{service/:name,checks/:service,node/:node,state/:state} (Consul HTTP API, "Health"). */
export function healthReadRoutes(deps: ReadRouteDeps, backend: NodeReads & ServiceReads): Route[] {
  return [
    readRoute<readonly HealthEntry[]>(
      deps,
      '/v1/health/service/:name',
      ({ namespace, tags, nodeMeta, peer, filter }, request) => {
        const { params, query } = request;
        const near = nearOf(deps, request);
        const passing = flagParam(query, 'passing');
        if (!params.name) return missing('service name');
        const filtered = filterOf(filter, HEALTH_ROW);
        const wanted = (entry: HealthEntry) =>
          hasTags(entry.Service, tags) &&
          hasNodeMeta(entry.Node, nodeMeta) &&
          (!passing || aggregateStatus(entry.Checks) === 'passing') &&
          filtered(entry);
        return {
          key: keyOf('health', namespace, params.name.toLowerCase(), tags, nodeMeta, peer, passing, near.key, filter),
          live: backend.service(namespace, params.name),
          json: (entries) => (peer ? [] : near.order(entries.filter(wanted), (entry) => entry.Node.Node)),
        };
      },
    ),
    readRoute<readonly HealthEntry[]>(
      deps,
      '/v1/health/checks/:service',
      ({ namespace, nodeMeta, peer, filter }, request) => {
        const { params } = request;
        const near = nearOf(deps, request);
        if (!params.service) return missing('service name');
        const filtered = filterOf(filter, CHECK_ROW);
        return {
          key: keyOf('health-checks', namespace, params.service.toLowerCase(), nodeMeta, peer, near.key, filter),
          live: backend.service(namespace, params.service),
          json: (entries) =>
            peer
              ? []
              : near
                  .order(
                    entries.filter((entry) => hasNodeMeta(entry.Node, nodeMeta)),
                    (entry) => entry.Node.Node,
                  )
                  .flatMap((entry) => entry.Checks.filter((check) => check.ServiceID !== '' && filtered(check))),
        };
      },
    ),
    readRoute<readonly HealthCheck[]>(deps, '/v1/health/node/:node', ({ namespace, filter }, { params }) => {
      if (!params.node) return missing('node name');
      const filtered = filterOf(filter, CHECK_ROW);
      return {
        key: keyOf('health-node', namespace, params.node.toLowerCase(), filter),
        live: backend.nodeChecks(namespace, params.node),
        json: (checks) => checks.filter(filtered),
      };
    }),
    readRoute<readonly HealthCheck[]>(
      deps,
      '/v1/health/state/:state',
      ({ namespace, nodeMeta, peer, filter }, request) => {
        const { params } = request;
        const near = nearOf(deps, request);
        if (!params.state) return missing('check state');
        const filtered = filterOf(filter, CHECK_ROW);
        return {
          key: keyOf('health-state', namespace, params.state, nodeMeta, peer, near.key, filter),
          live: backend.checksInState(namespace, params.state, nodeMeta),
          json: (checks) => (peer ? [] : near.order(checks.filter(filtered), (check) => check.Node)),
        };
      },
    ),
  ];
}
