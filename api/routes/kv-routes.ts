import { uncleanPath } from '../http/clean-path.ts';
import { elsewhere, namespaceOf, type ReadParams } from '../http/request-params.ts';
import { ERROR_CODE_HEADER } from '../http/respond.ts';
import type { Route, RouteRequest, RouteResponse } from '../http/route.ts';
import { type KvItem, kvJson, parseUint64 } from '../shapes/kv.ts';
import type { LiveRead } from './catalog-backend.ts';
import { keyOf, type ReadRouteDeps, type ReadSpec, readRoute } from './read-route.ts';

/** What is to be put, and under which condition. */
export interface KvPut {
  readonly namespace: string;
  readonly key: string;
  readonly value: Uint8Array;
  readonly flags: bigint;
  /** Only while the key has this ModifyIndex; 0 = only while it is absent. */
  readonly cas?: bigint;
  /** The session that is to hold the key afterwards. */
  readonly acquire?: string;
  /** The session that holds the key and is to let it go. */
  readonly release?: string;
}

/** Items and the version that they were read at. */
export interface KvList<T> {
  readonly index: number;
  readonly items: readonly T[];
}

export interface KvBackend {
  get(namespace: string, key: string): LiveRead<KvItem | undefined>;
  list(namespace: string, prefix: string): LiveRead<KvList<KvItem>>;
  /** With a separator, keys end at its first place after the prefix and are given once. */
  keys(namespace: string, prefix: string, separator: string): LiveRead<KvList<string>>;
  /** Whether the condition held; `noSession` when there is no session that could acquire the key. */
  put(put: KvPut): Promise<boolean | 'noSession'>;
  /** Whether the condition held; an absent key is no failure. */
  delete(namespace: string, key: string, cas?: bigint): Promise<boolean>;
  deleteTree(namespace: string, prefix: string): Promise<void>;
}

export interface KvRoutesOptions {
  /** Consul's kv_max_value_size. */
  readonly maxValueBytes: number;
}

const JSON_HEADERS = { 'content-type': 'application/json' };
/** Whatever a value holds, a browser is not to run it. */
const RAW_HEADERS = {
  'content-type': 'text/plain',
  'x-content-type-options': 'nosniff',
  'content-security-policy': 'sandbox',
};
const NOT_FOUND: RouteResponse = { status: 404 };
const NO_KEY: RouteResponse = { status: 400, text: 'Missing key name' };

/** /v1/kv/:key (Consul HTTP API, "KV Store"). */
export function kvRoutes(deps: ReadRouteDeps, backend: KvBackend, options: KvRoutesOptions): Route[] {
  const read = readRoute<unknown>(deps, '/v1/kv/:key', (params, request) => {
    const key = request.params.key ?? '';
    if (request.query.has('keys')) return keysSpec(deps, backend, { ...params, key }, request.query);
    if (request.query.has('recurse')) return listSpec(deps, backend, { ...params, key });
    return key === '' ? NO_KEY : itemSpec(backend, { ...params, key }, request.query.has('raw'));
  });
  const write = (method: 'PUT' | 'DELETE', handle: (request: RouteRequest) => Promise<RouteResponse> | RouteResponse) =>
    ({
      method,
      path: '/v1/kv/:key',
      handle: (request) => moved(request) ?? elsewhere(deps, request) ?? handle(request),
    }) satisfies Route;
  return [
    { ...read, handle: (request) => moved(request) ?? read.handle(request) },
    write('PUT', (request) => put(backend, options, request)),
    write('DELETE', (request) => remove(backend, request)),
  ];
}

type KeyParams = ReadParams & { readonly key: string };

function itemSpec(backend: KvBackend, { namespace, key }: KeyParams, raw: boolean): ReadSpec<unknown> {
  return {
    key: '',
    live: backend.get(namespace, key),
    json: (item) => item,
    plain: true,
    byUrl: true,
    respond: (value) => {
      const item = value as KvItem | undefined;
      if (!item) return NOT_FOUND;
      return raw
        ? { bytes: item.value, headers: RAW_HEADERS }
        : { bytes: Buffer.from(JSON.stringify([kvJson(item, namespace)])), headers: JSON_HEADERS };
    },
  };
}

function listSpec(deps: ReadRouteDeps, backend: KvBackend, { namespace, key }: KeyParams): ReadSpec<unknown> {
  const name = keyOf('kv', namespace, key);
  return rendered(deps, name, backend.list(namespace, key), (items) => items.map((item) => kvJson(item, namespace)));
}

function keysSpec(
  deps: ReadRouteDeps,
  backend: KvBackend,
  { namespace, key }: KeyParams,
  query: URLSearchParams,
): ReadSpec<unknown> {
  const separator = query.get('separator') || query.get('seperator') || '';
  const name = keyOf('kv-keys', namespace, key, separator);
  return rendered(deps, name, backend.keys(namespace, key, separator), (keys) => keys, key === '');
}

/** Serialised once for all who ask or wait; nothing found is 404, unless an empty list is an answer too. */
function rendered<T>(
  deps: ReadRouteDeps,
  key: string,
  live: LiveRead<KvList<T>>,
  json: (items: readonly T[]) => unknown,
  mayBeEmpty = false,
): ReadSpec<unknown> {
  return {
    key,
    live,
    json: (value) => value,
    plain: true,
    respond: (value) => {
      const { items, index } = value as KvList<T>;
      if (items.length === 0 && !mayBeEmpty) return NOT_FOUND;
      const bytes = deps.cache.render(key, { value: items, index, applied: index }, json);
      return { bytes, headers: JSON_HEADERS };
    },
  };
}

async function put(backend: KvBackend, options: KvRoutesOptions, request: RouteRequest): Promise<RouteResponse> {
  const { query, body } = request;
  const key = request.params.key ?? '';
  if (key === '') return NO_KEY;
  const conflict = conflicting(query, ['cas', 'acquire', 'release']);
  if (conflict) return conflict;
  const flags = parseUint64(query.get('flags') || '0');
  const cas = query.has('cas') ? parseUint64(query.get('cas') ?? '') : undefined;
  if (typeof flags === 'string') return failed(flags);
  if (typeof cas === 'string') return failed(cas);
  if (body.length > options.maxValueBytes) return tooLarge(body.length, options.maxValueBytes, 'kv_max_value_size');
  const acquire = query.get('acquire') ?? undefined;
  const release = query.get('release') ?? undefined;
  // What Consul finds out only when it applies the change.
  if (acquire === '' || release === '') return failed('raft apply failed: missing session');
  const namespace = namespaceOf(request);
  const done = await backend.put({ namespace, key, value: body, flags, cas, acquire, release });
  if (done === 'noSession') return failed(`raft apply failed: invalid session ${JSON.stringify(acquire)}`);
  return { json: done };
}

async function remove(backend: KvBackend, request: RouteRequest): Promise<RouteResponse> {
  const { query } = request;
  const key = request.params.key ?? '';
  const recurse = query.has('recurse');
  if (key === '' && !recurse) return NO_KEY;
  const conflict = conflicting(query, ['recurse', 'cas']);
  if (conflict) return conflict;
  const namespace = namespaceOf(request);
  if (recurse) {
    await backend.deleteTree(namespace, key);
    return { json: true };
  }
  const cas = query.has('cas') ? parseUint64(query.get('cas') ?? '') : undefined;
  if (typeof cas === 'string') return failed(cas);
  return { json: await backend.delete(namespace, key, cas) };
}

/** Consul's answer to a body over a limit that it can be told of. */
export function tooLarge(bytes: number, limit: number, setting: string): RouteResponse {
  return {
    status: 413,
    text: `Request body(${bytes} bytes) too large, max size: ${limit} bytes. See https://developer.hashicorp.com/docs/agent/config/config-files#${setting}.`,
    headers: { [ERROR_CODE_HEADER]: 'tooLarge' },
  };
}

function conflicting(query: URLSearchParams, names: readonly string[]): RouteResponse | undefined {
  if (names.filter((name) => query.has(name)).length < 2) return undefined;
  const sorted = new URLSearchParams(query);
  sorted.sort();
  return { status: 400, text: `Conflicting flags: ${sorted}`, headers: { [ERROR_CODE_HEADER]: 'badRequest' } };
}

/** What Consul finds wrong with status 500, though it is the request's fault. */
export function failed(text: string): RouteResponse {
  return { status: 500, text, headers: { [ERROR_CODE_HEADER]: 'badRequest' } };
}

function moved({ path, query }: RouteRequest): RouteResponse | undefined {
  return uncleanPath(path, query.toString());
}
