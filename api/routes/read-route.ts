import type { Clock } from '../../core/clock.ts';
import { AppError } from '../../core/errors.ts';
import type { Random } from '../../core/random.ts';
import { beginWait, isDueAtOnce, type Reading } from '../blocking-query.ts';
import type { HeldRead } from '../http/held-reads.ts';
import { isElsewhere, type ReadParams, readParams, unknownDatacenter } from '../http/request-params.ts';
import type { ReadMeta, Route, RouteRequest, RouteResponse } from '../http/route.ts';
import type { CachedReads } from './cached-reads.ts';
import type { LiveRead } from './catalog-backend.ts';
import type { CentralConfig } from './central-config.ts';
import type { NodeDistances } from './node-distances.ts';
import type { RenderCache } from './render-cache.ts';

/** What a read says of its server's place beside the leader. */
export interface ReadAuthority {
  /** Whether what it says stays the same while the server runs on: it leads, or there is no other. */
  leads(): boolean;
  knownLeader(): boolean;
  lastContactMs(): number;
  /**
   * Resolves when everything that was acknowledged before is shown here; undefined where it always is.
   * @throws AppError `noLeader`, `deadline`.
   */
  barrier(): Promise<void> | undefined;
}

/** Where there is no other server. */
export const soleAuthority: ReadAuthority = {
  leads: () => true,
  knownLeader: () => true,
  lastContactMs: () => 0,
  barrier: () => undefined,
};

/** What every read route needs. */
export interface ReadRouteDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly cache: RenderCache;
  readonly datacenter: string;
  readonly distances: NodeDistances;
  readonly cached: CachedReads;
  /** For `?merge-central-config`. */
  readonly central: CentralConfig;
  /** The node of this server, which `?near=_agent` means to a client of its own agent. */
  readonly nodeName: string;
  readonly authority: ReadAuthority;
}

/** One read: what is asked, under which name its answer may be shared, and the JSON of it. */
export interface ReadSpec<T> {
  /** Names the read and every parameter that shapes the answer. */
  readonly key: string;
  readonly live: LiveRead<T>;
  json(value: T): unknown;
  /** Answers in its own way (another status, raw bytes) instead of with `json`; the read's headers are added unless it gives `meta`. */
  respond?(value: T): RouteResponse;
  /**
   * Whether `?cached` works. The state of this server follows every change, so an answer's age is always 0; only the first
   * one who asks is told that it was not there before.
   */
  readonly cacheable?: boolean;
  /** Whether the URL alone decides what is asked, so that it need not be read anew for each request. */
  readonly byUrl?: boolean;
  /** The answer does not tell its consistency (Consul's key/value store does not). */
  readonly plain?: boolean;
}

const JSON_HEADERS = { 'content-type': 'application/json' };
/** Consul says on health reads which of its two engines answered. */
const BLOCKING_BACKEND = { ...JSON_HEADERS, 'x-consul-query-backend': 'blocking-query' };

/**
 * A GET route over a live read, with blocking, consistency headers and a shared serialisation. `spec` may give an
 * answer of its own (a missing parameter) instead of a read. With `allNamespaces` the namespace may be `*`.
 */
export function readRoute<T>(
  deps: ReadRouteDeps,
  path: string,
  spec: (params: ReadParams, request: RouteRequest) => ReadSpec<T> | RouteResponse,
  options: { readonly allNamespaces?: boolean } = {},
): Route {
  const headers = path.startsWith('/v1/health/service/') ? BLOCKING_BACKEND : JSON_HEADERS;
  return {
    method: 'GET',
    path,
    handle(request) {
      const params = readParams(request, options);
      if (isElsewhere(deps, request.query)) {
        return unknownDatacenter(path.startsWith('/v1/catalog/') ? metaOf(deps, params, 1) : undefined);
      }
      const read = specOrFilterError(deps, path, params, () => spec(params, request));
      if (!isReadSpec(read)) return read;
      const cached = params.cached && read.cacheable;
      const sent = cached ? { ...headers, ...deps.cached.ask(read.key, request.headers['cache-control']) } : headers;
      const barrier = params.consistency === 'consistent' ? deps.authority.barrier() : undefined;
      const reading = (): RouteResponse | Promise<RouteResponse> => {
        const byUrl = Boolean(read.byUrl) && !cached && barrier === undefined && deps.authority.leads();
        if (params.index !== 0) return blocked(deps, read, params, sent, request, byUrl);
        return byUrl ? lasting(deps, read, params, sent) : answer(deps, read, params, sent, read.live.run());
      };
      return barrier === undefined ? reading() : barrier.then(reading);
    },
  };
}

/** Consul's catalog reads tell their index even when the filter is refused. */
function specOrFilterError<T>(deps: ReadRouteDeps, path: string, params: ReadParams, make: () => T): T | RouteResponse {
  try {
    return make();
  } catch (error) {
    const refused = error instanceof AppError && error.code === 'filterInvalid';
    if (!refused || !path.startsWith('/v1/catalog/')) throw error;
    const headers = { 'x-lictor-error': error.code };
    return { status: 500, text: error.message, meta: metaOf(deps, params, 1), headers };
  }
}

function blocked<T>(
  deps: ReadRouteDeps,
  read: ReadSpec<T>,
  params: ReadParams,
  headers: Record<string, string>,
  request: RouteRequest,
  byUrl: boolean,
): RouteResponse | Promise<RouteResponse> {
  const { live } = read;
  const first = live.run();
  if (isDueAtOnce(params.index, first)) return answer(deps, read, params, headers, first);
  const held: HeldRead = {
    shared: byUrl,
    mayJoin: () => deps.authority.leads(),
    begin: () => beginWait(deps, params),
    run() {
      const reading = live.run();
      const { index, applied } = reading;
      return { index, applied, answer: (told) => answer(deps, read, params, headers, reading, told) };
    },
    watch: live.watch,
    admit: live.admit,
  };
  return request.hold(held);
}

/** An answer of its own form is kept up to this many bytes while its URL is asked again and again. */
const KEPT_BYTES = 2048;

/**
 * The answer, and how to give it again: the same one while its data has the same version. One without bytes, such as
 * that there is none, is not given again without looking at its request.
 */
function lasting<T>(
  deps: ReadRouteDeps,
  read: ReadSpec<T>,
  params: ReadParams,
  headers: Record<string, string>,
): RouteResponse {
  let lastIndex = 0;
  let last: RouteResponse | undefined;
  const letGo = () => {
    last = undefined;
  };
  const { live } = read;
  const { version } = live;
  const make = (reading: Reading<T>): RouteResponse => {
    const made = answer(deps, read, params, headers, reading);
    return made.bytes ? { ...made, again } : made;
  };
  const again = (): RouteResponse | undefined => {
    if (last && version && version() === lastIndex) return last;
    const reading = live.run();
    if (last && lastIndex === reading.index) return last;
    const response = make(reading);
    if (!response.bytes) return undefined;
    // What `json` makes lies in the cache of answers, which is bounded.
    const kept = read.respond ? response.bytes.length <= KEPT_BYTES : deps.cache.hold(read.key, response.bytes, letGo);
    last = kept ? response : undefined;
    lastIndex = reading.index;
    return response;
  };
  return make(live.run());
}

function answer<T>(
  deps: ReadRouteDeps,
  read: ReadSpec<T>,
  params: ReadParams,
  headers: Record<string, string>,
  reading: Reading<T>,
  index = reading.index,
): RouteResponse {
  const { effectiveConsistency, ...rest } = metaOf(deps, params, index);
  const meta: ReadMeta = read.plain ? rest : { ...rest, effectiveConsistency };
  if (read.respond) return { meta, ...read.respond(reading.value) };
  return { bytes: deps.cache.render(read.key, reading, read.json), headers, meta };
}

function metaOf({ authority }: ReadRouteDeps, params: ReadParams, index: number): ReadMeta {
  return {
    index,
    knownLeader: authority.knownLeader(),
    lastContactMs: authority.lastContactMs(),
    effectiveConsistency: params.consistency,
  };
}

function isReadSpec<T>(value: ReadSpec<T> | RouteResponse): value is ReadSpec<T> {
  return 'live' in value;
}

/** Consul's answer to an empty path parameter. */
export function missing(what: string): RouteResponse {
  return { status: 400, text: `Missing ${what}` };
}

/** The part of a cache key that names parameters; '' for none. */
export function keyOf(...parts: (string | boolean | readonly (string | readonly string[])[])[]): string {
  return JSON.stringify(parts);
}
