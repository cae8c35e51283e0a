import { filterOf } from '../filter/filter-cache.ts';
import { HEALTH_ROW } from '../filter/rows.ts';
import type { ReadParams } from '../http/request-params.ts';
import type { Route } from '../http/route.ts';
import type { HealthEntry } from '../shapes/catalog.ts';
import type { Explanation } from '../shapes/explain.ts';
import type { LiveRead } from './catalog-backend.ts';
import { hasNodeMeta, hasTags } from './matching.ts';
import { keyOf, missing, type ReadRouteDeps, readRoute } from './read-route.ts';

/** What of the question rules an entry out. */
export type RuledOutBy = (entry: HealthEntry) => readonly ('tag' | 'nodeMeta' | 'filter')[];

export interface ExplainBackend {
  /**
   * Changes when an instance or a check of the service does. What the explanation says of other services, and of what was
   * declared, is that of the moment.
   */
  service(namespace: string, name: string, ruledOutBy: RuledOutBy): LiveRead<Explanation>;
}

/** GET /v1/explain/service/:name: for each instance whether it is answered, and why not; with the filters of health reads. */
export function explainRoutes(deps: ReadRouteDeps, backend: ExplainBackend): Route[] {
  return [
    readRoute<Explanation>(deps, '/v1/explain/service/:name', (params, request) => {
      const { name } = request.params;
      if (!name) return missing('service name');
      const { namespace, tags, nodeMeta, filter } = params;
      return {
        key: keyOf('explain', namespace, name, tags, nodeMeta, filter),
        live: backend.service(namespace, name, ruledOutBy(params)),
        json: (value) => value,
        // Made each time: not all of it goes by the index.
        respond: (value) => ({ json: value }),
      };
    }),
  ];
}

function ruledOutBy({ tags, nodeMeta, filter }: ReadParams): RuledOutBy {
  const keep = filterOf(filter, HEALTH_ROW);
  return (entry) => [
    ...(hasTags(entry.Service, tags) ? [] : (['tag'] as const)),
    ...(hasNodeMeta(entry.Node, nodeMeta) ? [] : (['nodeMeta'] as const)),
    ...(keep(entry) ? [] : (['filter'] as const)),
  ];
}
