import { formatGoDuration, parseGoDuration } from '../../core/duration.ts';

/** What an operator sets for all requests of a listener. A change gives another object. */
export interface HttpPolicy {
  /** Beginnings of paths that are answered 403. */
  readonly blockedPrefixes: readonly string[];
  /** Added to every answer unless the endpoint sets them; lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  /** Whether a client may send anything but GET, HEAD and OPTIONS. */
  readonly mayWrite: (remoteAddress: string) => boolean;
  /** Whether `?cached` counts. */
  readonly useCache: boolean;
  /** How long a blocking query waits that does not say it, and at most. */
  readonly defaultQueryMs: number;
  readonly maxQueryMs: number;
  /** Above 0, reads of catalog and health that do not ask for a consistency may be as old as this. */
  readonly discoveryMaxStaleMs: number;
  /** Whether JSON has line breaks also for those who do not ask for them, as in Consul's dev mode. */
  readonly pretty: boolean;
}

/** Consul's defaults. */
export const DEFAULT_POLICY: HttpPolicy = {
  blockedPrefixes: [],
  headers: {},
  mayWrite: () => true,
  useCache: true,
  defaultQueryMs: 300_000,
  maxQueryMs: 600_000,
  discoveryMaxStaleMs: 0,
  pretty: false,
};

const READING = new Set(['GET', 'HEAD', 'OPTIONS']);
const DISCOVERY = /^\/v1\/(catalog|health)\//;

/** Why a request is not served at all; undefined when it is. The path is the decoded one; both are asked for when needed. */
export function refusalOf(
  policy: HttpPolicy,
  method: string,
  request: { path: () => string; remoteAddress: () => string },
): string | undefined {
  if (policy.blockedPrefixes.length > 0) {
    const path = request.path();
    if (policy.blockedPrefixes.some((prefix) => path.startsWith(prefix))) {
      return 'Endpoint is blocked by agent configuration';
    }
  }
  if (!READING.has(method) && !policy.mayWrite(request.remoteAddress())) return 'Access is restricted';
  return undefined;
}

/** Puts what the policy decides into the parameters of a request, so that it counts wherever the request is handed on. */
export function applyPolicy(policy: HttpPolicy, path: string, query: URLSearchParams): void {
  if (!policy.useCache) query.delete('cached');
  if (policy.discoveryMaxStaleMs > 0 && DISCOVERY.test(path) && !asksConsistency(query)) {
    query.set('max_stale', formatGoDuration(policy.discoveryMaxStaleMs));
  }
  if (!query.has('index') && !query.has('hash')) return;
  const asked = parseGoDuration(query.get('wait') || '0s');
  // What is no duration is refused by the route, in its own words.
  if (asked === undefined) return;
  const wait = Math.min(asked > 0 ? asked : policy.defaultQueryMs, policy.maxQueryMs);
  if (wait !== asked) query.set('wait', formatGoDuration(wait));
}

function asksConsistency(query: URLSearchParams): boolean {
  return query.has('stale') || query.has('consistent') || query.has('leader') || query.has('max_stale');
}
