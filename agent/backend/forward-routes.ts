import type { Readable } from 'node:stream';
import { answerMs, encodePath, endToEnd, GRACE_MS } from '../../api/http/forwarding.ts';
import type { Route, RouteRequest, RouteResponse } from '../../api/http/route.ts';
import { AGENT_HEADER } from '../../api/routes/asking-agent.ts';
import type { ServerPool } from '../server-pool/server-pool.ts';

const SNAPSHOT = '/v1/snapshot';
/** A restore answers when all of it is done. */
const RESTORE_MS = 3_600_000;

/** What a client agent does not answer from its own state. */
const FORWARDED = [
  'acl',
  'catalog',
  'config',
  'connect',
  'coordinate',
  'discovery-chain',
  'event',
  'explain',
  'health',
  'internal',
  'kv',
  'namespace',
  'operator',
  'owner',
  'query',
  'session',
  'status',
  'stream',
].map((area) => `/v1/${area}/*`);
const FORWARDED_EXACTLY = [
  '/v1/config',
  '/v1/exported-services',
  '/v1/namespace',
  '/v1/namespaces',
  '/v1/query',
  SNAPSHOT,
  '/v1/txn',
];
const METHODS = ['GET', 'PUT', 'POST', 'DELETE'] as const;

/** Streams send a heartbeat at least every 10 s. */
const STREAM_SILENCE_MS = 35_000;

/**
 * Routes that hand requests to a server as they are and stream the answer back. What the servers refuse comes back with
 * their words; where no server is known, or none of those known answers, the answer is Consul's 500.
 */
export function forwardRoutes(
  deps: { readonly pool: Pick<ServerPool, 'request'> },
  options: { readonly nodeName: string },
): Route[] {
  return [...FORWARDED, ...FORWARDED_EXACTLY].flatMap((path) =>
    METHODS.map(
      (method): Route => ({
        method,
        path,
        // Archives have any size.
        streamsBody: path === SNAPSHOT,
        handle: (request) => forward(deps.pool, request, options),
      }),
    ),
  );
}

async function forward(
  pool: Pick<ServerPool, 'request'>,
  request: RouteRequest,
  { nodeName }: { nodeName: string },
): Promise<RouteResponse> {
  const query = request.query.toString();
  const isStream = request.path.startsWith('/v1/stream/');
  const response = await pool.request({
    method: request.method,
    path: `${encodePath(request.path)}${query === '' ? '' : `?${query}`}`,
    headers: { ...endToEnd(request.headers), ...origin(request, nodeName) },
    body: request.bodyStream ?? request.body,
    deadlineMs: request.path === SNAPSHOT ? RESTORE_MS : answerMs(request.query),
    bodyTimeoutMs: isStream ? STREAM_SILENCE_MS : GRACE_MS,
    signal: request.signal,
  });
  const stream = response.body as Readable;
  if (request.method === 'GET')
    return { status: response.statusCode, headers: endToEnd(response.headers, true), stream };
  // An answer to a write is short: sent whole, with its length.
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return { status: response.statusCode, headers: endToEnd(response.headers, true), bytes: Buffer.concat(chunks) };
}

/** Whom the client asked, and who it is: what `_agent` and `_ip` mean to the server. */
function origin(request: RouteRequest, nodeName: string): Record<string, string> {
  const before = request.headers['x-forwarded-for'];
  const chain = [before ?? [], request.remoteAddress].flat().filter((part) => part !== '');
  return { [AGENT_HEADER]: encodeURIComponent(nodeName), 'x-forwarded-for': chain.join(', ') };
}
