import { Agent, type Dispatcher } from 'undici';
import { ERROR_CODE_HEADER } from '../../api/http/respond.ts';
import { type BackoffOptions, backoffMs } from '../../core/backoff.ts';
import { readBounded } from '../../core/bounded-body.ts';
import type { Clock } from '../../core/clock.ts';
import { AppError, ERROR_TABLE, type ErrorCode, errorRow } from '../../core/errors.ts';
import type { Random } from '../../core/random.ts';
import { withDeadline } from '../deadline.ts';
import { Slots } from './slots.ts';

export interface ServerHttpOptions {
  /** Base addresses (`http://host:8500`); the next one is tried when one cannot be reached. At least one. */
  readonly addresses: readonly string[];
  /** X-Consul-Token; never logged. */
  readonly token?: string;
  /** PEM of the CA that signed the servers' certificates. */
  readonly ca?: string;
  /** Calls under way at the same time, a connection each; streams and what the server holds come on top. @default 16 */
  readonly connections?: number;
  /** One attempt must be answered within this, from its sending on. @default 5,000 */
  readonly attemptMs?: number;
  /** Attempts of one call, the first included. @default 3 */
  readonly attempts?: number;
}

const RETRY: BackoffOptions = { baseMs: 50, maxMs: 1_000, jitter: 0.5 };
const MAX_ERROR_BYTES = 64 * 1024;
const MAX_ANSWER_BYTES = 2 ** 20;

/** One request; it has to be one that may be sent twice. */
export interface ServerRequest {
  readonly method: 'GET' | 'PUT' | 'DELETE';
  readonly path: string;
  readonly headers?: Record<string, string>;
  readonly body?: string;
  /** Ends the call early. */
  readonly signal?: AbortSignal;
  /** Held for so long by the server before it answers: a blocking query. @default 0 */
  readonly heldMs?: number;
  /** @default 1 MiB */
  readonly maxBytes?: number;
}

export interface ServerAnswer {
  readonly text: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

/**
 * The servers' public HTTP API: several addresses, connections kept, a deadline for each attempt. A call without an
 * answer is tried again, on the next address; an answer that says no is final.
 */
export class ServerHttp {
  readonly #clock: Clock;
  readonly #random: Pick<Random, 'next'>;
  readonly #options: Required<Omit<ServerHttpOptions, 'token' | 'ca'>> & { token?: string };
  readonly #agent: Agent;
  readonly #slots: Slots;
  /** Which address answered last. */
  #current = 0;

  constructor(deps: { clock: Clock; random: Pick<Random, 'next'> }, options: ServerHttpOptions) {
    if (options.addresses.length === 0) throw new AppError('config', 'at least one HTTP address of a server is needed');
    this.#clock = deps.clock;
    this.#random = deps.random;
    this.#options = {
      connections: 16,
      attemptMs: 5_000,
      attempts: 3,
      ...options,
      addresses: options.addresses.map(normaliseAddress),
    };
    this.#slots = new Slots(this.#options.connections);
    this.#agent = new Agent({
      pipelining: 1,
      allowH2: false,
      headersTimeout: 0, // every call has its own deadline
      bodyTimeout: 0,
      connect: { timeout: 5_000, ca: options.ca },
    });
  }

  /** @throws AppError with the code that the server names, `unavailable` or `deadline` without an answer. */
  async call(request: ServerRequest): Promise<ServerAnswer> {
    for (let attempt = 0; ; attempt++) {
      let address = '';
      const send = () => {
        address = this.#address();
        return this.#attempt(address, request);
      };
      try {
        // The wait for a slot is no time of the server's: it would be left for being slow, as would the next one.
        return await (request.heldMs ? send() : this.#slots.run(send, request.signal));
      } catch (error) {
        if (request.signal?.aborted) throw error;
        const { code } = error as AppError;
        if (code === 'unavailable' || code === 'deadline') this.#failOver(address);
        if (!errorRow(error).retryable || code === 'conflict' || attempt + 1 >= this.#options.attempts) throw error;
      }
      await this.#clock.sleep(backoffMs(attempt, RETRY, this.#random), request.signal);
    }
  }

  /** A stream, tried once; `broken` is to be called when it does not end as it should. */
  async open(path: string, what: string, signal: AbortSignal): Promise<{ body: StreamBody; broken: () => void }> {
    const address = this.#address();
    const broken = () => this.#failOver(address);
    try {
      const ms = this.#options.attemptMs;
      const body = await withDeadline(this.#clock, { what, ms, signal }, async (inner) => {
        const response = await this.#send(address, { method: 'GET', path }, inner);
        if (response.statusCode === 200) return response.body;
        const limit = { maxBytes: MAX_ERROR_BYTES, what };
        throw answerError(response, await readBounded(response.body, limit, () => BROKE_OFF), what);
      });
      return { body, broken };
    } catch (error) {
      broken();
      throw error;
    }
  }

  /** Ends all connections. */
  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  #attempt(address: string, request: ServerRequest): Promise<ServerAnswer> {
    const what = `the server ${address}`;
    const { signal, heldMs = 0, maxBytes = MAX_ANSWER_BYTES } = request;
    return withDeadline(this.#clock, { what, ms: this.#options.attemptMs + heldMs, signal }, async (inner) => {
      const response = await this.#send(address, request, inner);
      const text = await readBounded(response.body, { maxBytes, what }, () => BROKE_OFF);
      if (response.statusCode >= 300) throw answerError(response, text, what);
      return { text, headers: response.headers };
    });
  }

  async #send(address: string, request: ServerRequest, signal: AbortSignal): Promise<Dispatcher.ResponseData> {
    const headers: Record<string, string> = { 'user-agent': 'lictor-operator', ...request.headers };
    if (request.body !== undefined) headers['content-type'] = 'application/json';
    if (this.#options.token) headers['x-consul-token'] = this.#options.token;
    try {
      const { origin, pathname } = new URL(address);
      const path = `${pathname.replace(/\/$/, '')}${request.path}`;
      return await this.#agent.request({ origin, path, method: request.method, headers, body: request.body, signal });
    } catch (error) {
      const { code } = error as { code?: unknown };
      const text = typeof code === 'string' ? code : 'the connection failed';
      throw new AppError('unavailable', `the server ${address} cannot be reached: ${text}`);
    }
  }

  #address(): string {
    return this.#options.addresses[this.#current % this.#options.addresses.length]!;
  }

  /** Moves on to the next address, unless another call did already. */
  #failOver(failed: string): void {
    if (this.#address() === failed) this.#current = (this.#current + 1) % this.#options.addresses.length;
  }
}

type StreamBody = Dispatcher.ResponseData['body'];

const BROKE_OFF = 'broke off its answer';

/** `host:port` means http, as with Consul's -http-addr. @throws AppError `config` naming the address. */
export function normaliseAddress(address: string): string {
  const text = address.includes('://') ? address : `http://${address}`;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || (url.protocol !== 'http:' && url.protocol !== 'https:') || url.hostname === '') {
    throw new AppError(
      'config',
      `"${address}" is no HTTP address; write host:port, http://host:port or https://host:port`,
    );
  }
  if (url.username || url.password)
    throw new AppError('config', 'an HTTP address must not hold a user name or password');
  return text.replace(/\/$/, '');
}

const BY_STATUS: Readonly<Record<number, ErrorCode>> = {
  400: 'badRequest',
  403: 'permissionDenied',
  404: 'notFound',
  409: 'conflict',
  413: 'tooLarge',
  429: 'rateLimited',
};

/** The servers name the code of the error table; a status alone comes from something in between. */
function answerError(response: Dispatcher.ResponseData, text: string, what: string): AppError {
  const named = response.headers[ERROR_CODE_HEADER];
  const known = typeof named === 'string' && Object.hasOwn(ERROR_TABLE, named);
  const code = known ? (named as ErrorCode) : (BY_STATUS[response.statusCode] ?? 'unavailable');
  return new AppError(code, `${what} answered ${response.statusCode}: ${text.slice(0, 300).trim()}`);
}
