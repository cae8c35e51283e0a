import type { Readable } from 'node:stream';
import type { Pool } from 'undici';
import { type ClientTls, tlsConnector } from '../../api/http/client-tls.ts';
import { answerMs, encodePath, endToEnd, GRACE_MS } from '../../api/http/forwarding.ts';
import type { RouteRequest, RouteResponse } from '../../api/http/route.ts';
import { AppError, errorText } from '../../core/errors.ts';

/** Marks a request that another server has handed on: it is not handed on again. */
export const FORWARDED_HEADER = 'x-lictor-forwarded-by';

const CONNECTIONS = 1024;
const CONNECT_TIMEOUT_MS = 2000;
/** A restore answers when all of it is done. */
const RESTORE_MS = 3_600_000;
/** Failures before anything can have reached the other side. */
const NOT_SENT = new Set(['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'UND_ERR_CONNECT_TIMEOUT', 'ENOTFOUND']);

/** What became of a request that was handed to the leader. */
export type Forwarded =
  | { readonly answered: true; readonly response: RouteResponse }
  /** Nothing has been done for it: another server may be asked. */
  | { readonly answered: false; readonly reason: string };

/** Connections to the server that leads. */
export class LeaderClient {
  readonly #selfId: string;
  readonly #tls: (() => ClientTls) | undefined;
  #pool: { readonly address: string; readonly pool: Pool } | undefined;

  /** `tls`: what servers are spoken to with; in the clear when absent. */
  constructor(options: { readonly selfId: string; readonly tls?: (() => ClientTls) | undefined }) {
    this.#tls = options.tls;
    this.#selfId = options.selfId;
  }

  /** @throws AppError `unavailable` when it is not known what became of a write. */
  async send(address: string, request: RouteRequest): Promise<Forwarded> {
    const query = request.query.toString();
    try {
      const pool = await this.#poolOf(address);
      const headersTimeout = request.bodyStream ? RESTORE_MS : answerMs(request.query);
      const response = await pool.request({
        method: request.method as 'GET',
        path: `${encodePath(request.path)}${query === '' ? '' : `?${query}`}`,
        headers: { ...endToEnd(request.headers), [FORWARDED_HEADER]: this.#selfId },
        body: request.bodyStream ?? (request.body.length === 0 ? null : request.body),
        headersTimeout,
        bodyTimeout: headersTimeout + GRACE_MS,
        signal: request.signal,
      });
      if (response.headers['x-lictor-error'] === 'noLeader') {
        const reason = await response.body.text();
        return { answered: false, reason };
      }
      return { answered: true, response: await routeResponse(request, response) };
    } catch (error) {
      return outcome(request, address, error);
    }
  }

  async close(): Promise<void> {
    await this.#pool?.pool.destroy();
  }

  async #poolOf(address: string): Promise<Pool> {
    if (this.#pool?.address === address) return this.#pool.pool;
    // Only servers of a cluster call others.
    const { Pool: NewPool, buildConnector } = await import('undici');
    // Another call may have been faster.
    if (this.#pool?.address === address) return this.#pool.pool;
    const old = this.#pool;
    const tls = this.#tls;
    const pool = new NewPool(`${tls ? 'https' : 'http'}://${address}`, {
      connections: CONNECTIONS,
      pipelining: 1,
      connect: tls
        ? tlsConnector(buildConnector, tls, { timeoutMs: CONNECT_TIMEOUT_MS })
        : { timeout: CONNECT_TIMEOUT_MS },
      keepAliveTimeout: 30_000,
    });
    this.#pool = { address, pool };
    // What is under way there ends by itself or with its process.
    void old?.pool.close().catch(() => {});
    return pool;
  }
}

async function routeResponse(
  request: RouteRequest,
  { statusCode, headers, body }: Awaited<ReturnType<Pool['request']>>,
): Promise<RouteResponse> {
  body.on('error', () => {});
  const sent = endToEnd(headers, true);
  if (request.method === 'GET') return { status: statusCode, headers: sent, stream: body as Readable };
  return { status: statusCode, headers: sent, bytes: Buffer.from(await body.arrayBuffer()) };
}

function outcome(request: RouteRequest, address: string, error: unknown): Forwarded {
  const code = (error as { code?: string }).code ?? '';
  const reason = `${address}: ${errorText(error)}`;
  const reads = request.method === 'GET';
  if (!request.signal.aborted && !request.bodyStream && (reads || NOT_SENT.has(code)))
    return { answered: false, reason };
  throw new AppError(
    'unavailable',
    `rpc error making call: the leader ${reason}; whether the write was done is not known: read before you repeat it`,
    { cause: error },
  );
}
