import { Readable } from 'node:stream';
import { AppError } from '../../core/errors.ts';
import { filterOf } from '../filter/filter-cache.ts';
import { CATALOG_ROW, HEALTH_ROW } from '../filter/rows.ts';
import { flagParam, isElsewhere, type ReadParams, readParams, unknownDatacenter } from '../http/request-params.ts';
import type { Route, RouteRequest, RouteResponse } from '../http/route.ts';
import { aggregateStatus, type HealthEntry } from '../shapes/catalog.ts';
import { catalogRow } from './catalog-reads.ts';
import { hasNodeMeta, hasTags } from './matching.ts';
import { keyOf, type ReadRouteDeps } from './read-route.ts';

/** What a stream shows. Streams with the same key show the same. */
export interface StreamSpec {
  readonly key: string;
  /** `*` for all. */
  readonly namespace: string;
  /** In lower case; undefined for all. */
  readonly services: ReadonlySet<string> | undefined;
  readonly rows: 'health' | 'catalog';
  /** The filter, when there is one. */
  readonly wanted: ((entry: HealthEntry) => boolean) | undefined;
  row(entry: HealthEntry): unknown;
}

export interface StreamBackend {
  /**
   * The lines of a stream (see StreamEvent) from an index, 0 for a snapshot. Throws before the first line when there can be
   * no stream; ends when the signal aborts.
   */
  follow(spec: StreamSpec, from: number, signal: AbortSignal): AsyncIterable<Buffer>;
}

/** GET /v1/stream/health and /v1/stream/catalog: the instances of any number of services, and every change of them. */
export function streamRoutes(deps: Pick<ReadRouteDeps, 'datacenter'>, backend: StreamBackend): Route[] {
  const route = (path: string, specOf: typeof healthSpec): Route => ({
    method: 'GET',
    path,
    async handle(request) {
      const params = readParams(request, { allNamespaces: true });
      if (isElsewhere(deps, request.query)) return unknownDatacenter();
      if (params.peer !== '') {
        throw new AppError('badRequest', 'Invalid query parameter: "peer" - nothing is imported from peers', {
          facts: { field: 'peer' },
        });
      }
      return streamed(backend, specOf(params, request), params.index, request.signal);
    },
  });
  return [route('/v1/stream/health', healthSpec), route('/v1/stream/catalog', catalogSpec)];
}

async function streamed(
  backend: StreamBackend,
  spec: StreamSpec,
  from: number,
  signal: AbortSignal,
): Promise<RouteResponse> {
  const lines = backend.follow(spec, from, signal)[Symbol.asyncIterator]();
  // What refuses the stream has to become a status, so the first line comes before the headers.
  const first = await lines.next();
  return {
    headers: { 'content-type': 'application/x-ndjson', 'cache-control': 'no-store' },
    meta: { knownLeader: true, lastContactMs: 0 },
    // Nothing is made ahead of its reader: what is not sent yet can still be replaced by something newer.
    stream: Readable.from(withFirst(first, lines), { objectMode: false, highWaterMark: 1 }),
  };
}

async function* withFirst(first: IteratorResult<Buffer>, lines: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  try {
    for (let result = first; !result.done; result = await lines.next()) yield result.value;
  } finally {
    await lines.return?.();
  }
}

function healthSpec(params: ReadParams, { query }: RouteRequest): StreamSpec {
  const { tags, nodeMeta, filter } = params;
  const passing = flagParam(query, 'passing');
  const filtered = filterOf(filter, HEALTH_ROW);
  const wanted = (entry: HealthEntry) =>
    hasTags(entry.Service, tags) &&
    hasNodeMeta(entry.Node, nodeMeta) &&
    (!passing || aggregateStatus(entry.Checks) === 'passing') &&
    filtered(entry);
  return { ...specOf('health', params, query, passing), wanted: isFiltered(params) || passing ? wanted : undefined };
}

function catalogSpec(params: ReadParams, { query }: RouteRequest): StreamSpec {
  const { tags, nodeMeta, filter } = params;
  const filtered = filterOf(filter, CATALOG_ROW);
  const wanted = (entry: HealthEntry) =>
    hasTags(entry.Service, tags) && hasNodeMeta(entry.Node, nodeMeta) && filtered(catalogRow(entry));
  return { ...specOf('catalog', params, query, false), wanted: isFiltered(params) ? wanted : undefined };
}

function isFiltered({ tags, nodeMeta, filter }: ReadParams): boolean {
  return tags.length > 0 || nodeMeta.length > 0 || filter !== '';
}

function specOf(
  rows: StreamSpec['rows'],
  { namespace, tags, nodeMeta, filter }: ReadParams,
  query: URLSearchParams,
  passing: boolean,
): Omit<StreamSpec, 'wanted'> {
  const names = new Set(query.getAll('service').map((name) => name.toLowerCase()));
  names.delete('');
  // `*` stands for all, as it does for `lictor watch`.
  if (names.has('*')) names.clear();
  const services = names.size > 0 ? names : undefined;
  return {
    key: keyOf(rows, namespace, [...names].sort(), tags, nodeMeta, filter, passing),
    namespace,
    services,
    rows,
    row: rows === 'health' ? (entry) => entry : catalogRow,
  };
}
