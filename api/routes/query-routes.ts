import { AppError } from '../../core/errors.ts';
import { flagParam, inDatacenter, isElsewhere, readParams, unknownDatacenter } from '../http/request-params.ts';
import { ERROR_CODE_HEADER } from '../http/respond.ts';
import type { ReadMeta, Route, RouteRequest, RouteResponse } from '../http/route.ts';
import { decodeQuery, type PreparedQuery, type QueryAnswer, type QueryContent } from '../shapes/prepared-query.ts';
import { agentOf } from './asking-agent.ts';
import type { LiveRead } from './catalog-backend.ts';
import { keyOf, type ReadRouteDeps, readRoute } from './read-route.ts';

/** A query as it stands for one lookup: of a template what its references have become. */
export interface ResolvedQuery {
  readonly query: PreparedQuery;
}

export interface ExecuteOptions {
  readonly namespace: string;
  /** A node's name, `_agent`, `_ip`, or '' for a random order. */
  readonly near: string;
  /** The node whose agent was asked. */
  readonly agent: string;
  readonly sourceIp: string;
  /** Most instances; 0 for all. */
  readonly limit: number;
  /** Mesh-capable endpoints, whatever the query says. */
  readonly connect: boolean;
}

export interface QueryBackend {
  list(): LiveRead<readonly PreparedQuery[]>;
  byId(id: string): LiveRead<PreparedQuery | undefined>;
  explain(idOrName: string): LiveRead<PreparedQuery | undefined>;
  /** By id, name or template. @throws AppError `notSynced`. */
  resolve(idOrName: string): ResolvedQuery | undefined;
  execute(resolved: ResolvedQuery, options: ExecuteOptions): LiveRead<QueryAnswer>;
  /** Gives the id. The writes throw AppError `badRequest` with Consul's text. */
  create(content: QueryContent): Promise<string>;
  update(id: string, content: QueryContent): Promise<void>;
  delete(id: string): Promise<void>;
}

/** Answers in a random order are made in so many versions, and each is sent as often as another. */
const VARIANTS = 8;
const JSON_HEADERS = { 'content-type': 'application/json' };
const DONE: RouteResponse = { headers: JSON_HEADERS, bytes: new Uint8Array(0) };
const NO_ID = refused('failed prepared query lookup: index error: UUID must be 36 characters');
const NOT_FOUND = { status: 404, text: 'Query not found' };

/** /v1/query… (Consul HTTP API, "Prepared Query"). */
export function queryRoutes(deps: ReadRouteDeps, backend: QueryBackend, options: { nodeName: string }): Route[] {
  return [
    { method: 'GET', path: '/v1/query/:id/execute', handle: (request) => execute(deps, backend, request, options) },
    { method: 'GET', path: '/v1/query/:id/explain', handle: (request) => explain(deps, backend, request) },
    readRoute<readonly PreparedQuery[]>(deps, '/v1/query', () => ({
      key: keyOf('queries'),
      live: backend.list(),
      json: (queries) => queries,
    })),
    {
      method: 'POST',
      path: '/v1/query',
      handle: inDatacenter(deps, ({ body }) =>
        written(async () => {
          const { id, content } = decodeQuery(body);
          if (id !== '') return refused('ID must be empty when creating a new prepared query');
          return { json: { ID: await backend.create(content) } };
        }),
      ),
    },
    readRoute<PreparedQuery | undefined>(deps, '/v1/query/:id', (_params, { params }) => ({
      key: keyOf('query', params.id ?? ''),
      live: backend.byId(params.id ?? ''),
      json: (query) => query,
      respond: (query) => (isId(params.id) ? (query ? { json: [query] } : NOT_FOUND) : NO_ID),
    })),
    {
      method: 'PUT',
      path: '/v1/query/:id',
      handle: inDatacenter(deps, ({ body, params }) =>
        written(async () => {
          const { content } = decodeQuery(body);
          await backend.update(params.id ?? '', content);
          return DONE;
        }),
      ),
    },
    {
      method: 'DELETE',
      path: '/v1/query/:id',
      handle: inDatacenter(deps, ({ params }) =>
        written(async () => {
          await backend.delete(params.id ?? '');
          return DONE;
        }),
      ),
    },
  ];
}

function execute(
  deps: ReadRouteDeps,
  backend: QueryBackend,
  request: RouteRequest,
  { nodeName }: { nodeName: string },
): RouteResponse {
  const { query } = request;
  const asked = readParams(request);
  if (isElsewhere(deps, query)) return unknownDatacenter();
  const limit = limitOf(query);
  if (typeof limit !== 'number') return limit;
  const name = request.params.id ?? '';
  const resolved = backend.resolve(name);
  if (!resolved) return { ...NOT_FOUND, meta: metaOf(deps, asked.consistency, backend.list().run().index) };
  const options: ExecuteOptions = {
    namespace: asked.namespace,
    near: query.get('near') || resolved.query.Service.Near,
    agent: agentOf(request) ?? nodeName,
    sourceIp: sourceOf(request),
    limit,
    connect: flagParam(query, 'connect'),
  };
  const reading = backend.execute(resolved, options).run();
  const meta = metaOf(deps, asked.consistency, reading.index);
  let made = false;
  const bytes = deps.cache.render(cacheKey(deps, name, options, asked.consistency), reading, (answer) => {
    made = true;
    return { ...answer, ...bodyMeta(meta) };
  });
  // An answer from the cache is as new as one that was just made: it goes with the version of its data.
  const cached: Record<string, string> = query.has('cached') ? { 'x-cache': made ? 'MISS' : 'HIT', age: '0' } : {};
  return { bytes, headers: { ...JSON_HEADERS, ...cached }, meta };
}

function cacheKey(deps: ReadRouteDeps, name: string, options: ExecuteOptions, consistency: string): string {
  const { namespace, near, agent, sourceIp, limit, connect } = options;
  const order = near === '' ? [] : [near, near === '_ip' ? sourceIp : agent, String(deps.distances.version)];
  const variant = String(Math.floor(deps.random.next() * VARIANTS));
  return keyOf('execute', name, namespace, order, variant, String(limit), connect, consistency);
}

function explain(deps: ReadRouteDeps, backend: QueryBackend, request: RouteRequest): RouteResponse {
  const asked = readParams(request);
  if (isElsewhere(deps, request.query)) return unknownDatacenter();
  const { value, index } = backend.explain(request.params.id ?? '').run();
  const meta = metaOf(deps, asked.consistency, index);
  return value ? { json: { Query: value, ...bodyMeta(meta) }, meta } : { ...NOT_FOUND, meta };
}

/** The index of ids takes texts of this length and tells only then whether there is one. */
function isId(text: string | undefined): boolean {
  return text?.length === 36;
}

/** What these answers repeat of their headers in the body. */
function bodyMeta(meta: ReadMeta): Record<string, unknown> {
  return {
    Index: meta.index,
    LastContact: (meta.lastContactMs ?? 0) * 1e6,
    KnownLeader: meta.knownLeader,
    ConsistencyLevel: meta.effectiveConsistency,
    NotModified: false,
    Backend: 0,
    ResultsFilteredByACLs: false,
  };
}

function metaOf(
  { authority }: ReadRouteDeps,
  effectiveConsistency: NonNullable<ReadMeta['effectiveConsistency']>,
  index: number,
): ReadMeta {
  const [knownLeader, lastContactMs] = [authority.knownLeader(), authority.lastContactMs()];
  return { index: Math.max(index, 1), knownLeader, lastContactMs, effectiveConsistency };
}

function limitOf(query: URLSearchParams): number | RouteResponse {
  const text = query.get('limit') ?? '';
  if (text === '') return 0;
  if (!/^[+-]?\d+$/.test(text)) return badLimit(text, 'invalid syntax');
  const limit = Number(text);
  return Number.isSafeInteger(limit) ? Math.max(0, limit) : badLimit(text, 'value out of range');
}

function badLimit(text: string, problem: string): RouteResponse {
  return refused(`Bad limit: strconv.Atoi: parsing ${JSON.stringify(text)}: ${problem}`);
}

/** The first address of X-Forwarded-For, else the client's own. */
function sourceOf({ headers, remoteAddress }: RouteRequest): string {
  const header = headers['x-forwarded-for'];
  const first = (Array.isArray(header) ? header[0] : header)?.split(',')[0]?.trim();
  return (first || remoteAddress).replace(/^::ffff:(?=\d+\.)/, '');
}

/** What Consul refuses with status 500. A body that cannot be decoded stays a 400. */
async function written(write: () => Promise<RouteResponse>): Promise<RouteResponse> {
  try {
    return await write();
  } catch (error) {
    const undecoded = error instanceof AppError && error.message.startsWith('Request decode failed');
    if (!(error instanceof AppError) || error.code !== 'badRequest' || undecoded) throw error;
    return refused(error.message);
  }
}

function refused(text: string): RouteResponse {
  return { status: 500, text, headers: { [ERROR_CODE_HEADER]: 'badRequest' } };
}
