import { parseGoDuration } from '../../core/duration.ts';
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

/** Consul's default wait, the longest one that can be allowed, and what is added for its jitter and the network. */
const DEFAULT_WAIT_MS = 300_000;
const MAX_WAIT_MS = 24 * 3_600_000;
export const GRACE_MS = 10_000;
/** How long the answer to a request may take: what a blocking query may wait for, and some. */
export function answerMs(query: URLSearchParams): number {
  return waitMs(query) + GRACE_MS;
}

function waitMs(query: URLSearchParams): number {
  if (!query.has('index')) return 0;
  const wait = Math.min(parseGoDuration(query.get('wait') || '') || DEFAULT_WAIT_MS, MAX_WAIT_MS);
  return wait * (1 + 1 / 16);
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
