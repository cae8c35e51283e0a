import type { X509Certificate } from 'node:crypto';
import type { Readable } from 'node:stream';
import { AppError } from '../../core/errors.ts';
import type { HeldRead } from './held-reads.ts';

/** A request as routes see it: decoded once, framework-free. */
export interface RouteRequest {
  readonly method: string;
  /** The decoded path, without the query. */
  readonly path: string;
  /** Decoded path parameters by name; a trailing `*` is under '*'. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  /** Lower-case header names. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** The raw body, empty when there is none. */
  readonly body: Buffer;
  /** The body of a route that streams it; undefined when the request has none. */
  readonly bodyStream?: Readable;
  readonly remoteAddress: string;
  /** What the client has shown and a trusted authority has signed; undefined without. */
  readonly clientCertificate?: X509Certificate | undefined;
  /** Aborts when the client has gone or the server stops. */
  readonly signal: AbortSignal;
  /**
   * Waits for a change on behalf of the route; gives the answer. Whoever holds the requests does it for many at once.
   * @throws AppError `rateLimited`, what the read throws; rejects with `shuttingDown` when the client has gone.
   */
  hold(read: HeldRead): Promise<RouteResponse>;
}

/** The `hold` of a request that comes from no client and does not wait. */
export function doesNotWait(): Promise<never> {
  return Promise.reject(new AppError('internal', 'a request from inside the process does not wait for changes'));
}

/** What the consistency headers of a read say (X-Consul-Index, -KnownLeader, -LastContact, -Effective-Consistency). */
export interface ReadMeta {
  readonly index?: number;
  readonly knownLeader?: boolean;
  readonly lastContactMs?: number;
  readonly effectiveConsistency?: 'leader' | 'consistent' | 'stale';
}

/** An answer: `json` is serialised, `text` and `bytes` are sent as they are, `stream` is piped. One of them at most. */
export interface RouteResponse {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly meta?: ReadMeta;
  readonly json?: unknown;
  readonly text?: string;
  readonly bytes?: Uint8Array;
  readonly stream?: Readable;
  /** The same object, which has bytes, answers others too: its form is made once. */
  readonly shared?: true;
  /**
   * Gives the present answer to the same URL without a request, for answers that depend on nothing but the URL; the same
   * object while nothing has changed; undefined when the request has to be looked at anew. May throw an AppError.
   */
  readonly again?: () => RouteResponse | undefined;
}

/** One endpoint, written once and mounted by every process that has its backend. Thrown AppErrors become answers. */
export interface Route {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE';
  /** A path with `:name` parameters and at most one trailing `*`, e.g. `/v1/agent/service/:id`. */
  readonly path: string;
  /** The body comes as `bodyStream`, of any size; the route bounds it. Holds for all methods of the path. */
  readonly streamsBody?: boolean;
  handle(request: RouteRequest): Promise<RouteResponse> | RouteResponse;
}
