import { filterOf } from '../filter/filter-cache.ts';
import { HEALTH_ROW } from '../filter/rows.ts';
import { isElsewhere, type ReadParams, readParams, unknownDatacenter } from '../http/request-params.ts';
import type { Route } from '../http/route.ts';
import type { HealthEntry } from '../shapes/catalog.ts';
import type { Explanation } from '../shapes/explain.ts';
import { hasNodeMeta, hasTags } from './matching.ts';
import { missing, type ReadRouteDeps } from './read-route.ts';

/** What of the question rules an entry out. */
export type RuledOutBy = (entry: HealthEntry) => readonly ('tag' | 'nodeMeta' | 'filter')[];

export interface ExplainBackend {
  service(
    namespace: string,
    name: string,
    ruledOutBy: RuledOutBy,
  ): { readonly index: number; readonly value: Explanation };
}

/** GET /v1/explain/service/:name: for each instance whether it is answered, and why not; with the filters of health reads. */
export function explainRoutes(deps: Pick<ReadRouteDeps, 'datacenter'>, backend: ExplainBackend): Route[] {
  return [
    {
      method: 'GET',
      path: '/v1/explain/service/:name',
      handle(request) {
        const params = readParams(request);
        if (isElsewhere(deps, request.query)) return unknownDatacenter();
        const { name } = request.params;
        if (!name) return missing('service name');
        const { index, value } = backend.service(params.namespace, name, ruledOutBy(params));
        return { json: value, meta: { index, knownLeader: true, lastContactMs: 0 } };
      },
    },
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
