import { parseGoDuration } from '../../core/duration.ts';
import { DEFAULT_POLICY } from './http-policy.ts';
import type { RouteRequest } from './route.ts';

/** Headers of one connection (RFC 9110 section 7.6.1), and those that the HTTP client sets itself. */
const HOP_HEADERS = new Set([
  'connection',
  'content-length',
  'expect',
  'host',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** The longest wait that can be allowed, and what is added for its jitter and the network. */
const MAX_WAIT_MS = 24 * 3_600_000;
export const GRACE_MS = 10_000;
/** What is less is not worth another text. */
const MIN_WAITED_MS = 100;
/** How long the answer to a request may take: what a blocking query may wait for, and some. */
export function answerMs(query: URLSearchParams): number {
  return waitMs(query) + GRACE_MS;
}

function waitMs(query: URLSearchParams): number {
  return query.has('index') ? Math.min(askedWaitMs(query), MAX_WAIT_MS) * (1 + 1 / 16) : 0;
}

function askedWaitMs(query: URLSearchParams): number {
  return parseGoDuration(query.get('wait') || '') || DEFAULT_POLICY.defaultQueryMs;
}

/**
 * The query of a request that has waited elsewhere for `waitedMs` and is asked again: what is left of its wait, so that its client,
 * which reckons with one wait, is still there for the answer. The same query when it does not wait.
 */
export function leftToWait(query: URLSearchParams, waitedMs: number): URLSearchParams {
  if (waitedMs < MIN_WAITED_MS || !(query.has('index') || query.has('hash'))) return query;
  const left = new URLSearchParams(query);
  // Longer waits are cut to this unless it is configured otherwise.
  const wholeMs = Math.min(askedWaitMs(query), DEFAULT_POLICY.maxQueryMs);
  left.set('wait', `${Math.max(1, Math.floor(wholeMs - waitedMs))}ms`);
  return left;
}

/** A request that is asked again, with `leftToWait` for its query. */
export function askedAgain(request: RouteRequest, waitedMs: number): RouteRequest {
  const query = leftToWait(request.query, waitedMs);
  if (query === request.query) return request;
  const { method, path, params, headers, body, remoteAddress, clientCertificate, signal } = request;
  // Not together with others of its URL: those have their whole wait.
  const hold: RouteRequest['hold'] = (read) => request.hold({ ...read, shared: false });
  return { method, path, params, query, headers, body, remoteAddress, clientCertificate, signal, hold };
}

/** `leftToWait` of a path with its query. */
export function pathLeftToWait(path: string, waitedMs: number): string {
  const at = path.indexOf('?');
  if (at < 0) return path;
  const query = new URLSearchParams(path.slice(at + 1));
  const left = leftToWait(query, waitedMs);
  return left === query ? path : `${path.slice(0, at)}?${left}`;
}

/** The decoded path in its encoded form. */
export function encodePath(path: string): string {
  return path.split('/').map(encodeURIComponent).join('/');
}

/** The headers that are for whoever answers in the end. */
export function endToEnd(headers: RouteRequest['headers'], keepLength = false): Record<string, string> {
  const out: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value === undefined || (HOP_HEADERS.has(name) && !(keepLength && name === 'content-length'))) continue;
    out[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  return out;
}
