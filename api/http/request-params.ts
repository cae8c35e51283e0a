import { parseGoDuration } from '../../core/duration.ts';
import { AppError } from '../../core/errors.ts';
import { ALL_NAMESPACES, DEFAULT_NAMESPACE } from '../shapes/catalog.ts';
import { parseUint64 } from '../shapes/kv.ts';
import type { ReadMeta, Route, RouteRequest, RouteResponse } from './route.ts';

/** The consistency that a read asks for. */
export type Consistency = NonNullable<ReadMeta['effectiveConsistency']>;

/** Where a blocking query waits from; index 0 does not block. */
export interface BlockingParams {
  readonly index: number;
  /** 0 = the default. */
  readonly waitMs: number;
}

/** The parameters that all catalog and health reads share (Consul HTTP API, "Features"). */
export interface ReadParams extends BlockingParams {
  readonly namespace: string;
  readonly consistency: Consistency;
  /** Repeated `tag`, all of which an instance has to carry; lower case. */
  readonly tags: readonly string[];
  /** Repeated `node-meta=key:value`, all of which a node has to carry. */
  readonly nodeMeta: readonly (readonly [string, string])[];
  /** A filter expression, '' for none. */
  readonly filter: string;
  /** Whether an answer that is kept fresh beforehand will do. */
  readonly cached: boolean;
  /** A peer's name: nothing is imported from peers, so its services are an empty list. */
  readonly peer: string;
}

const NO_LIST: readonly never[] = [];

/** @throws AppError `badRequest` with Consul's text for what is wrong. */
export function readParams(request: RouteRequest, options: { readonly allNamespaces?: boolean } = {}): ReadParams {
  const { query } = request;
  refuseUnsupported(request);
  return {
    ...blockingParams(query),
    namespace: namespaceOf(request, options),
    consistency: consistencyOf(query),
    tags: query.has('tag') ? query.getAll('tag').map((tag) => tag.toLowerCase()) : NO_LIST,
    nodeMeta: query.has('node-meta') ? query.getAll('node-meta').map(metaPair) : NO_LIST,
    filter: query.get('filter') ?? '',
    cached: query.has('cached'),
    peer: query.get('peer') ?? '',
  };
}

/** `?index=` and `?wait=`. @throws AppError `badRequest`. */
export function blockingParams(query: URLSearchParams): BlockingParams {
  const wait = query.get('wait');
  const index = query.get('index');
  const waitMs = wait === null || wait === '' ? 0 : parseGoDuration(wait);
  if (waitMs === undefined) throw new AppError('badRequest', 'Invalid wait time', { facts: { field: 'wait' } });
  if (index !== null && index !== '' && typeof parseUint64(index) === 'string') {
    throw new AppError('badRequest', 'Invalid index', { facts: { field: 'index' } });
  }
  return { index: index === null ? 0 : Number(index), waitMs: Math.max(waitMs, 0) };
}

/**
 * `?ns=`, else X-Consul-Namespace, else `default`; lower case. `*` where all namespaces can be read.
 * @throws AppError `badRequest` for a bad name.
 */
export function namespaceOf(
  request: Pick<RouteRequest, 'query' | 'headers'>,
  { allNamespaces = false }: { readonly allNamespaces?: boolean } = {},
): string {
  const name = askedNamespace(request) || DEFAULT_NAMESPACE;
  if (name !== ALL_NAMESPACES) return checkedNamespace(name);
  if (allNamespaces) return name;
  throw new AppError('badRequest', 'Invalid namespace "*": this request is of one namespace; name it', {
    facts: { field: 'ns' },
  });
}

/** The namespace of a write: its body may name it, too. @throws AppError `badRequest` for a bad name, and for two. */
export function namespaceOfWrite(request: Pick<RouteRequest, 'query' | 'headers'>, given: string | undefined): string {
  assertSameNamespace(request, [given]);
  return given ? checkedNamespace(given) : namespaceOf(request);
}

/**
 * @throws AppError `badRequest` when the request names a namespace, by `?ns=` or X-Consul-Namespace, and its body another
 * one: neither may win silently.
 */
export function assertSameNamespace(
  request: Pick<RouteRequest, 'query' | 'headers'>,
  given: readonly (string | undefined)[],
): void {
  const asked = askedNamespace(request);
  const other = given.find((name) => name && name.toLowerCase() !== asked.toLowerCase());
  if (asked === '' || other === undefined) return;
  const names = `${JSON.stringify(asked)} in the URL or a header, ${JSON.stringify(other)} in the body`;
  throw new AppError('badRequest', `Conflicting namespaces: ${names}; give one`, { facts: { field: 'Namespace' } });
}

/** As it was asked for, or ''. */
function askedNamespace({ query, headers }: Pick<RouteRequest, 'query' | 'headers'>): string {
  const header = headers['x-consul-namespace'];
  return query.get('ns') || (typeof header === 'string' ? header : '');
}

/** A namespace name in lower case. @throws AppError `badRequest` unless it is a DNS label. */
export function checkedNamespace(name: string): string {
  const lower = name.toLowerCase();
  if (!/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(lower)) {
    throw new AppError(
      'badRequest',
      `Invalid namespace ${JSON.stringify(name)}: must be 1 to 63 letters, digits or hyphens, without a hyphen at either end`,
      { facts: { field: 'ns' } },
    );
  }
  return lower;
}

/** A flag that counts when it is present alone, or with one of Go's spellings of true. @throws AppError `badRequest`. */
export function flagParam(query: URLSearchParams, name: string): boolean {
  const value = query.get(name);
  if (value === null) return false;
  if (/^(|1|t|T|TRUE|true|True)$/.test(value)) return true;
  if (/^(0|f|F|FALSE|false|False)$/.test(value)) return false;
  throw new AppError('badRequest', `Invalid value for ?${name}`, { facts: { field: name } });
}

/**
 * The datacenter asked for, by `?datacenter=` or `?dc=`, or ''.
 */
export function datacenterOf(query: URLSearchParams): string {
  return (query.get('datacenter') || query.get('dc') || '').toLowerCase();
}

/** Consul's answer for a datacenter that is not known here: status 500. */
export function unknownDatacenter(meta?: ReadMeta): RouteResponse {
  return { status: 500, text: 'No path to datacenter', meta, headers: { 'x-lictor-error': 'notFound' } };
}

/** Whether a request names another datacenter than this one. */
export function isElsewhere(deps: { readonly datacenter: string }, query: URLSearchParams): boolean {
  const datacenter = datacenterOf(query);
  return datacenter !== '' && datacenter !== deps.datacenter.toLowerCase();
}

/** The answer to a request for another datacenter: there is no path to it. Undefined for one for this. */
export function elsewhere(
  deps: { readonly datacenter: string },
  { query }: { readonly query: URLSearchParams },
): RouteResponse | undefined {
  return isElsewhere(deps, query) ? unknownDatacenter() : undefined;
}

/** Takes only requests for this datacenter. */
export function inDatacenter(deps: { readonly datacenter: string }, handle: Route['handle']): Route['handle'] {
  return (request) => elsewhere(deps, request) ?? handle(request);
}

/** @throws AppError `badRequest` for parameters that exclude each other. */
export function consistencyOf(query: URLSearchParams): Consistency {
  const maxStale = query.get('max_stale');
  if (maxStale && parseGoDuration(maxStale) === undefined) {
    throw new AppError('badRequest', `Invalid max_stale value ${JSON.stringify(maxStale)}`);
  }
  const consistent = query.has('consistent');
  const stale = query.has('stale') || Boolean(maxStale);
  if (stale && consistent) throw conflicting('stale');
  if (query.has('cached') && consistent) throw conflicting('cached');
  if (consistent) return 'consistent';
  return stale && !query.has('leader') ? 'stale' : 'leader';
}

function conflicting(name: string): AppError {
  return new AppError('badRequest', `Cannot specify ?${name} with ?consistent, conflicting semantics.`);
}

function refuseUnsupported({ query, headers }: Pick<RouteRequest, 'query' | 'headers'>): void {
  if (query.has('sg') || query.has('sameness-group')) {
    const name = query.has('sg') ? 'sg' : 'sameness-group';
    throw new AppError(
      'badRequest',
      `Invalid query parameter: ${JSON.stringify(name)} - Sameness groups are a Consul Enterprise feature`,
    );
  }
  const partition = headers['x-consul-partition'];
  if (partition !== undefined && partition !== '') {
    throw new AppError(
      'badRequest',
      'Invalid header: "X-Consul-Partition" - Partitions are a Consul Enterprise feature',
    );
  }
  if (query.has('partition')) {
    throw new AppError(
      'badRequest',
      'Invalid query parameter: "partition" - Partitions are a Consul Enterprise feature',
    );
  }
}

function metaPair(text: string): readonly [string, string] {
  const colon = text.indexOf(':');
  return colon < 0 ? [text, ''] : [text.slice(0, colon), text.slice(colon + 1)];
}
