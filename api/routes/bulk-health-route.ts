import { AppError } from '../../core/errors.ts';
import { filterOf } from '../filter/filter-cache.ts';
import { HEALTH_ROW } from '../filter/rows.ts';
import { flagParam } from '../http/request-params.ts';
import type { Route } from '../http/route.ts';
import { aggregateStatus, type HealthEntry } from '../shapes/catalog.ts';
import type { LiveRead } from './catalog-backend.ts';
import { hasNodeMeta, hasTags } from './matching.ts';
import { nearOf } from './near.ts';
import { keyOf, missing, type ReadRouteDeps, readRoute } from './read-route.ts';

export interface BulkHealthBackend {
  /** The instances of each service, in the order of the names; changes when one of these services does. */
  services(namespace: string, names: readonly string[]): LiveRead<readonly (readonly HealthEntry[])[]>;
}

/** Services of one request: each is watched while it blocks. */
const MAX_SERVICES = 256;

/**
 * GET /v1/health/services?service=a&service=b: the answers of /v1/health/service/:name for many services in one object, by
 * their names as they were asked for. It blocks until one of exactly these changes.
 */
export function bulkHealthRoute(deps: ReadRouteDeps, backend: BulkHealthBackend): Route {
  return readRoute<readonly (readonly HealthEntry[])[]>(
    deps,
    '/v1/health/services',
    ({ namespace, tags, nodeMeta, peer, filter }, request) => {
      const { query } = request;
      const passing = flagParam(query, 'passing');
      const keep = filterOf(filter, HEALTH_ROW);
      const near = nearOf(deps, request);
      const names = namesOf(query);
      if (names.length === 0) return missing('service: give ?service=NAME once for each service');
      const wanted = (entry: HealthEntry) =>
        hasTags(entry.Service, tags) &&
        hasNodeMeta(entry.Node, nodeMeta) &&
        (!passing || aggregateStatus(entry.Checks) === 'passing') &&
        keep(entry);
      return {
        key: keyOf('bulk-health', namespace, names, tags, nodeMeta, peer, passing, filter, near.key),
        live: backend.services(namespace, names),
        json: (services) =>
          Object.fromEntries(
            names.map((name, at) => [
              name,
              peer ? [] : near.order(services[at]!.filter(wanted), (entry) => entry.Node.Node),
            ]),
          ),
      };
    },
  );
}

/** Each spelling once, in order. @throws AppError `badRequest` for too many, and for all. */
function namesOf(query: URLSearchParams): string[] {
  const names = new Set(query.getAll('service'));
  names.delete('');
  if (names.has('*')) {
    throw new AppError('badRequest', 'service=*: name the services, or follow all of them with /v1/stream/health', {
      facts: { field: 'service' },
    });
  }
  if (names.size > MAX_SERVICES) {
    throw new AppError('badRequest', `too many services: ${names.size} given, at most ${MAX_SERVICES} in one request`, {
      facts: { field: 'service' },
    });
  }
  return [...names].sort();
}
