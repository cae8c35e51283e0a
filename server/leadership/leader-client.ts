import type { Readable } from 'node:stream';
import type { Dispatcher, Pool } from 'undici';
import { type ClientTls, tlsConnector } from '../../api/http/client-tls.ts';
import { answerMs, encodePath, endToEnd, GRACE_MS } from '../../api/http/forwarding.ts';
import { wasNotSent } from '../../api/http/not-sent.ts';
import type { RouteRequest, RouteResponse } from '../../api/http/route.ts';
import type { Clock } from '../../core/clock.ts';
import { AppError, errorText } from '../../core/errors.ts';
import { decodeAnswers, encodeWrites, FORWARDED_HEADER, goesTogether, HANDED_WRITES_PATH } from './handed-writes.ts';
import { WriteBatches } from './write-batches.ts';

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
  /** Of requests without an answer yet. */
  readonly waiting: Set<AbortController>;
  readonly batches: WriteBatches<Forwarded>;
}

export interface LeaderClientOptions {
  readonly selfId: string;
  /** What servers are spoken to with; in the clear when absent. */
  readonly tls?: (() => ClientTls) | undefined;
  readonly clock: Clock;
}

/** Connections to the server that leads. Small writes of one moment go together. */
export class LeaderClient {
  readonly #options: LeaderClientOptions;
  #leader: Leader | undefined;
  /** Servers that led before, as long as something may be under way there. */
  readonly #retired = new Set<Leader>();

  constructor(options: LeaderClientOptions) {
    this.#options = options;
  }

  /** @throws AppError `unavailable` when it is not known what became of a write. */
  async send(address: string, request: RouteRequest): Promise<Forwarded> {
    const leader = await this.#leaderAt(address);
    return goesTogether(request) ? leader.batches.add(request) : this.#sendOne(leader, request);
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
    this.#options.clock.after(LAST_MS, () => {
      for (const cut of old.waiting) cut.abort(new Error('it does not answer, and another server leads'));
    });
  }

  async close(): Promise<void> {
    const all = [...this.#retired, ...(this.#leader ? [this.#leader] : [])];
    await Promise.all(all.map(({ pool }) => pool.destroy().catch(() => {})));
  }

  async #sendOne(leader: Leader, request: RouteRequest): Promise<Forwarded> {
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
      if (response.headers['x-lictor-error'] === 'noLeader') {
        const reason = await response.body.text();
        return { answered: false, reason };
      }
      return { answered: true, response: await routeResponse(request, response) };
    } catch (error) {
      return outcome(request, leader.address, error);
    }
  }

  #sendAll(leader: Leader, requests: readonly RouteRequest[]): readonly Promise<Forwarded>[] {
    if (requests.length === 1) return [this.#sendOne(leader, requests[0]!)];
    const answers = this.#sendTogether(leader, requests);
    return requests.map(async (request, at): Promise<Forwarded> => {
      let answer: RouteResponse | undefined;
      try {
        answer = (await answers)?.[at];
      } catch (error) {
        return outcome(request, leader.address, error);
      }
      if (!answer) return this.#sendOne(leader, request);
      if (answer.headers?.['x-lictor-error'] === 'noLeader') return { answered: false, reason: answer.text ?? '' };
      return { answered: true, response: answer };
    });
  }

  /** Undefined when the leader, an older one, takes writes one by one only. */
  async #sendTogether(leader: Leader, requests: readonly RouteRequest[]): Promise<RouteResponse[] | undefined> {
    const response = await ask(leader, undefined, {
      method: 'PUT',
      path: HANDED_WRITES_PATH,
      headers: { [FORWARDED_HEADER]: this.#options.selfId },
      body: encodeWrites(requests),
      headersTimeout: GRACE_MS,
      bodyTimeout: GRACE_MS,
    });
    const text = await response.body.text();
    if (response.statusCode === 404) return undefined;
    if (response.statusCode !== 200) throw new AppError('unavailable', text);
    return decodeAnswers(text, requests.length);
  }

  async #leaderAt(address: string): Promise<Leader> {
    if (this.#leader?.address === address) return this.#leader;
    // Only servers of a cluster call others.
    const { Pool: NewPool, buildConnector } = await import('undici');
    // Another call may have been faster.
    if (this.#leader?.address === address) return this.#leader;
    this.turnTo(address);
    const { tls } = this.#options;
    const pool = new NewPool(`${tls ? 'https' : 'http'}://${address}`, {
      connections: CONNECTIONS,
      pipelining: 1,
      connect: tls
        ? tlsConnector(buildConnector, tls, { timeoutMs: CONNECT_TIMEOUT_MS })
        : { timeout: CONNECT_TIMEOUT_MS },
      keepAliveTimeout: 30_000,
    });
    const leader: Leader = {
      address,
      pool,
      waiting: new Set(),
      batches: new WriteBatches({
        send: (requests) => this.#sendAll(leader, requests),
        notSent: () => ({ answered: false, reason: `${address} does not answer` }),
      }),
    };
    this.#leader = leader;
    return leader;
  }
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
  const reason = `${address}: ${errorText(error)}`;
  const reads = request.method === 'GET';
  if (!request.signal.aborted && !request.bodyStream && (reads || wasNotSent(error)))
    return { answered: false, reason };
  throw new AppError(
    'unavailable',
    `rpc error making call: the leader ${reason}; whether the write was done is not known: read before you repeat it`,
    { cause: error },
  );
}
