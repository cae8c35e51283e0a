import type { X509Certificate } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { Readable } from 'node:stream';
import { TLSSocket } from 'node:tls';
import type { HeldRead } from './held-reads.ts';
import { applyPolicy, type HttpPolicy } from './http-policy.ts';
import type { RouteRequest, RouteResponse } from './route.ts';

const NO_BODY = Buffer.alloc(0);

/** Aborts with the first of: the server stops, the response is closed before it was finished. */
function abortSignalOf(response: ServerResponse, stopping: AbortSignal): AbortSignal {
  const controller = new AbortController();
  const abort = () => controller.abort();
  if (stopping.aborted || response.destroyed) {
    abort();
    return controller.signal;
  }
  stopping.addEventListener('abort', abort, { once: true });
  response.once('close', () => {
    stopping.removeEventListener('abort', abort);
    if (!response.writableFinished) abort();
  });
  return controller.signal;
}

/** A RouteRequest over Node's message. Query, path and signal are made only when asked for: most requests need one. */
export class HttpRouteRequest implements RouteRequest {
  readonly method: string;
  readonly params: Readonly<Record<string, string>>;
  readonly headers: RouteRequest['headers'];
  readonly body: Buffer;
  readonly bodyStream?: Readable;
  readonly remoteAddress: string;
  readonly #socket: Socket;
  readonly #url: string;
  readonly #queryAt: number;
  readonly #response: ServerResponse;
  readonly #stopping: AbortSignal;
  readonly #policy: HttpPolicy;
  readonly #hold: RouteRequest['hold'];
  #query: URLSearchParams | undefined;
  #signal: AbortSignal | undefined;

  constructor(
    from: {
      raw: IncomingMessage;
      response: ServerResponse;
      stopping: AbortSignal;
      policy: HttpPolicy;
      hold: RouteRequest['hold'];
    },
    parts: { params: Record<string, string>; body: unknown },
  ) {
    this.method = from.raw.method ?? 'GET';
    this.params = parts.params;
    this.headers = from.raw.headers;
    this.body = Buffer.isBuffer(parts.body) ? parts.body : NO_BODY;
    if (parts.body instanceof Readable) this.bodyStream = parts.body;
    this.remoteAddress = from.raw.socket.remoteAddress ?? '';
    this.#socket = from.raw.socket;
    this.#url = from.raw.url ?? '/';
    this.#queryAt = this.#url.indexOf('?');
    this.#response = from.response;
    this.#stopping = from.stopping;
    this.#policy = from.policy;
    this.#hold = from.hold;
  }

  get path(): string {
    return decodedPath(this.#url) ?? this.#url;
  }

  get query(): URLSearchParams {
    if (!this.#query) {
      this.#query = new URLSearchParams(this.#queryAt < 0 ? '' : this.#url.slice(this.#queryAt + 1));
      applyPolicy(this.#policy, this.#url, this.#query);
    }
    return this.#query;
  }

  hold(read: HeldRead): Promise<RouteResponse> {
    return this.#hold(read);
  }

  get clientCertificate(): X509Certificate | undefined {
    const socket = this.#socket;
    return socket instanceof TLSSocket && socket.authorized ? socket.getPeerX509Certificate() : undefined;
  }

  get signal(): AbortSignal {
    this.#signal ??= abortSignalOf(this.#response, this.#stopping);
    return this.#signal;
  }
}

/** The decoded path of a request URL without its query; undefined when its percent encoding is broken. */
export function decodedPath(url: string): string | undefined {
  const end = url.indexOf('?');
  const raw = end < 0 ? url : url.slice(0, end);
  if (!raw.includes('%')) return raw;
  try {
    return decodeURIComponent(raw);
  } catch {
    return undefined;
  }
}

/**
 * Whether the path holds a character without a printed form (control, format, separator other than the space, surrogate,
 * unassigned, private use), which Consul answers with 400 (its option disable_http_unprintable_char_filter).
 */
export function isPrintablePath(url: string): boolean {
  const path = decodedPath(url);
  if (path === undefined) return false;
  return /^[\x20-\x7e]*$/.test(path) || !/[\p{C}\p{Zl}\p{Zp}]|(?! )\p{Zs}/u.test(path);
}
