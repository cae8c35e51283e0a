import { createSecureContext } from 'node:tls';
import { Agent, type Dispatcher } from 'undici';
import { readBounded } from '../../core/bounded-body.ts';
import type { Clock } from '../../core/clock.ts';
import { AppError, type ErrorCode } from '../../core/errors.ts';
import type { Random } from '../../core/random.ts';
import { untilAborted, withDeadline } from '../deadline.ts';
import { lines, parseLine } from '../ndjson/ndjson.ts';
import type {
  KubeApi,
  KubeEvent,
  KubeObject,
  Lease,
  ListPage,
  ObjectRef,
  ResourceKind,
  WatchEvent,
} from './kube-api.ts';
import { collectionPath } from './kube-api.ts';
import type { KubeAuth, KubeCredentials } from './kube-auth.ts';
import { EVENTS, LEASES } from './resources.ts';

/** Limits of the HTTP client; all have defaults. */
export interface HttpKubeApiOptions {
  /** A list page or a write must be answered within this. @default 30,000 and 10,000 */
  readonly listMs?: number;
  readonly writeMs?: number;
  /** Connections for lists and writes; watches have their own. @default 16 */
  readonly connections?: number;
  /** Longest accepted watch line and answer. @default 8 MiB and 128 MiB (etcd keeps objects below 1.5 MiB) */
  readonly maxLineBytes?: number;
  readonly maxBodyBytes?: number;
}

interface Request {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH';
  readonly path: string;
  readonly contentType?: string;
  readonly body?: object;
  readonly ms: number;
  readonly signal?: AbortSignal;
}

interface Links {
  readonly key: string;
  readonly calls: Agent;
  readonly watches: Agent;
}

/** KubeApi over HTTP/1.1 with its own connections, deadlines and limits. */
export class HttpKubeApi implements KubeApi {
  readonly #auth: KubeAuth;
  readonly #clock: Clock;
  readonly #random: Pick<Random, 'next'>;
  readonly #options: Required<HttpKubeApiOptions>;
  #links: Links | undefined;

  constructor(deps: { auth: KubeAuth; clock: Clock; random: Pick<Random, 'next'> }, options: HttpKubeApiOptions = {}) {
    this.#auth = deps.auth;
    this.#clock = deps.clock;
    this.#random = deps.random;
    this.#options = {
      listMs: options.listMs ?? 30_000,
      writeMs: options.writeMs ?? 10_000,
      connections: options.connections ?? 16,
      maxLineBytes: options.maxLineBytes ?? 8 * 2 ** 20,
      maxBodyBytes: options.maxBodyBytes ?? 128 * 2 ** 20,
    };
  }

  async list(
    resource: ResourceKind,
    options: { namespace?: string; limit: number; continueToken?: string },
    signal: AbortSignal,
  ): Promise<ListPage> {
    const query = new URLSearchParams();
    if (options.limit > 0) query.set('limit', String(options.limit));
    if (options.continueToken) query.set('continue', options.continueToken);
    const path = `${collectionPath(resource, options.namespace)}?${query}`;
    const page = await this.#json<{
      items?: KubeObject[];
      metadata?: { resourceVersion?: string; continue?: string };
    }>({ method: 'GET', path, ms: this.#options.listMs, signal });
    if (!Array.isArray(page.items) || typeof page.metadata?.resourceVersion !== 'string') {
      throw new AppError('decode', `the list of ${resource.plural} has no items or no resourceVersion`);
    }
    return {
      items: page.items,
      resourceVersion: page.metadata.resourceVersion,
      ...(page.metadata.continue ? { continueToken: page.metadata.continue } : {}),
    };
  }

  async *watch(
    resource: ResourceKind,
    options: { namespace?: string; resourceVersion: string; idleMs: number },
    signal: AbortSignal,
  ): AsyncGenerator<WatchEvent> {
    const query = new URLSearchParams({
      watch: '1',
      allowWatchBookmarks: 'true',
      resourceVersion: options.resourceVersion,
      // 5 to 10 minutes, so that many watches do not end together.
      timeoutSeconds: String(300 + Math.floor(this.#random.next() * 300)),
    });
    const what = `the watch of ${resource.plural}`;
    const path = `${collectionPath(resource, options.namespace)}?${query}`;
    const body = await this.#open(path, what, signal);
    let idle = false;
    const deadman = () =>
      this.#clock.after(options.idleMs, () => {
        idle = true;
        body.destroy();
      });
    let timer = deadman();
    const onAbort = () => body.destroy();
    signal.addEventListener('abort', onAbort, { once: true });
    const alive = () => {
      timer.cancel();
      timer = deadman();
    };
    const silent = () =>
      new AppError('deadline', `${what} was silent for ${options.idleMs} ms, not even a bookmark came`, {
        facts: { silentMs: options.idleMs },
      });
    try {
      for await (const line of lines(eachChunk(body, alive), { maxLineBytes: this.#options.maxLineBytes, what })) {
        yield watchEvent(parseLine(line, what), what);
      }
      if (idle) throw silent();
    } catch (error) {
      if (signal.aborted) return;
      if (idle) throw silent();
      throw error instanceof AppError ? error : new AppError('unavailable', `${what} broke: ${networkText(error)}`);
    } finally {
      timer.cancel();
      signal.removeEventListener('abort', onAbort);
      body.on('error', () => {}).destroy();
    }
  }

  async readObject(resource: ResourceKind, target: ObjectRef, signal?: AbortSignal): Promise<KubeObject | undefined> {
    const query = new URLSearchParams({ fieldSelector: `metadata.name=${target.name}` });
    const path = `${collectionPath(resource, target.namespace)}?${query}`;
    const { items } = await this.#json<{ items?: KubeObject[] }>({
      method: 'GET',
      path,
      ms: this.#options.writeMs,
      signal,
    });
    if (!Array.isArray(items)) throw new AppError('decode', `the list of ${resource.plural} has no items`);
    // A server that passes over the selector gives others, too.
    return items.find(({ metadata }) => metadata.name === target.name);
  }

  patchStatus(
    resource: ResourceKind,
    target: ObjectRef & { resourceVersion: string },
    status: object,
    signal?: AbortSignal,
  ): Promise<KubeObject> {
    return this.#json({
      method: 'PATCH',
      path: `${objectPath(resource, target)}/status?fieldManager=lictor-operator`,
      contentType: 'application/merge-patch+json',
      body: { metadata: { resourceVersion: target.resourceVersion }, status },
      ms: this.#options.writeMs,
      signal,
    });
  }

  async createEvent(event: KubeEvent, signal?: AbortSignal): Promise<void> {
    await this.#json({
      method: 'POST',
      path: collectionPath(EVENTS, event.metadata.namespace),
      body: event,
      ms: this.#options.writeMs,
      signal,
    });
  }

  async patchEvent(
    target: ObjectRef,
    change: { count: number; lastTimestamp: string },
    signal?: AbortSignal,
  ): Promise<void> {
    await this.#json({
      method: 'PATCH',
      path: objectPath(EVENTS, target),
      contentType: 'application/merge-patch+json',
      body: change,
      ms: this.#options.writeMs,
      signal,
    });
  }

  async getLease(target: ObjectRef, signal?: AbortSignal): Promise<Lease | undefined> {
    try {
      return await this.#json<Lease>({
        method: 'GET',
        path: objectPath(LEASES, target),
        ms: this.#options.writeMs,
        signal,
      });
    } catch (error) {
      if (error instanceof AppError && error.code === 'notFound') return undefined;
      throw error;
    }
  }

  createLease(lease: Lease, signal?: AbortSignal): Promise<Lease> {
    const path = collectionPath(LEASES, lease.metadata.namespace);
    return this.#json({ method: 'POST', path, body: lease, ms: this.#options.writeMs, signal });
  }

  updateLease(lease: Lease, signal?: AbortSignal): Promise<Lease> {
    const path = objectPath(LEASES, { namespace: lease.metadata.namespace ?? '', name: lease.metadata.name });
    return this.#json({ method: 'PUT', path, body: lease, ms: this.#options.writeMs, signal });
  }

  /**
   * The UID of the namespace kube-system, which stands for the cluster.
   * @throws AppError `permissionDenied` naming the right that is missing.
   */
  async clusterId(signal?: AbortSignal): Promise<string> {
    const path = '/api/v1/namespaces/kube-system';
    const namespace = await this.#json<KubeObject>({ method: 'GET', path, ms: this.#options.writeMs, signal });
    return namespace.metadata.uid ?? '';
  }

  /** Ends all connections. */
  async close(): Promise<void> {
    const links = this.#links;
    this.#links = undefined;
    await Promise.all([links?.calls.destroy(), links?.watches.destroy()]);
  }

  async #json<T>(request: Request): Promise<T> {
    const what = `the API server (${request.method} ${request.path.split('?')[0]})`;
    return await withDeadline(this.#clock, { what, ms: request.ms, signal: request.signal }, async (signal) => {
      const response = await this.#send(request, what, signal);
      const text = await readBounded(
        response.body,
        { maxBytes: this.#options.maxBodyBytes, what },
        (error) => `broke off: ${networkText(error)}`,
      );
      if (response.statusCode >= 300) throw statusError(response.statusCode, text, what);
      return parseLine<T>(text, what);
    });
  }

  async #open(path: string, what: string, signal: AbortSignal): Promise<Dispatcher.ResponseData['body']> {
    return await withDeadline(this.#clock, { what, ms: this.#options.listMs, signal }, async (inner) => {
      const request: Request = { method: 'GET', path, ms: 0 };
      const response = await this.#send(request, what, inner, (links) => links.watches);
      if (response.statusCode === 200) return response.body;
      throw statusError(
        response.statusCode,
        await readBounded(response.body, { maxBytes: 2 ** 20, what }, (error) => `broke off: ${networkText(error)}`),
        what,
      );
    });
  }

  async #send(
    request: Request,
    what: string,
    signal: AbortSignal,
    link: (links: Links) => Agent = (links) => links.calls,
  ): Promise<Dispatcher.ResponseData> {
    for (let refresh = false; ; refresh = true) {
      // They may come from a program, or over the network.
      const asked = this.#auth.credentials({ refresh });
      const credentials = await untilAborted(asked, signal, `${what}: asking for credentials`);
      const response = await this.#dispatch(request, credentials, link, signal).catch((error: unknown) => {
        throw new AppError('unavailable', `${what} cannot be reached: ${networkText(error)}`);
      });
      if (response.statusCode !== 401 || refresh) return response;
      await response.body.dump().catch(() => {});
    }
  }

  #dispatch(
    request: Request,
    credentials: KubeCredentials,
    link: (links: Links) => Agent,
    signal: AbortSignal,
  ): Promise<Dispatcher.ResponseData> {
    const server = new URL(credentials.server);
    const headers: Record<string, string> = {
      accept: 'application/json',
      'user-agent': 'lictor-operator',
      ...credentials.headers,
    };
    if (request.body) headers['content-type'] = request.contentType ?? 'application/json';
    return link(this.#linksFor(credentials)).request({
      origin: server.origin,
      path: `${server.pathname.replace(/\/$/, '')}${request.path}`,
      method: request.method,
      headers,
      body: request.body ? JSON.stringify(request.body) : null,
      signal,
    });
  }

  /** Connections for these credentials; rotated certificates get new connections, the old ones end when idle. */
  #linksFor(credentials: KubeCredentials): Links {
    const { ca, cert, key, rejectUnauthorized, servername } = credentials.tls;
    const identity = [credentials.server, ca, cert, key, rejectUnauthorized, servername].map(String).join('\n');
    if (this.#links?.key === identity) return this.#links;
    const old = this.#links;
    void old?.calls.close().catch(() => {});
    void old?.watches.close().catch(() => {});
    const options: Agent.Options = {
      pipelining: 1,
      allowH2: false,
      headersTimeout: 0, // every call has its own deadline
      bodyTimeout: 0,
      // One context for all connections: each of its own would parse and keep the certificates again.
      connect: {
        secureContext: createSecureContext({ ca, cert, key }),
        rejectUnauthorized,
        servername,
        timeout: 10_000,
      } as NonNullable<Agent.Options['connect']>,
    };
    this.#links = {
      key: identity,
      calls: new Agent({ ...options, connections: this.#options.connections }),
      watches: new Agent(options),
    };
    return this.#links;
  }
}

function objectPath(resource: ResourceKind, target: ObjectRef): string {
  return `${collectionPath(resource, target.namespace)}/${encodeURIComponent(target.name)}`;
}

function watchEvent(value: { type?: unknown; object?: unknown }, what: string): WatchEvent {
  const object = value.object as (KubeObject & { code?: number; reason?: string }) | undefined;
  if (value.type === 'ERROR') {
    const code = object?.code ?? 500;
    throw new AppError(codeOf(code), `${what} ended with status ${code} ${object?.reason ?? ''}`.trimEnd());
  }
  const known =
    value.type === 'ADDED' || value.type === 'MODIFIED' || value.type === 'DELETED' || value.type === 'BOOKMARK';
  if (known && typeof object?.metadata?.resourceVersion === 'string') return value as WatchEvent;
  throw new AppError('decode', `${what} sent an event of an unknown form`);
}

async function* eachChunk(body: AsyncIterable<Uint8Array>, seen: () => void): AsyncGenerator<Uint8Array> {
  for await (const chunk of body) {
    seen();
    yield chunk;
  }
}

/** The error for a refused request. Of the answer only the reason is kept, and for 403 the sentence naming the right. */
function statusError(status: number, text: string, what: string): AppError {
  let reason = '';
  let detail = '';
  try {
    const body = JSON.parse(text) as { reason?: string; message?: string };
    reason = body.reason ?? '';
    if (status === 403 || status === 404) detail = `: ${(body.message ?? '').slice(0, 300)}`;
  } catch {
    // A proxy's page, not a Status object: the number says enough.
  }
  return new AppError(codeOf(status), `${what} answered ${status} ${reason}`.trimEnd() + detail, { facts: { status } });
}

const CODES: Readonly<Record<number, ErrorCode>> = {
  400: 'badRequest',
  401: 'permissionDenied',
  403: 'permissionDenied',
  404: 'notFound',
  409: 'conflict',
  410: 'compacted',
  413: 'tooLarge',
  422: 'badRequest',
  429: 'rateLimited',
  504: 'deadline',
};

function codeOf(status: number): ErrorCode {
  return CODES[status] ?? 'unavailable';
}

/** The system's code of a network error (ECONNREFUSED, …); messages of libraries are not passed on. */
function networkText(error: unknown): string {
  const code = (error as { code?: unknown } | undefined)?.code;
  return typeof code === 'string' ? code : 'the connection failed';
}
