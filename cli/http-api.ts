import type { Readable } from 'node:stream';
import { Agent } from 'undici';
import { AppError, type ErrorCode } from '../core/errors.ts';
import type { ApiOptions } from './api-options.ts';
import { connectionAdvice } from './connection-advice.ts';

export type Query = Readonly<Record<string, string | readonly string[] | undefined>>;

/** A request; at most one of `json` and `body`. */
export interface ApiRequest {
  readonly query?: Query;
  readonly json?: unknown;
  /** Raw bytes, or a stream that is sent as it comes. */
  readonly body?: string | Uint8Array | Readable;
  readonly headers?: Readonly<Record<string, string>>;
  /** Until the answer is whole (until its headers, for `stream`); default 30 s. */
  readonly timeoutMs?: number;
  /**
   * Statuses from 300 on that the caller handles itself; others throw. A 404 to a read of keys counts only from an agent: what
   * lies between does not know whether there is a key.
   */
  readonly accept?: readonly number[];
}

/** An answer with its body read. */
export interface ApiAnswer {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** X-Consul-Index; undefined when absent. */
  readonly index: string | undefined;
  readonly bytes: Buffer;
  text(): string;
  /** @throws AppError `unavailable` when it is no JSON. */
  json<T>(): T;
}

/** An answer whose body still comes. */
export interface ApiStream {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Readable;
}

type Method = 'GET' | 'PUT' | 'POST' | 'DELETE';

/**
 * A caller of the HTTP API. Failures are AppErrors whose text names the address and what to do; those of the server have
 * its status in `facts.status` and its text in `facts.body`.
 */
export class HttpApi {
  readonly #options: ApiOptions;
  readonly #agent: Agent;
  readonly #signal: AbortSignal | undefined;

  constructor(options: ApiOptions, signal?: AbortSignal) {
    this.#options = options;
    this.#signal = signal;
    const { address, ca, clientCert, clientKey, tlsServerName, verify } = options;
    this.#agent = new Agent({
      // Deadlines are those of each request: a blocking query may be silent for minutes.
      headersTimeout: 0,
      bodyTimeout: 0,
      connect: {
        timeout: 10_000,
        rejectUnauthorized: verify,
        ...(address.startsWith('unix://') ? { socketPath: address.slice('unix://'.length) } : {}),
        ...(ca ? { ca: [...ca] } : {}),
        ...(clientCert ? { cert: clientCert, key: clientKey } : {}),
        ...(tlsServerName ? { servername: tlsServerName } : {}),
      },
    });
  }

  /** Where it calls, for messages. */
  get address(): string {
    return this.#options.address;
  }

  /** The decoded JSON of a GET. @throws AppError `unavailable`, or with the server's text. */
  async get<T>(path: string, query: Query = {}): Promise<T> {
    return (await this.send('GET', path, { query })).json<T>();
  }

  /** The decoded JSON of a PUT; undefined for an empty body. */
  async put<T>(path: string, given: ApiRequest = {}): Promise<T> {
    return decoded<T>(await this.send('PUT', path, given));
  }

  async post<T>(path: string, given: ApiRequest = {}): Promise<T> {
    return decoded<T>(await this.send('POST', path, given));
  }

  async delete<T>(path: string, given: ApiRequest = {}): Promise<T> {
    return decoded<T>(await this.send('DELETE', path, given));
  }

  /**
   * A blocking query: returns when the index has passed `index`, or after `waitMs`. Start with index "0"; hand the given
   * one back, unless it fell: then start again at "0".
   */
  async blocking<T>(
    path: string,
    query: Query,
    at: { index: string; waitMs?: number },
  ): Promise<{ index: string; value: T }> {
    const waitMs = at.waitMs ?? 300_000;
    const waiting = at.index === '0' ? {} : { index: at.index, wait: `${waitMs}ms` };
    const answer = await this.send('GET', path, {
      query: { ...query, ...waiting },
      // Servers add up to a sixteenth.
      timeoutMs: 30_000 + (at.index === '0' ? 0 : waitMs * 1.0625),
    });
    const index = answer.index ?? '0';
    return { index: Number(index) < Number(at.index) ? '0' : index, value: answer.json<T>() };
  }

  /** Any request, its answer read whole. */
  async send(method: Method, path: string, given: ApiRequest = {}): Promise<ApiAnswer> {
    const deadline = AbortSignal.timeout(Math.ceil(given.timeoutMs ?? this.#options.timeoutMs));
    const answer = await this.#call(method, path, given, deadline);
    let bytes: Buffer;
    try {
      bytes = Buffer.from(await answer.body.arrayBuffer());
    } catch (cause) {
      throw this.#unreachable(cause, deadline);
    }
    if (answer.statusCode >= 300 && !given.accept?.includes(answer.statusCode)) {
      throw this.#refused(answer, path, bytes.toString());
    }
    const text = () => bytes.toString();
    const index = answer.headers['x-consul-index'];
    if (answer.statusCode === 404 && method === 'GET' && path.startsWith('/v1/kv/') && index === undefined) {
      throw this.#noAgent(path);
    }
    return {
      status: answer.statusCode,
      headers: answer.headers,
      index: typeof index === 'string' ? index : undefined,
      bytes,
      text,
      json: <T>() => parse<T>(text(), this.#options.address, path),
    };
  }

  /** Any request, its answer as a stream that the command's signal ends; the caller reads it to its end or destroys it. */
  async stream(method: Method, path: string, given: ApiRequest = {}): Promise<ApiStream> {
    const deadline = new AbortController();
    const timer = AbortSignal.timeout(Math.ceil(given.timeoutMs ?? this.#options.timeoutMs));
    const expire = () => deadline.abort(timer.reason);
    timer.addEventListener('abort', expire);
    const answer = await this.#call(method, path, given, deadline.signal);
    timer.removeEventListener('abort', expire);
    if (answer.statusCode >= 300 && !given.accept?.includes(answer.statusCode)) {
      throw this.#refused(answer, path, await answer.body.text());
    }
    return { status: answer.statusCode, headers: answer.headers, body: answer.body };
  }

  close(): Promise<void> {
    // Not `close`: a stream that nobody read to its end would hold the process.
    return this.#agent.destroy();
  }

  async #call(method: Method, path: string, given: ApiRequest, deadline: AbortSignal) {
    const { token, auth } = this.#options;
    try {
      return await this.#agent.request({
        origin: this.#base.origin,
        path: this.#target(path, given.query),
        method,
        headers: {
          ...(token ? { 'x-consul-token': token } : {}),
          ...(auth ? { authorization: `Basic ${Buffer.from(auth).toString('base64')}` } : {}),
          ...(given.json === undefined ? {} : { 'content-type': 'application/json' }),
          ...given.headers,
        },
        body: given.json === undefined ? given.body : JSON.stringify(given.json),
        signal: this.#signal ? AbortSignal.any([this.#signal, deadline]) : deadline,
      });
    } catch (cause) {
      throw this.#unreachable(cause, deadline);
    }
  }

  get #base(): URL {
    const { address } = this.#options;
    return new URL(address.startsWith('unix://') ? 'http://localhost' : address);
  }

  /** Put together as text: a URL would resolve a `..` in a name, and the request would be about something else. */
  #target(path: string, query: Query = {}): string {
    const { namespace, datacenter, stale } = this.#options;
    const all: Query = { ns: namespace, dc: datacenter, stale: stale ? '' : undefined, ...query };
    const search = new URLSearchParams();
    for (const [key, value] of Object.entries(all)) {
      for (const one of typeof value === 'string' ? [value] : (value ?? [])) search.append(key, one);
    }
    const whole = `${this.#base.pathname.replace(/\/$/, '')}${path}`;
    return search.size === 0 ? whole : `${whole}?${search}`;
  }

  #unreachable(cause: unknown, deadline: AbortSignal): AppError {
    const { address } = this.#options;
    if (this.#signal?.aborted) return new AppError('unavailable', 'interrupted', { cause });
    if (deadline.aborted) return new AppError('deadline', `${address} gave no answer in time`, { cause });
    const { reason, advice } = connectionAdvice(cause, this.#options);
    return new AppError('unavailable', `no answer from ${address} (${reason}); ${advice}`, { cause });
  }

  #noAgent(path: string): AppError {
    return new AppError(
      'unavailable',
      `${this.#options.address} answered 404 to ${path} without X-Consul-Index: that is not from an agent; correct ` +
        '-http-addr, or what lies between',
    );
  }

  #refused({ statusCode: status, headers }: Head, path: string, body: string): AppError {
    const moved = status < 400 && typeof headers.location === 'string';
    // Redirects are not followed: whoever names a thing shall not change another one, nor send a token elsewhere.
    const said = moved ? `it is at ${headers.location}; ask for that, or correct -http-addr` : body.trim();
    const text = `${this.#options.address} answered ${status} to ${path}: ${said}`;
    return new AppError(codeOf(status), text, { facts: { status, body: body.trim() } });
  }
}

interface Head {
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

const CODES: Readonly<Record<number, ErrorCode>> = {
  403: 'permissionDenied',
  404: 'notFound',
  408: 'deadline',
  429: 'rateLimited',
};

function codeOf(status: number): ErrorCode {
  return CODES[status] ?? (status >= 500 ? 'unavailable' : 'badRequest');
}

function decoded<T>(answer: ApiAnswer): T {
  return answer.bytes.length === 0 ? (undefined as T) : answer.json<T>();
}

function parse<T>(text: string, address: string, path: string): T {
  try {
    return JSON.parse(text) as T;
  } catch (cause) {
    const start = JSON.stringify(text.slice(0, 80));
    throw new AppError('unavailable', `${address} answered ${path} with what is no JSON: ${start}`, { cause });
  }
}
