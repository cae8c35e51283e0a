import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A Kubernetes object as the fake keeps it. */
export interface FakeObject {
  apiVersion?: string;
  kind?: string;
  metadata: {
    name: string;
    namespace?: string;
    uid?: string;
    resourceVersion?: string;
    generation?: number;
    creationTimestamp?: string;
    deletionTimestamp?: string;
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
  };
  // biome-ignore lint/suspicious/noExplicitAny: any kind of object is kept
  [field: string]: any;
}

/** What the server does wrong. All off at first; set them at any time. */
export interface FakeFaults {
  /** Every answer (and watch event) comes this late. */
  delayMs: number;
  /** So many of the next requests are answered with this status. */
  fail: { count: number; status: number };
  /** Collections (`services`, …) answered with 404, as before their CRD is installed. */
  notServed: Set<string>;
  /** Each watch event is sent twice. */
  duplicate: boolean;
  /** Before each watch event an earlier event of the same collection is replayed. */
  replayOld: boolean;
  /** Watch lines are sent a few bytes at a time. */
  splitBytes: boolean;
  /** Lists answer with the state of this resource version (a lagging server); 0 = off. */
  listAt: number;
  /** Requests are accepted and never answered; watches go silent. */
  hang: boolean;
  /** Continue tokens are refused with 410. */
  expireTokens: boolean;
}

/** A write that the server took. */
export interface FakeWrite {
  readonly method: string;
  readonly path: string;
  readonly body: unknown;
}

interface HistoryEntry {
  readonly version: number;
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly collection: string;
  readonly object: FakeObject;
}

interface Watcher {
  readonly collection: string;
  readonly namespace: string | undefined;
  readonly response: ServerResponse;
  /** It is told what is after this version only, as by a real API server. */
  readonly since: number;
}

/**
 * A real HTTP server on loopback that speaks the API server's list, watch, status patch, Event and Lease requests, with
 * hostile modes. Objects are put and removed by the test; whoever is under test talks HTTP.
 */
export class FakeKubeApi {
  readonly faults: FakeFaults = {
    delayMs: 0,
    fail: { count: 0, status: 500 },
    notServed: new Set(),
    duplicate: false,
    replayOld: false,
    splitBytes: false,
    listAt: 0,
    hang: false,
    expireTokens: false,
  };
  /** Every write over HTTP, in order. */
  readonly writes: FakeWrite[] = [];
  /** Requests by `<method> <collection>`, `WATCH <collection>` for watches. */
  readonly requests = new Map<string, number>();
  readonly #server: Server;
  readonly #objects = new Map<string, Map<string, FakeObject>>();
  readonly #history: HistoryEntry[] = [];
  readonly #watchers = new Set<Watcher>();
  readonly #bookmarks: NodeJS.Timeout;
  #version = 100;
  #compactedTo = 0;

  private constructor(server: Server, bookmarkMs: number) {
    this.#server = server;
    server.on('request', (request, response) => void this.#handle(request, response));
    this.#bookmarks = setInterval(() => this.sendBookmarks(), bookmarkMs);
  }

  static async start(options: { bookmarkMs?: number } = {}): Promise<FakeKubeApi> {
    const server = createServer({ keepAliveTimeout: 60_000 });
    const fake = new FakeKubeApi(server, options.bookmarkMs ?? 200);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return fake;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }
  get version(): number {
    return this.#version;
  }
  get openWatches(): number {
    return this.#watchers.size;
  }

  async stop(): Promise<void> {
    clearInterval(this.#bookmarks);
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** Creates or replaces an object, as a user or kubelet would; a new spec raises the generation. */
  put(collection: string, object: FakeObject): FakeObject {
    const key = keyOf(object);
    const all = this.#all(collection);
    const old = all.get(key);
    const specChanged = JSON.stringify(old?.spec) !== JSON.stringify(object.spec);
    const stored = structuredClone({
      ...object,
      status: object.status ?? old?.status,
      metadata: {
        ...object.metadata,
        namespace: object.metadata.namespace ?? 'default',
        uid: object.metadata.uid ?? old?.metadata.uid ?? randomUUID(),
        creationTimestamp:
          object.metadata.creationTimestamp ?? old?.metadata.creationTimestamp ?? '2026-01-01T00:00:00Z',
        generation: (old?.metadata.generation ?? 0) + (specChanged || !old ? 1 : 0),
        resourceVersion: String(++this.#version),
      },
    });
    all.set(key, stored);
    this.#emit({ version: this.#version, type: old ? 'MODIFIED' : 'ADDED', collection, object: stored });
    return stored;
  }

  remove(collection: string, key: string): void {
    const all = this.#all(collection);
    const old = all.get(key);
    if (!old) return;
    all.delete(key);
    const object = { ...old, metadata: { ...old.metadata, resourceVersion: String(++this.#version) } };
    this.#emit({ version: this.#version, type: 'DELETED', collection, object });
  }

  get(collection: string, key: string): FakeObject | undefined {
    return this.#all(collection).get(key);
  }
  list(collection: string): FakeObject[] {
    return [...this.#all(collection).values()];
  }

  /** Ends every watch; with `midLine` within a line. */
  cutWatches(options: { midLine?: boolean } = {}): void {
    for (const watcher of [...this.#watchers]) {
      this.#watchers.delete(watcher);
      if (options.midLine) watcher.response.write('{"type":"MODIFIED","object":{"meta');
      watcher.response.end();
    }
  }

  /** Breaks every connection. */
  dropConnections(): void {
    this.#watchers.clear();
    this.#server.closeAllConnections();
  }

  /** As after a restore of its store from a backup: versions are so many lower, and this object is not there. */
  goBack(versions: number, collection: string, key: string): void {
    this.#version -= versions;
    this.#history.length = 0;
    this.#all(collection).delete(key);
    this.dropConnections();
  }

  /** Forgets the history: every watch that starts at a version read before now gets 410. */
  compact(): void {
    this.#compactedTo = ++this.#version;
    this.#history.length = 0;
  }

  /** Sends any line into every watch. */
  sendRaw(line: string): void {
    for (const watcher of this.#watchers) watcher.response.write(line);
  }

  sendBookmarks(): void {
    if (this.faults.hang) return;
    const object = { kind: 'Bookmark', metadata: { resourceVersion: String(this.#version) } };
    for (const watcher of this.#watchers) {
      if (this.#version < watcher.since) continue;
      watcher.response.write(`${JSON.stringify({ type: 'BOOKMARK', object })}\n`);
    }
  }

  #all(collection: string): Map<string, FakeObject> {
    let all = this.#objects.get(collection);
    if (!all) {
      all = new Map();
      this.#objects.set(collection, all);
    }
    return all;
  }

  #emit(entry: HistoryEntry): void {
    const old = this.#history.filter((past) => past.collection === entry.collection).at(-2);
    this.#history.push(entry);
    if (this.faults.hang) return;
    for (const watcher of this.#watchers) {
      if (!matches(watcher, entry) || entry.version <= watcher.since) continue;
      if (this.faults.replayOld && old && matches(watcher, old)) {
        void this.#send(watcher, { ...old, type: old.type === 'DELETED' ? 'MODIFIED' : old.type });
      }
      void this.#send(watcher, entry);
      if (this.faults.duplicate) void this.#send(watcher, entry);
    }
  }

  /** One event; the order within a watch is kept, also when events are split or late. */
  async #send(watcher: Watcher, entry: HistoryEntry): Promise<void> {
    const line = Buffer.from(`${JSON.stringify({ type: entry.type, object: entry.object })}\n`);
    if (this.faults.delayMs > 0) {
      setTimeout(() => watcher.response.write(line), this.faults.delayMs);
      return;
    }
    if (!this.faults.splitBytes) {
      watcher.response.write(line);
      return;
    }
    for (let at = 0; at < line.length; at += 7) watcher.response.write(line.subarray(at, at + 7));
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<unknown> {
    response.on('error', () => {});
    const url = new URL(request.url ?? '/', 'http://fake');
    const target = parsePath(url.pathname);
    if (!target) return answer(response, 404, status(404, 'NotFound'));
    const watching = url.searchParams.get('watch') === '1';
    const counted = `${watching ? 'WATCH' : request.method} ${target.collection}`;
    this.requests.set(counted, (this.requests.get(counted) ?? 0) + 1);
    const body = await readBody(request);
    if (this.faults.hang) return undefined;
    if (this.faults.delayMs > 0) await new Promise((resolve) => setTimeout(resolve, this.faults.delayMs));
    if (this.faults.fail.count > 0) {
      this.faults.fail.count--;
      return answer(response, this.faults.fail.status, status(this.faults.fail.status, 'Injected'));
    }
    if (this.faults.notServed.has(target.collection)) return answer(response, 404, status(404, 'NotFound'));
    if (request.method === 'GET' && watching) return this.#watch(target, url.searchParams, response);
    if (request.method === 'GET' && target.name === undefined) return this.#list(target, url.searchParams, response);
    if (request.method === 'GET') return this.#read(target, response);
    return this.#write(request.method ?? '', target, url.pathname, body, response);
  }

  #read(target: Target, response: ServerResponse): void {
    const found = this.#all(target.collection).get(`${target.namespace}/${target.name}`);
    answer(response, found ? 200 : 404, found ?? status(404, 'NotFound'));
  }

  #list(target: Target, query: URLSearchParams, response: ServerResponse): true {
    const at = this.faults.listAt || this.#version;
    let from = '';
    let version = at;
    const token = query.get('continue');
    if (token) {
      const [tokenVersion, tokenKey] = JSON.parse(Buffer.from(token, 'base64url').toString()) as [number, string];
      if (this.faults.expireTokens || tokenVersion < this.#compactedTo) {
        return answer(response, 410, status(410, 'Expired'));
      }
      version = tokenVersion;
      from = tokenKey;
    }
    const name = query.get('fieldSelector')?.replace('metadata.name=', '');
    const all = [...this.#stateAt(target.collection, version)]
      .filter(([key]) => target.namespace === undefined || key.startsWith(`${target.namespace}/`))
      .filter(([, object]) => !name || object.metadata.name === name)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .filter(([key]) => key > from);
    const limit = Number(query.get('limit') ?? 0) || all.length;
    const page = all.slice(0, limit);
    const more = all.length > page.length;
    const next = more ? Buffer.from(JSON.stringify([version, page.at(-1)![0]])).toString('base64url') : undefined;
    const metadata = { resourceVersion: String(version), continue: next };
    return answer(response, 200, { kind: 'List', metadata, items: page.map(([, object]) => object) });
  }

  /** The objects as they were at a version, as far as the history reaches. */
  #stateAt(collection: string, version: number): Map<string, FakeObject> {
    const state = new Map(this.#all(collection));
    if (version >= this.#version) return state;
    const later = this.#history.filter((entry) => entry.collection === collection && entry.version > version);
    for (const { object } of later) {
      const key = keyOf(object);
      const before = this.#history.filter(
        (entry) => entry.collection === collection && entry.version <= version && keyOf(entry.object) === key,
      );
      const last = before.at(-1);
      if (last && last.type !== 'DELETED') state.set(key, last.object);
      else state.delete(key);
    }
    return state;
  }

  #watch(target: Target, query: URLSearchParams, response: ServerResponse): void {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.flushHeaders();
    const since = Number(query.get('resourceVersion') ?? 0);
    if (since < this.#compactedTo) {
      response.end(`${JSON.stringify({ type: 'ERROR', object: status(410, 'Expired') })}\n`);
      return;
    }
    const watcher: Watcher = { collection: target.collection, namespace: target.namespace, response, since };
    for (const entry of this.#history) {
      if (entry.version > since && matches(watcher, entry)) void this.#send(watcher, entry);
    }
    this.#watchers.add(watcher);
    response.on('close', () => this.#watchers.delete(watcher));
  }

  #write(method: string, target: Target, path: string, text: string, response: ServerResponse): true {
    const body = JSON.parse(text) as FakeObject;
    const all = this.#all(target.collection);
    if (method === 'POST') {
      const key = `${target.namespace}/${body.metadata.name}`;
      if (all.has(key)) return answer(response, 409, status(409, 'AlreadyExists'));
      this.writes.push({ method, path, body });
      return answer(response, 201, this.put(target.collection, body));
    }
    const key = `${target.namespace}/${target.name}`;
    const old = all.get(key);
    if (!old) return answer(response, 404, status(404, 'NotFound'));
    const expected = body.metadata?.resourceVersion;
    if (expected !== undefined && expected !== old.metadata.resourceVersion) {
      return answer(response, 409, status(409, 'Conflict'));
    }
    this.writes.push({ method, path, body });
    const merged =
      method === 'PUT' ? body : (mergePatch(old, target.status ? { status: body.status } : body) as FakeObject);
    const metadata = { ...merged.metadata, uid: old.metadata.uid };
    return answer(response, 200, this.put(target.collection, { ...merged, metadata }));
  }
}

interface Target {
  readonly collection: string;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
  readonly status: boolean;
}

function parsePath(path: string): Target | undefined {
  const parts = path.split('/').filter(Boolean).map(decodeURIComponent);
  const rest = parts[0] === 'api' ? parts.slice(2) : parts[0] === 'apis' ? parts.slice(3) : undefined;
  if (!rest || rest.length === 0) return undefined;
  const namespaced = rest[0] === 'namespaces' && rest.length > 2;
  const [collection, name, sub] = namespaced ? rest.slice(2) : rest;
  return { collection: collection!, namespace: namespaced ? rest[1] : undefined, name, status: sub === 'status' };
}

function matches(watcher: Pick<Watcher, 'collection' | 'namespace'>, entry: HistoryEntry): boolean {
  if (watcher.collection !== entry.collection) return false;
  return watcher.namespace === undefined || watcher.namespace === entry.object.metadata.namespace;
}

function keyOf(object: FakeObject): string {
  return `${object.metadata.namespace ?? 'default'}/${object.metadata.name}`;
}

function status(code: number, reason: string): object {
  return { kind: 'Status', apiVersion: 'v1', status: 'Failure', code, reason, message: `${reason} by the fake` };
}

function answer(response: ServerResponse, code: number, body: unknown): true {
  const text = JSON.stringify(body);
  response.writeHead(code, { 'content-type': 'application/json' });
  response.end(text);
  return true;
}

async function readBody(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return Buffer.concat(parts).toString();
}

/** RFC 7386. */
function mergePatch(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch;
  const base = typeof target === 'object' && target !== null && !Array.isArray(target) ? target : {};
  const out: Record<string, unknown> = { ...base };
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete out[key];
    else out[key] = mergePatch(out[key], value);
  }
  return out;
}
