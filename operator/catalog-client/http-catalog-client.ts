import { writerHeaders } from '../../api/routes/writer-headers.ts';
import type { OwnedEvent, OwnerState } from '../../api/shapes/owned.ts';
import type { Deregistration, Registration, WriterIdentity } from '../../api/shapes/registration.ts';
import type { Clock } from '../../core/clock.ts';
import { AppError } from '../../core/errors.ts';
import { lines, parseLine } from '../ndjson/ndjson.ts';
import type { CatalogClient } from './catalog-client.ts';
import type { ServerHttp } from './server-http.ts';

export interface HttpCatalogClientOptions {
  /** A stream without any line for so long is dead. @default 30,000: three missed heartbeats */
  readonly streamIdleMs?: number;
  /** @default 1 MiB */
  readonly maxLineBytes?: number;
}

/** CatalogClient over the servers' public HTTP API. All its calls are idempotent. */
export class HttpCatalogClient implements CatalogClient {
  readonly #clock: Clock;
  readonly #http: ServerHttp;
  readonly #options: Required<HttpCatalogClientOptions>;

  constructor(deps: { clock: Clock; http: ServerHttp }, options: HttpCatalogClientOptions = {}) {
    this.#clock = deps.clock;
    this.#http = deps.http;
    this.#options = { streamIdleMs: 30_000, maxLineBytes: 2 ** 20, ...options };
  }

  async register(registration: Registration, writer: WriterIdentity, signal?: AbortSignal): Promise<void> {
    const path = '/v1/catalog/register?replace-existing-checks';
    const body = JSON.stringify(registration);
    await this.#http.call({ method: 'PUT', path, headers: writerHeaders(writer), body, signal });
  }

  async deregister(target: Deregistration, writer: WriterIdentity, signal?: AbortSignal): Promise<void> {
    const path = '/v1/catalog/deregister';
    const body = JSON.stringify(target);
    await this.#http.call({ method: 'PUT', path, headers: writerHeaders(writer), body, signal });
  }

  async ownerState(owner: string, signal?: AbortSignal): Promise<OwnerState> {
    const { text } = await this.#http.call({ method: 'GET', path: ownerPath(owner), signal });
    const state = parseLine<OwnerState>(text, 'the server');
    if (!Number.isSafeInteger(state.Epoch)) throw new AppError('decode', 'the server sent an owner without an epoch');
    return state;
  }

  async claimEpoch(state: OwnerState): Promise<void> {
    await this.#http.call({ method: 'PUT', path: ownerPath(state.Owner), body: JSON.stringify(state) });
  }

  async *followOwned(owner: string, signal: AbortSignal): AsyncGenerator<OwnedEvent> {
    const what = 'the stream of owned entries';
    const path = `/v1/stream/owned?owner=${encodeURIComponent(owner)}`;
    const { body, broken } = await this.#http.open(path, what, signal);
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
      if (!idle) broken();
      if (error instanceof AppError) throw error;
      const text = idle ? `was silent for ${this.#options.streamIdleMs} ms, no heartbeat came` : 'broke';
      throw new AppError(idle ? 'deadline' : 'unavailable', `${what} ${text}`);
    } finally {
      timer.cancel();
      signal.removeEventListener('abort', onAbort);
      body.on('error', () => {}).destroy();
    }
  }
}

function ownerPath(owner: string): string {
  return `/v1/owner/${owner.split('/').map(encodeURIComponent).join('/')}`;
}
