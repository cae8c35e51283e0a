import { tmpdir } from 'node:os';
import { Readable } from 'node:stream';
import { HeldReads } from '../../api/http/held-reads.ts';
import { errorResponse } from '../../api/http/respond.ts';
import type { Route, RouteRequest, RouteResponse } from '../../api/http/route.ts';
import type { ConfigEntry } from '../../api/shapes/config-entry/entry.ts';
import type { Registration, WriterIdentity } from '../../api/shapes/registration.ts';
import { type Clock, SystemClock } from '../../core/clock.ts';
import { type Logger, silentLogger } from '../../core/log.ts';
import { Metrics } from '../../core/metrics.ts';
import { SeededRandom, SystemRandom } from '../../core/random.ts';
import { type ComposedServer, composeServer } from '../../server/composition.ts';
import type { WhyNoInstance } from '../../server/explain/service-explainer.ts';
import type { StreamHubOptions } from '../../server/stream/stream-hub.ts';
import { collect } from '../../store/contract/shorthand.ts';
import { openMemoryStore } from '../../store/memory/memory-store.ts';
import type { Store } from '../../store/store.ts';
import { holding } from './holding.ts';

export const API: WriterIdentity = { owner: '', epoch: 0 };

/** A composed server that runs, and its routes called without a socket. */
export class RunningServer {
  readonly composed: ComposedServer;
  readonly store: Store;
  readonly #held: HeldReads;
  readonly #controller: AbortController;
  readonly #done: Promise<void>;

  constructor(
    composed: ComposedServer,
    held: HeldReads,
    store: Store,
    controller: AbortController,
    done: Promise<void>,
  ) {
    this.composed = composed;
    this.#held = held;
    this.store = store;
    this.#controller = controller;
    this.#done = done;
  }

  /** Starts on this store (a new one in memory when none is given). The store stays the caller's. */
  static async start(
    options: {
      store?: Store;
      clock?: Clock;
      maxRemembered?: number;
      streamLimits?: Partial<StreamHubOptions>;
      bootstrapEntries?: readonly ConfigEntry[];
      whyNoInstance?: WhyNoInstance;
      elected?: boolean;
      /** Its name, where several servers share the store: it has an id of its own then. */
      nodeName?: string;
      log?: Logger;
    } = {},
  ): Promise<RunningServer> {
    const store = options.store ?? openMemoryStore();
    const deps = {
      clock: options.clock ?? new SystemClock(),
      log: options.log ?? silentLogger,
      metrics: new Metrics(),
      random: options.nodeName === undefined ? new SeededRandom(1) : new SystemRandom(),
      ...(options.whyNoInstance ? { whyNoInstance: options.whyNoInstance } : {}),
    };
    const composed = composeServer(
      {
        datacenter: 'dc1',
        nodeName: options.nodeName ?? 'server-1',
        nodeAddress: '127.0.0.1',
        nodeId: options.nodeName === undefined ? 'aaaaaaaa-0000-4000-8000-00000000000f' : deps.random.uuid(),
        consulVersion: '1.21.4',
        store,
        spoolDir: tmpdir(),
        maxRemembered: options.maxRemembered,
        streamLimits: options.streamLimits,
        bootstrapEntries: options.bootstrapEntries,
        ...(options.elected === undefined ? {} : { elected: options.elected }),
      },
      deps,
    );
    const controller = new AbortController();
    let done: Promise<void> = Promise.resolve();
    await new Promise<void>((ready, fail) => {
      done = composed.runnable.run({ signal: controller.signal, ready });
      done.catch(fail);
    });
    const held = new HeldReads({ clock: deps.clock, failure: errorResponse });
    return new RunningServer(composed, held, store, controller, done);
  }

  stop(): Promise<void> {
    this.#held.stop();
    this.#controller.abort();
    return this.#done;
  }

  register(registration: Registration, writer: WriterIdentity = API): Promise<void> {
    return this.composed.serverCatalog.register(registration, writer);
  }

  /** Calls the route of a URL; rejects with what the route throws. */
  async call(
    method: string,
    url: string,
    options: { body?: unknown; bodyStream?: Readable; headers?: Record<string, string>; signal?: AbortSignal } = {},
  ): Promise<RouteResponse> {
    const { route, params } = findRoute(this.composed.routes, method, url);
    const { body } = options;
    const signal = options.signal ?? new AbortController().signal;
    const request: RouteRequest = {
      method,
      path: url.split('?')[0]!,
      params,
      query: new URLSearchParams(url.split('?')[1] ?? ''),
      headers: options.headers ?? {},
      body: Buffer.isBuffer(body) ? body : Buffer.from(body === undefined ? '' : JSON.stringify(body)),
      remoteAddress: '127.0.0.1',
      bodyStream: options.bodyStream,
      signal,
      hold: holding(this.#held, signal),
    };
    return route.handle(request);
  }

  /** An archive of all its data. */
  async archive(): Promise<Buffer> {
    const { stream } = await this.call('GET', '/v1/snapshot');
    return collect(stream!);
  }

  async restore(archive: Uint8Array): Promise<RouteResponse> {
    return this.call('PUT', '/v1/snapshot', { bodyStream: Readable.from([archive]) });
  }

  /** A GET's JSON and index. */
  async get<T>(url: string, signal?: AbortSignal): Promise<{ json: T; index: number }> {
    const answer = await this.call('GET', url, { signal });
    return { json: jsonOf(answer) as T, index: answer.meta?.index ?? 0 };
  }
}

export function jsonOf(answer: RouteResponse): unknown {
  return answer.bytes ? JSON.parse(Buffer.from(answer.bytes).toString()) : answer.json;
}

function findRoute(
  routes: readonly Route[],
  method: string,
  url: string,
): { route: Route; params: Record<string, string> } {
  const path = url.split('?')[0]!;
  for (const route of routes) {
    if (route.method !== method) continue;
    const named = route.path.replace(/:([^/]+)$/, '(?<$1>.*)').replace(/:([^/]+)/g, '(?<$1>[^/]+)');
    const pattern = named.replace(/\*$/, '(?<rest>.*)');
    const found = new RegExp(`^${pattern}$`).exec(path);
    if (!found) continue;
    const params = Object.entries(found.groups ?? {}).map(([name, value]) => [
      route.path.endsWith('*') && name === 'rest' ? '*' : name,
      decodeURIComponent(value),
    ]);
    return { route, params: Object.fromEntries(params) };
  }
  throw new Error(`no route for ${method} ${path}`);
}
