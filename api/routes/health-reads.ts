import { flagParam } from '../http/request-params.ts';
import type { Route } from '../http/route.ts';
import { aggregateStatus, type HealthCheck, type HealthEntry } from '../shapes/catalog.ts';
import type { NodeReads, ServiceReads } from './catalog-backend.ts';
import { hasNodeMeta, hasTags } from './matching.ts';
import { keyOf, missing, type ReadRouteDeps, readRoute } from './read-route.ts';

/** GET /v1/health/{service/:name,checks/:service,node/:node,state/:state} (Consul HTTP API, "Health"). */
export function healthReadRoutes(deps: ReadRouteDeps, backend: NodeReads & ServiceReads): Route[] {
  return [
    readRoute<readonly HealthEntry[]>(
      deps,
      '/v1/health/service/:name',
      ({ namespace, tags, nodeMeta, peer }, { params, query }) => {
        const passing = flagParam(query, 'passing');
        if (!params.name) return missing('service name');
        const wanted = (entry: HealthEntry) =>
          hasTags(entry.Service, tags) &&
          hasNodeMeta(entry.Node, nodeMeta) &&
          (!passing || aggregateStatus(entry.Checks) === 'passing');
        return {
          key: keyOf('health', namespace, params.name.toLowerCase(), tags, nodeMeta, peer, passing),
          live: backend.service(namespace, params.name),
          json: (entries) => (peer ? [] : entries.filter(wanted)),
        };
      },
    ),
    readRoute<readonly HealthEntry[]>(
      deps,
      '/v1/health/checks/:service',
      ({ namespace, nodeMeta, peer }, { params }) => {
        if (!params.service) return missing('service name');
        return {
          key: keyOf('health-checks', namespace, params.service.toLowerCase(), nodeMeta, peer),
          live: backend.service(namespace, params.service),
          json: (entries) =>
            peer
              ? []
              : entries
                  .filter((entry) => hasNodeMeta(entry.Node, nodeMeta))
                  .flatMap((entry) => entry.Checks.filter((check) => check.ServiceID !== '')),
        };
      },
    ),
    readRoute<readonly HealthCheck[]>(deps, '/v1/health/node/:node', ({ namespace }, { params }) => {
      if (!params.node) return missing('node name');
      return {
        key: keyOf('health-node', namespace, params.node.toLowerCase()),
        live: backend.nodeChecks(namespace, params.node),
        json: (checks) => checks,
      };
    }),
    readRoute<readonly HealthCheck[]>(deps, '/v1/health/state/:state', ({ namespace, nodeMeta, peer }, { params }) => {
      if (!params.state) return missing('check state');
      return {
        key: keyOf('health-state', namespace, params.state, nodeMeta, peer),
        live: backend.checksInState(namespace, params.state, nodeMeta),
        json: (checks) => (peer ? [] : checks),
      };
    }),
  ];
}
