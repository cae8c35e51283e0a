import type { IncomingHttpHeaders } from 'node:http';
import { Readable } from 'node:stream';
import { buildConnector, type Dispatcher, Pool } from 'undici';
import { type ClientTls, tlsConnector } from '../../api/http/client-tls.ts';
import { pathLeftToWait } from '../../api/http/forwarding.ts';
import { wasNotSent } from '../../api/http/not-sent.ts';
import { Backoff } from '../../core/backoff.ts';
import type { Clock } from '../../core/clock.ts';
import { AppError, ERROR_TABLE, type ErrorCode, errorText } from '../../core/errors.ts';
import type { Logger } from '../../core/log.ts';
import type { Metrics } from '../../core/metrics.ts';
import { type Random, shuffled } from '../../core/random.ts';
import { serverOrigin } from './server-address.ts';

export interface ServerPoolDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly random: Pick<Random, 'next'>;
  /** Called when a server answers for the first time. */
  readonly joined?: () => void;
}

export interface ServerPoolOptions {
  /** `host` or `host:port` of each server; may be none while `join` has named none. */
  readonly servers: readonly string[];
  /** Requests under way to one server at a time; blocking ones hold their place. */
  readonly connectionsPerServer?: number;
  /** Servers are spoken to by TLS with what this gives at the time; in the clear when absent. */
  readonly tls?: (() => ClientTls) | undefined;
}

export interface ServerRequest {
  readonly method: string;
  /** Path and query, encoded. */
  readonly path: string;
  readonly headers?: IncomingHttpHeaders | Record<string, string>;
  /** A stream can be sent once: no other server is tried after the first. */
  readonly body?: Buffer | string | Readable;
  /** Whether it may be done twice; what is no GET, unless this says so, is not sent again once it may have been done. */
  readonly repeatable?: boolean;
  /** The whole time until the headers of the answer, over all servers tried. */
  readonly deadlineMs: number;
  /** Longest silence within the body. */
  readonly bodyTimeoutMs?: number;
  readonly signal?: AbortSignal;
}

export type ServerResponse = Dispatcher.ResponseData;

interface Member {
  readonly origin: string;
  readonly pool: Pool;
  readonly backoff: Backoff;
  /** Not to be tried before, unless all others fail. */
  avoidUntilMs: number;
}

/** Consul's words. */
const NO_SERVERS = 'No known Consul servers';
const CONNECT_TIMEOUT_MS = 3000;
const JOIN_DEADLINE_MS = 5000;
const MAX_SERVERS = 64;
/** A failed server is left alone for this long, growing; others are tried meanwhile. */
const AVOID = { baseMs: 500, maxMs: 15_000, jitter: 0.5 };
/** Answers that say "not me, not now": another server may do better. By the status alone speaks what is in between. */
const TRY_ANOTHER = new Set([502, 503, 504]);
const TRY_ANOTHER_CODES = new Set(['unavailable', 'deadline', 'outcomeUnknown']);

/** Refusals that say that nothing was done. Who knows no leader may be cut off from etcd alone. */
const NOTHING_DONE = new Set(['noLeader', 'notSynced', 'queueFull', 'shuttingDown']);

function mayBeAnsweredElsewhere({ statusCode, headers }: ServerResponse, request: ServerRequest): boolean {
  const code = headers['x-lictor-error'];
  if (typeof code === 'string' && NOTHING_DONE.has(code)) return true;
  const mayDoBetter = TRY_ANOTHER.has(statusCode) || (typeof code === 'string' && TRY_ANOTHER_CODES.has(code));
  return mayDoBetter && mayBeRepeated(request);
}

function mayBeRepeated({ method, repeatable }: ServerRequest): boolean {
  return repeatable ?? method === 'GET';
}

function unknown(failures: readonly string[], late: boolean): AppError {
  const text = `${failures.join('; ')}; whether the write was done is not known: read before you repeat it`;
  return new AppError(late ? 'deadline' : 'unavailable', text);
}

function bodyOf(body: ServerRequest['body']): Buffer | string | Readable | null {
  if (body === undefined || body instanceof Readable) return body ?? null;
  return body.length === 0 ? null : body;
}

/**
 * Keep-alive connections to the servers. A request goes to the server that answered last; when that fails before its
 * answer has begun, to the next, until its deadline. Which server is tried first is random for each agent.
 */
export class ServerPool {
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #joined: (() => void) | undefined;
  readonly #members: Member[];
  readonly #newMember: (origin: string) => Member;
  readonly #originOf: (target: string) => string;
  readonly #requests;
  /** undefined while there is none. */
  #preferred: Member | undefined;
  #lastContactMs: number | undefined;

  /** @throws AppError `config` for a bad address. */
  constructor(deps: ServerPoolDeps, options: ServerPoolOptions) {
    this.#clock = deps.clock;
    this.#log = deps.log;
    this.#joined = deps.joined;
    const { tls } = options;
    this.#originOf = (target) => serverOrigin(target, tls ? 'https' : 'http');
    const origins = [...new Set(options.servers.map(this.#originOf))];
    const connect = tls
      ? tlsConnector(buildConnector, tls, { timeoutMs: CONNECT_TIMEOUT_MS })
      : { timeout: CONNECT_TIMEOUT_MS };
    this.#newMember = (origin) => ({
      origin,
      pool: new Pool(origin, {
        connections: options.connectionsPerServer ?? 256,
        pipelining: 1,
        connect,
        keepAliveTimeout: 30_000,
      }),
      backoff: new Backoff(deps, AVOID),
      avoidUntilMs: 0,
    });
    this.#members = shuffled(origins, deps.random).map(this.#newMember);
    this.#preferred = this.#members[0];
    this.#requests = deps.metrics.counter({
      name: 'lictor_agent_server_requests_total',
      help: 'Requests of the agent to servers, by result',
      labels: ['result'],
    });
  }

  /** When a server last answered, on the monotonic clock; undefined before the first time. */
  lastContactMs(): number | undefined {
    return this.#lastContactMs;
  }

  /**
   * Sends a request. The caller must read or destroy the body of the answer.
   * @throws AppError `noLeader` with the fact `servers: 0` when none is known, `unavailable` when no server answered, `deadline`, `shuttingDown` when the signal aborted.
   */
  async request(request: ServerRequest): Promise<ServerResponse> {
    if (this.#members.length === 0) throw new AppError('noLeader', NO_SERVERS, { facts: { servers: 0 } });
    const came = this.#clock.monotonic();
    const end = came + request.deadlineMs;
    const failures: string[] = [];
    for (const member of this.#order()) {
      const leftMs = end - this.#clock.monotonic();
      if (leftMs <= 0) break;
      try {
        const path = pathLeftToWait(request.path, this.#clock.monotonic() - came);
        const response = await this.#send(member, { ...request, path }, leftMs);
        if (
          request.body instanceof Readable ||
          !mayBeAnsweredElsewhere(response, request) ||
          failures.length === this.#members.length - 1
        ) {
          this.#answered(member);
          return response;
        }
        await response.body.dump({ limit: 65_536 }).catch(() => {});
        this.#failed(member);
        failures.push(`${member.origin}: status ${response.statusCode}`);
      } catch (error) {
        if (request.signal?.aborted) throw new AppError('shuttingDown', 'the request was given up', { cause: error });
        this.#failed(member);
        failures.push(`${member.origin}: ${errorText(error)}`);
        if (!mayBeRepeated(request) && !wasNotSent(error)) {
          this.#requests.add(1, { result: 'failed' });
          throw unknown(failures, this.#clock.monotonic() >= end);
        }
      }
      if (request.body instanceof Readable) break;
    }
    this.#requests.add(1, { result: 'failed' });
    const late = this.#clock.monotonic() >= end;
    throw new AppError(late ? 'deadline' : 'unavailable', `${NO_SERVERS} (${failures.join('; ')})`);
  }

  /**
   * Adds a server that answers now; one that is known stays.
   * @throws AppError `config` for a bad address, `unavailable` when nobody answers, `queueFull` beyond the limit.
   */
  async join(target: string): Promise<void> {
    const origin = this.#originOf(target);
    const known = this.#members.some((member) => member.origin === origin);
    if (!known && this.#members.length >= MAX_SERVERS) {
      throw new AppError('queueFull', `Failed to join ${target}: ${MAX_SERVERS} servers are known already`);
    }
    const member = this.#newMember(origin);
    try {
      const request = { method: 'GET', path: '/v1/status/leader', deadlineMs: JOIN_DEADLINE_MS };
      const response = await this.#send(member, request, request.deadlineMs);
      const text = await readText(response, 1024);
      if (response.statusCode !== 200) throw new Error(`status ${response.statusCode}: ${text}`);
    } catch (error) {
      await member.pool.destroy();
      throw new AppError('noLeader', `1 error occurred:\n\t* Failed to join ${target}: ${errorText(error)}\n\n`);
    }
    // Another call may have added it meanwhile.
    if (this.#members.some((one) => one.origin === origin)) await member.pool.destroy();
    else this.#members.push(member);
    this.#preferred ??= this.#members[0];
  }

  async close(): Promise<void> {
    await Promise.all(this.#members.map(({ pool }) => pool.destroy()));
  }

  async #send(member: Member, request: ServerRequest, leftMs: number): Promise<ServerResponse> {
    const abort = new AbortController();
    const onAbort = () => abort.abort();
    request.signal?.addEventListener('abort', onAbort, { once: true });
    if (request.signal?.aborted) onAbort();
    const timer = this.#clock.after(leftMs, () => abort.abort(new AppError('deadline', 'no answer in time')));
    try {
      const response = await member.pool.request({
        method: request.method as Dispatcher.HttpMethod,
        path: request.path,
        headers: request.headers as Record<string, string>,
        body: bodyOf(request.body),
        headersTimeout: 0,
        bodyTimeout: request.bodyTimeoutMs ?? 10_000,
        signal: abort.signal,
      });
      response.body.on('error', () => {});
      // The caller's abort also ends the body; the timer was for the headers.
      response.body.once('close', () => request.signal?.removeEventListener('abort', onAbort));
      return response;
    } catch (error) {
      request.signal?.removeEventListener('abort', onAbort);
      throw error;
    } finally {
      timer.cancel();
    }
  }

  #order(): Member[] {
    const now = this.#clock.monotonic();
    const rest = this.#members.filter((member) => member !== this.#preferred);
    const all = this.#preferred ? [this.#preferred, ...rest] : rest;
    return [...all.filter((one) => one.avoidUntilMs <= now), ...all.filter((one) => one.avoidUntilMs > now)];
  }

  #answered(member: Member): void {
    this.#requests.add(1, { result: 'ok' });
    const first = this.#lastContactMs === undefined;
    this.#lastContactMs = this.#clock.monotonic();
    if (first) this.#joined?.();
    if (member !== this.#preferred) this.#log.info('requests go to another server', { server: member.origin });
    this.#preferred = member;
    member.backoff.reset();
    member.avoidUntilMs = 0;
  }

  #failed(member: Member): void {
    member.avoidUntilMs = this.#clock.monotonic() + member.backoff.next();
  }
}

/** The AppError that a refusing answer stands for: by its x-lictor-error header, else by its status. */
export async function errorOf(response: ServerResponse): Promise<AppError> {
  const text = (await readText(response, 64 * 1024)) || `status ${response.statusCode}`;
  const header = response.headers['x-lictor-error'];
  if (typeof header === 'string' && header in ERROR_TABLE) return new AppError(header as ErrorCode, text);
  if (response.statusCode === 429) return new AppError('rateLimited', text);
  if (response.statusCode >= 500) return new AppError('unavailable', text);
  return new AppError(response.statusCode === 404 ? 'notFound' : 'badRequest', text);
}

/** The body as text. @throws AppError `tooLarge` beyond `maxBytes`, `unavailable` when it breaks off. */
export async function readText(response: ServerResponse, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of response.body as AsyncIterable<Buffer>) {
      length += chunk.length;
      if (length > maxBytes) throw new AppError('tooLarge', `an answer of a server exceeds ${maxBytes} bytes`);
      chunks.push(chunk);
    }
  } catch (error) {
    if (error instanceof AppError) throw error;
    throw new AppError('unavailable', `an answer of a server broke off: ${errorText(error)}`, { cause: error });
  }
  return Buffer.concat(chunks).toString('utf8');
}
