import type { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import type { buildConnector, Dispatcher, Pool } from 'undici';
import { type ClientTls, tlsConnector } from '../../api/http/client-tls.ts';
import { answerMs, encodePath, endToEnd, GRACE_MS } from '../../api/http/forwarding.ts';
import { wasNotSent } from '../../api/http/not-sent.ts';
import { ERROR_CODE_HEADER } from '../../api/http/respond.ts';
import type { Route, RouteRequest, RouteResponse } from '../../api/http/route.ts';
import type { Clock } from '../../core/clock.ts';
import { AppError, errorText } from '../../core/errors.ts';
import { HandOnConnection } from './hand-on-client.ts';
import { FORWARDED_HEADER, goesInFrame } from './handed-requests.ts';

const CONNECTIONS = 1024;
const CONNECT_TIMEOUT_MS = 2000;
/** A restore answers when all of it is done. */
const RESTORE_MS = 3_600_000;
/**
 * Requests that wait for a server that leads no longer get so long still: it answers at once, unless it is cut off. What
 * it had begun to write before it resigned is done by then; it writes one after the other.
 */
const LAST_MS = 500;

/** What became of a request that was handed to the leader. */
export type Forwarded =
  | { readonly answered: true; readonly response: RouteResponse }
  /** Nothing has been done for it: another server may be asked. */
  | { readonly answered: false; readonly reason: string };

/** A server that leads. */
interface Leader {
  readonly address: string;
  readonly pool: Pool;
  /** Of requests by HTTP without an answer yet. */
  readonly waiting: Set<AbortController>;
  readonly connect: () => Promise<Socket>;
  /** For all that is short. */
  frames?: HandOnConnection;
  /** Those before, as long as something waits there. */
  readonly former: Set<HandOnConnection>;
}

export interface LeaderClientOptions {
  readonly selfId: string;
  /** What servers are spoken to with; in the clear when absent. */
  readonly tls?: (() => ClientTls) | undefined;
  readonly clock: Clock;
}

/** Connections to the server that leads: one that all short requests share, and those of an HTTP client for the others. */
export class LeaderClient {
  readonly #options: LeaderClientOptions;
  #leader: Leader | undefined;
  /** Servers that led before, as long as something may be under way there. */
  readonly #retired = new Set<Leader>();
  #closed = false;

  constructor(options: LeaderClientOptions) {
    this.#options = options;
  }

  /** @throws AppError `unavailable` when it is not known what became of a write, `shuttingDown` once it is closed. */
  async send(address: string, route: Pick<Route, 'path'>, request: RouteRequest): Promise<Forwarded> {
    const leader = await this.#leaderAt(address);
    // A connection that is opened now would hold the process when all else has ended.
    if (this.#closed) throw new AppError('shuttingDown', 'this server stops');
    const frames = goesInFrame(request) ? this.#framesTo(leader) : undefined;
    if (!frames) return this.#sendByHttp(leader, request);
    const handed = await frames.send(route, request);
    if (handed.kind === 'byHttp') return this.#sendByHttp(leader, request);
    if (handed.kind === 'notSent') return { answered: false, reason: `${address}: ${errorText(handed.error)}` };
    if (handed.kind === 'lost') return lost(request, address, handed.error);
    const { response } = handed;
    if (response.headers?.[ERROR_CODE_HEADER] !== 'noLeader') return { answered: true, response };
    return { answered: false, reason: Buffer.from(response.bytes ?? []).toString() };
  }

  /** The server at this address leads: who waits for another one is not left to wait for long. */
  turnTo(address: string): void {
    const old = this.#leader;
    if (!old || old.address === address) return;
    this.#leader = undefined;
    this.#retired.add(old);
    void old.pool.close().then(
      () => this.#retired.delete(old),
      () => {},
    );
    old.frames?.retire();
    this.#options.clock.after(LAST_MS, () => {
      const error = new Error('it does not answer, and another server leads');
      for (const connection of connectionsOf(old)) connection.cut(error);
      for (const cut of old.waiting) cut.abort(error);
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    const all = [...this.#retired, ...(this.#leader ? [this.#leader] : [])];
    const error = new Error('this server stops');
    for (const leader of all) for (const connection of connectionsOf(leader)) connection.cut(error);
    await Promise.all(all.map(({ pool }) => pool.destroy().catch(() => {})));
  }

  /** Undefined: the leader is an older one, which takes all by HTTP. */
  #framesTo(leader: Leader): HandOnConnection | undefined {
    const { frames, address, connect } = leader;
    if (frames?.byHttp) return undefined;
    if (frames && !frames.over) return frames;
    if (frames) leader.former.add(frames);
    for (const connection of leader.former) if (connection.done) leader.former.delete(connection);
    const { clock, selfId: from } = this.#options;
    leader.frames = new HandOnConnection({ clock, from, address, connect, answerMs: GRACE_MS });
    return leader.frames;
  }

  async #sendByHttp(leader: Leader, request: RouteRequest): Promise<Forwarded> {
    const query = request.query.toString();
    try {
      const headersTimeout = request.bodyStream ? RESTORE_MS : answerMs(request.query);
      const response = await ask(leader, request.signal, {
        method: request.method as 'GET',
        path: `${encodePath(request.path)}${query === '' ? '' : `?${query}`}`,
        headers: { ...endToEnd(request.headers), [FORWARDED_HEADER]: this.#options.selfId },
        body: request.bodyStream ?? (request.body.length === 0 ? null : request.body),
        headersTimeout,
        bodyTimeout: headersTimeout + GRACE_MS,
      });
      // A body that has been read from cannot be sent again.
      const mayRepeat = !request.bodyStream?.readableDidRead;
      if (mayRepeat && response.headers[ERROR_CODE_HEADER] === 'noLeader') {
        const reason = await response.body.text();
        return { answered: false, reason };
      }
      return { answered: true, response: await routeResponse(request, response) };
    } catch (error) {
      return outcome(request, leader.address, error);
    }
  }

  async #leaderAt(address: string): Promise<Leader> {
    if (this.#leader?.address === address) return this.#leader;
    // Only servers of a cluster call others.
    const { Pool: NewPool, buildConnector: build } = await import('undici');
    // Another call may have been faster.
    if (this.#leader?.address === address) return this.#leader;
    this.turnTo(address);
    const { tls } = this.#options;
    const origin = new URL(`${tls ? 'https' : 'http'}://${address}`);
    const timeoutMs = CONNECT_TIMEOUT_MS;
    const connect = tls ? tlsConnector(build, tls, { timeoutMs }) : build({ timeout: timeoutMs });
    const pool = new NewPool(origin, { connections: CONNECTIONS, pipelining: 1, connect, keepAliveTimeout: 30_000 });
    this.#leader = { address, pool, waiting: new Set(), former: new Set(), connect: () => socketTo(origin, connect) };
    return this.#leader;
  }
}

function connectionsOf({ frames, former }: Leader): HandOnConnection[] {
  return [...former, ...(frames ? [frames] : [])];
}

function socketTo({ hostname, host, port, protocol }: URL, connect: buildConnector.connector): Promise<Socket> {
  return new Promise((resolve, reject) => {
    connect({ hostname, host, port, protocol }, (error, socket) => (error ? reject(error) : resolve(socket!)));
  });
}

/** Asks until the signal aborts, or the answer has not begun when the leader is given up. */
async function ask(
  { pool, waiting }: Leader,
  signal: AbortSignal | undefined,
  options: Dispatcher.RequestOptions,
): Promise<Dispatcher.ResponseData> {
  const cut = new AbortController();
  if (signal?.aborted) cut.abort();
  signal?.addEventListener('abort', () => cut.abort(), { once: true });
  waiting.add(cut);
  try {
    return await pool.request({ ...options, signal: cut.signal });
  } finally {
    waiting.delete(cut);
  }
}

async function routeResponse(
  request: RouteRequest,
  { statusCode, headers, body }: Dispatcher.ResponseData,
): Promise<RouteResponse> {
  body.on('error', () => {});
  const sent = endToEnd(headers, true);
  if (request.method === 'GET') return { status: statusCode, headers: sent, stream: body as Readable };
  return { status: statusCode, headers: sent, bytes: Buffer.from(await body.arrayBuffer()) };
}

function outcome(request: RouteRequest, address: string, error: unknown): Forwarded {
  const mayRepeat = !request.signal.aborted && !request.bodyStream && wasNotSent(error);
  return mayRepeat ? { answered: false, reason: `${address}: ${errorText(error)}` } : lost(request, address, error);
}

/** What was sent and has no answer: a read may be asked again. @throws AppError `unavailable` for a write. */
function lost(request: RouteRequest, address: string, error: unknown): Forwarded {
  const reason = `${address}: ${errorText(error)}`;
  if (request.method === 'GET' && !request.signal.aborted) return { answered: false, reason };
  throw new AppError(
    'unavailable',
    `rpc error making call: the leader ${reason}; whether the write was done is not known: read before you repeat it`,
    { cause: error },
  );
}
