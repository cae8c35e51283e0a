import { Agent, type Dispatcher } from 'undici';
import { ERROR_CODE_HEADER } from '../../api/http/respond.ts';
import type { OwnedEvent, OwnerState } from '../../api/shapes/owned.ts';
import {
  type Deregistration,
  OWNER_HEADERS,
  type Registration,
  type WriterIdentity,
} from '../../api/shapes/registration.ts';
import { type BackoffOptions, backoffMs } from '../../core/backoff.ts';
import type { Clock } from '../../core/clock.ts';
import { AppError, ERROR_TABLE, type ErrorCode, errorRow } from '../../core/errors.ts';
import type { Random } from '../../core/random.ts';
import { readBounded } from '../bounded-body.ts';
import { withDeadline } from '../deadline.ts';
import { lines, parseLine } from '../ndjson/ndjson.ts';
import type { CatalogClient } from './catalog-client.ts';

export interface HttpCatalogClientOptions {
  /** Base addresses (`http://host:8500`); the next one is tried when one cannot be reached. At least one. */
  readonly addresses: readonly string[];
  /** X-Consul-Token; never logged. */
  readonly token?: string;
  /** PEM of the CA that signed the servers' certificates. */
  readonly ca?: string;
  /** Open connections for each address. @default 16 */
  readonly connections?: number;
  /** One attempt must be answered within this. @default 5,000 */
  readonly attemptMs?: number;
  /** Attempts of one call, the first included. @default 3 */
  readonly attempts?: number;
  /** A stream without any line for so long is dead. @default 30,000: three missed heartbeats */
  readonly streamIdleMs?: number;
  /** @default 1 MiB */
  readonly maxLineBytes?: number;
}

const RETRY: BackoffOptions = { baseMs: 50, maxMs: 1_000, jitter: 0.5 };
const MAX_ERROR_BYTES = 64 * 1024;

interface Request {
  readonly method: 'GET' | 'PUT';
  readonly path: string;
  readonly headers?: Record<string, string>;
  readonly body?: string;
}

/**
 * CatalogClient over the servers' public HTTP API. All its calls are idempotent, so a call without an answer is tried
 * again, on the next address; an answer that says no is final.
 */
export class HttpCatalogClient implements CatalogClient {
  readonly #clock: Clock;
  readonly #random: Pick<Random, 'next'>;
  readonly #options: Required<Omit<HttpCatalogClientOptions, 'token' | 'ca'>> & { token?: string };
  readonly #agent: Agent;
  /** Which address answered last. */
  #current = 0;

  constructor(deps: { clock: Clock; random: Pick<Random, 'next'> }, options: HttpCatalogClientOptions) {
    if (options.addresses.length === 0) throw new AppError('config', 'at least one HTTP address of a server is needed');
    this.#clock = deps.clock;
    this.#random = deps.random;
    this.#options = {
      connections: 16,
      attemptMs: 5_000,
      attempts: 3,
      streamIdleMs: 30_000,
      maxLineBytes: 2 ** 20,
      ...options,
      addresses: options.addresses.map(normaliseAddress),
    };
    this.#agent = new Agent({
      connections: this.#options.connections,
      pipelining: 1,
      allowH2: false,
      headersTimeout: 0, // every call has its own deadline
      bodyTimeout: 0,
      connect: { timeout: 5_000, ca: options.ca },
    });
  }

  async register(registration: Registration, writer: WriterIdentity): Promise<void> {
    const path = '/v1/catalog/register?replace-existing-checks';
    await this.#call({ method: 'PUT', path, headers: writerHeaders(writer), body: JSON.stringify(registration) });
  }

  async deregister(target: Deregistration, writer: WriterIdentity): Promise<void> {
    const path = '/v1/catalog/deregister';
    await this.#call({ method: 'PUT', path, headers: writerHeaders(writer), body: JSON.stringify(target) });
  }

  async ownerState(owner: string): Promise<OwnerState> {
    const text = await this.#call({ method: 'GET', path: ownerPath(owner) });
    const state = parseLine<OwnerState>(text, 'the server');
    if (!Number.isSafeInteger(state.Epoch)) throw new AppError('decode', 'the server sent an owner without an epoch');
    return state;
  }

  async claimEpoch(state: OwnerState): Promise<void> {
    await this.#call({ method: 'PUT', path: ownerPath(state.Owner), body: JSON.stringify(state) });
  }

  async *followOwned(owner: string, signal: AbortSignal): AsyncGenerator<OwnedEvent> {
    const what = 'the stream of owned entries';
    const address = this.#address();
    const path = `/v1/stream/owned?owner=${encodeURIComponent(owner)}`;
    const body = await this.#openStream(address, path, what, signal);
    let idle = false;
    const deadman = () =>
      this.#clock.after(this.#options.streamIdleMs, () => {
        idle = true;
        body.destroy();
      });
    let timer = deadman();
    const onAbort = () => body.destroy();
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      for await (const line of lines(body, { maxLineBytes: this.#options.maxLineBytes, what })) {
        timer.cancel();
        yield parseLine<OwnedEvent>(line, what);
        timer = deadman();
      }
    } catch (error) {
      if (signal.aborted) return;
      if (!idle) this.#failOver(address);
      if (error instanceof AppError) throw error;
      const text = idle ? `was silent for ${this.#options.streamIdleMs} ms, no heartbeat came` : 'broke';
      throw new AppError(idle ? 'deadline' : 'unavailable', `${what} ${text}`);
    } finally {
      timer.cancel();
      signal.removeEventListener('abort', onAbort);
      body.on('error', () => {}).destroy();
    }
  }

  /** Ends all connections. */
  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  async #call(request: Request): Promise<string> {
    for (let attempt = 0; ; attempt++) {
      const address = this.#address();
      try {
        return await this.#attempt(address, request);
      } catch (error) {
        const { code } = error as AppError;
        if (code === 'unavailable' || code === 'deadline') this.#failOver(address);
        if (!errorRow(error).retryable || code === 'conflict' || attempt + 1 >= this.#options.attempts) throw error;
      }
      await this.#clock.sleep(backoffMs(attempt, RETRY, this.#random));
    }
  }

  #attempt(address: string, request: Request): Promise<string> {
    const what = `the server ${address}`;
    return withDeadline(this.#clock, { what, ms: this.#options.attemptMs }, async (signal) => {
      const response = await this.#send(address, request, signal);
      const text = await readBounded(
        response.body,
        { maxBytes: this.#options.maxLineBytes, what },
        () => 'broke off its answer',
      );
      if (response.statusCode >= 300) throw answerError(response, text, what);
      return text;
    });
  }

  async #openStream(address: string, path: string, what: string, signal: AbortSignal) {
    try {
      return await withDeadline(this.#clock, { what, ms: this.#options.attemptMs, signal }, async (inner) => {
        const response = await this.#send(address, { method: 'GET', path }, inner);
        if (response.statusCode === 200) return response.body;
        throw answerError(
          response,
          await readBounded(response.body, { maxBytes: MAX_ERROR_BYTES, what }, () => 'broke off its answer'),
          what,
        );
      });
    } catch (error) {
      this.#failOver(address);
      throw error;
    }
  }

  async #send(address: string, request: Request, signal: AbortSignal): Promise<Dispatcher.ResponseData> {
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

function writerHeaders(writer: WriterIdentity): Record<string, string> {
  const headers: Record<string, string> = {
    [OWNER_HEADERS.owner]: writer.owner,
    [OWNER_HEADERS.epoch]: String(writer.epoch),
  };
  if (writer.ref !== undefined) headers[OWNER_HEADERS.ref] = writer.ref;
  if (writer.hash !== undefined) headers[OWNER_HEADERS.hash] = writer.hash;
  return headers;
}

function ownerPath(owner: string): string {
  return `/v1/owner/${owner.split('/').map(encodeURIComponent).join('/')}`;
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
