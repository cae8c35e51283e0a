import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import {
  createServer,
  Agent as HttpAgent,
  request as httpRequest,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import { Agent, request as httpsRequest } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { WatchReplay } from './watch-replay.ts';

/** The API server behind the proxy: a `Kube`, or any HTTP server for the proxy's own tests. */
export interface ProxyTarget {
  readonly url: string;
  /** PEM file of the authority for https. */
  readonly caFile?: string;
}

/** The faults that are on now. */
interface Faults {
  delayMs: number;
  refusing: boolean;
  chunkBytes: number;
  replayEvery: number;
  staleLists: number;
  expiredWatches: number;
  failures: ReadonlyMap<string, number>;
}

const NO_FAULTS: Faults = {
  delayMs: 0,
  refusing: false,
  chunkBytes: 0,
  replayEvery: 0,
  staleLists: 0,
  expiredWatches: 0,
  failures: new Map(),
};

/**
 * An HTTP proxy in front of an API server, which does to its clients what networks, load balancers and a control plane
 * in trouble do. Faults can be turned on and off while clients are connected; without one it only counts.
 */
export class FaultProxy {
  readonly #target: ProxyTarget;
  readonly #agent: Agent | HttpAgent;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #watches = new Set<ServerResponse>();
  readonly #counts = new Map<string, number>();
  readonly #firstLists = new Map<string, Buffer>();
  #faults: Faults = { ...NO_FAULTS };
  #cutTimer: NodeJS.Timeout | undefined;
  #port = 0;

  private constructor(target: ProxyTarget) {
    this.#target = target;
    this.#agent = target.url.startsWith('https:')
      ? new Agent({ keepAlive: true, ca: target.caFile && readFileSync(target.caFile) })
      : new HttpAgent({ keepAlive: true });
    this.#server = createServer((request, response) => this.#serve(request, response));
    // A client that connects and waits is not cut by this proxy's own habits.
    this.#server.keepAliveTimeout = 600_000;
    this.#server.requestTimeout = 0;
    this.#server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.setNoDelay(true);
      socket.once('close', () => this.#sockets.delete(socket));
      socket.on('error', () => {});
    });
  }

  /** Starts on a free port of 127.0.0.1, plain HTTP. */
  static async start(target: ProxyTarget): Promise<FaultProxy> {
    const proxy = new FaultProxy(target);
    await proxy.#listen(0);
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Breaks every watch that is open now, in the middle of its stream. */
  cutWatches(): void {
    for (const response of this.#watches) response.destroy();
  }

  /** Breaks every open watch each `ms` from now on; 0 ends that. */
  cutWatchesEvery(ms: number): void {
    clearInterval(this.#cutTimer);
    this.#cutTimer = ms > 0 ? setInterval(() => this.cutWatches(), ms) : undefined;
  }

  /** Holds every answer, a watch's first byte included, back for `ms` from now on. */
  delayAnswers(ms: number): void {
    this.#faults.delayMs = ms;
  }

  /** As a stopped server: open connections break, new ones are refused, until `accept`. */
  async refuse(): Promise<void> {
    if (this.#faults.refusing) return;
    this.#faults.refusing = true;
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  /** Serves again, on the same port. */
  async accept(): Promise<void> {
    if (!this.#faults.refusing) return;
    await this.#listen(this.#port);
    this.#faults.refusing = false;
  }

  /** Writes answers in pieces of this many bytes, so that no JSON line and no UTF-8 letter arrives whole; 0 ends that. */
  splitBytes(chunkBytes: number): void {
    this.#faults.chunkBytes = chunkBytes;
  }

  /**
   * After every `n`-th event of a watch its last `n` events come once more, oldest first: what a client sees that was
   * moved to an API server lagging behind. 0 ends that. Counts for watches opened from now on.
   */
  replayOldObjects(n: number): void {
    this.#faults.replayEvery = n;
  }

  /** The next `count` lists are answered with the first answer that the same list ever had through this proxy. */
  serveStaleLists(count: number): void {
    this.#faults.staleLists = count;
  }

  /**
   * Breaks every open watch and answers the next `count` watches as an API server does whose history no longer reaches
   * back that far: with an ERROR event of status 410.
   */
  expireWatches(count: number): void {
    this.#faults.expiredWatches = count;
    this.cutWatches();
  }

  /** Answers requests of this kind, e.g. `GET pods`, with this HTTP status until `heal`. */
  fail(key: string, status: number): void {
    this.#faults.failures = new Map([...this.#faults.failures, [key, status]]);
  }

  /** Turns every fault off. */
  async heal(): Promise<void> {
    this.cutWatchesEvery(0);
    await this.accept();
    this.#faults = { ...NO_FAULTS };
  }

  /** Requests since the start or the last `resetCounts`, e.g. `{ 'PATCH lictor.dev/services/status': 2, 'WATCH pods': 1 }`. */
  counts(): Record<string, number> {
    return Object.fromEntries([...this.#counts].sort());
  }

  /** Those that change something; `except` names resources as in `counts`, e.g. `coordination.k8s.io/leases`. */
  writes(options: { except?: readonly string[] } = {}): Record<string, number> {
    const isWrite = ([key]: [string, number]) => {
      const [method, resource] = key.split(' ') as [string, string];
      return method !== 'GET' && method !== 'WATCH' && !options.except?.includes(resource);
    };
    return Object.fromEntries(Object.entries(this.counts()).filter(isWrite));
  }

  resetCounts(): void {
    this.#counts.clear();
  }

  get openWatches(): number {
    return this.#watches.size;
  }

  async stop(): Promise<void> {
    this.cutWatchesEvery(0);
    await this.refuse();
    this.#agent.destroy();
  }

  #listen(port: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, '127.0.0.1', () => {
        this.#server.off('error', reject);
        this.#port = (this.#server.address() as AddressInfo).port;
        resolve();
      });
    });
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    const what = describeRequest(request.method ?? '', request.url ?? '');
    this.#counts.set(what.key, (this.#counts.get(what.key) ?? 0) + 1);
    response.on('error', () => {});
    if (what.isWatch) {
      this.#watches.add(response);
      response.once('close', () => this.#watches.delete(response));
    }
    const own = this.#ownAnswer(what, request.url!);
    if (!own) {
      this.#forward(request, response, what);
      return;
    }
    request.resume();
    this.#later(response, () => {
      response.writeHead(own.status, { 'content-type': 'application/json' });
      void this.#write(response, own.body).then(() => response.end());
    });
  }

  /** What a fault answers in the API server's place. */
  #ownAnswer(what: Described, url: string): { status: number; body: Buffer } | undefined {
    const status = this.#faults.failures.get(what.key);
    if (status !== undefined) return { status, body: statusObject(status, 'a fault of the test') };
    if (what.isWatch && this.#faults.expiredWatches > 0) {
      this.#faults.expiredWatches--;
      const object = statusObject(410, 'too old resource version');
      return { status: 200, body: Buffer.from(`{"type":"ERROR","object":${object}}\n`) };
    }
    const first = what.isList ? this.#firstLists.get(url) : undefined;
    if (!first || this.#faults.staleLists <= 0) return undefined;
    this.#faults.staleLists--;
    return { status: 200, body: first };
  }

  #forward(request: IncomingMessage, response: ServerResponse, what: Described): void {
    const url = new URL(request.url ?? '/', this.#target.url);
    const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
    // Plain text, so that a replay can read it and a list can be kept.
    const headers = { ...request.headers, host: url.host, 'accept-encoding': 'identity' };
    const upstream = send(url, { method: request.method, headers, agent: this.#agent }, (answer) => {
      this.#later(response, () => this.#relay(answer, response, what, request.url!));
    });
    upstream.once('error', () => response.destroy());
    response.once('close', () => upstream.destroy());
    request.pipe(upstream);
  }

  #relay(answer: IncomingMessage, response: ServerResponse, what: Described, url: string): void {
    const status = answer.statusCode ?? 502;
    response.writeHead(status, endToEnd(answer.headers));
    response.flushHeaders();
    if (what.isList && status === 200 && !this.#firstLists.has(url)) this.#keepList(answer, url);
    const every = what.isWatch && status === 200 ? this.#faults.replayEvery : 0;
    const replay = every > 0 ? new WatchReplay(every) : undefined;
    this.#pump(answer, response, (chunk) => replay?.push(chunk) ?? chunk).then(
      () => response.end(),
      () => response.destroy(),
    );
  }

  async #pump(answer: IncomingMessage, response: ServerResponse, change: (chunk: Buffer) => Buffer): Promise<void> {
    for await (const chunk of answer as AsyncIterable<Buffer>) await this.#write(response, change(chunk));
  }

  #keepList(answer: IncomingMessage, url: string): void {
    const chunks: Buffer[] = [];
    answer.on('data', (chunk: Buffer) => chunks.push(chunk));
    answer.once('end', () => {
      this.#firstLists.set(url, Buffer.concat(chunks));
    });
  }

  #later(response: ServerResponse, fn: () => void): void {
    if (this.#faults.delayMs === 0) {
      fn();
      return;
    }
    const timer = setTimeout(fn, this.#faults.delayMs);
    response.once('close', () => clearTimeout(timer));
  }

  async #write(response: ServerResponse, bytes: Buffer): Promise<void> {
    const size = this.#faults.chunkBytes || bytes.length;
    for (let at = 0; at < bytes.length; at += size) {
      if (response.destroyed) return;
      const free = response.write(bytes.subarray(at, at + size));
      if (!free) await drained(response);
      // A turn of the event loop each, and no delaying algorithm: the pieces arrive apart.
      else if (size < bytes.length) await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

/** Resolves when the response takes more, or is gone. */
async function drained(response: ServerResponse): Promise<void> {
  const either = new AbortController();
  const { signal } = either;
  await Promise.race([once(response, 'drain', { signal }), once(response, 'close', { signal })]).catch(() => {});
  either.abort();
}

interface Described {
  readonly key: string;
  readonly isWatch: boolean;
  readonly isList: boolean;
}

/** The method and resource of a request, e.g. `PATCH lictor.dev/services/status`, `WATCH pods`, `GET /readyz`. */
function describeRequest(method: string, url: string): Described {
  const { pathname, searchParams } = new URL(url, 'http://proxy');
  const found = /^\/(?:api|apis\/([^/]+))\/[^/]+\/(?:namespaces\/[^/]+\/)?([^/]+)(?:\/([^/]+))?(?:\/(.+))?$/.exec(
    pathname,
  );
  if (!found) return { key: `${method} ${pathname}`, isWatch: false, isList: false };
  const [, group, resource, name, sub] = found;
  const watch = searchParams.get('watch');
  const isWatch = method === 'GET' && (watch === '1' || watch === 'true');
  const key = `${isWatch ? 'WATCH' : method} ${group ? `${group}/` : ''}${resource}${sub ? `/${sub}` : ''}`;
  return { key, isWatch, isList: method === 'GET' && !isWatch && name === undefined };
}

/** A refusal as the API server writes it (Kubernetes API conventions, "Response Status Kind"). */
function statusObject(code: number, message: string): Buffer {
  return Buffer.from(JSON.stringify({ kind: 'Status', apiVersion: 'v1', status: 'Failure', code, message }));
}

/** The headers that belong to the answer, not to the connection it came on (RFC 9110 section 7.6.1). */
function endToEnd(headers: IncomingMessage['headers']): Record<string, string | string[]> {
  const kept: Record<string, string | string[]> = {};
  for (const [name, value] of Object.entries(headers)) {
    const hop = name === 'connection' || name === 'keep-alive' || name === 'transfer-encoding';
    if (value !== undefined && !hop) kept[name] = value;
  }
  return kept;
}
