import { AppError } from '../../core/errors.ts';
import { filterOf } from '../filter/filter-cache.ts';
import { CONFIG_ENTRY_ROW } from '../filter/rows.ts';
import { ERROR_CODE_HEADER } from '../http/respond.ts';
import type { Route, RouteRequest, RouteResponse } from '../http/route.ts';
import { decodeConfigBody, isConfigKind } from '../shapes/config-entry/decode.ts';
import type { ConfigEntry, ConfigKind } from '../shapes/config-entry/entry.ts';
import { parseUint64 } from '../shapes/kv.ts';
import type { LiveRead } from './catalog-backend.ts';
import { keyOf, type ReadRouteDeps, readRoute } from './read-route.ts';

/** One service that is exported, and to whom. */
export interface ExportedService {
  readonly Service: string;
  readonly Consumers: { readonly Peers: readonly string[] };
}

/** Configuration entries in their JSON form. */
export interface ConfigBackend {
  list(kind: ConfigKind): LiveRead<readonly object[]>;
  entry(kind: ConfigKind, name: string): LiveRead<object | undefined>;
  /** What API gateways and their routes come to, by name: entries that nobody writes. */
  bound(): LiveRead<readonly { readonly Name: string }[]>;
  exported(): LiveRead<readonly ExportedService[]>;
  /** The writes give whether they were done, and throw AppError `badRequest` with Consul's text. */
  put(entry: ConfigEntry, cas?: bigint): Promise<boolean>;
  delete(kind: ConfigKind, name: string, cas?: bigint): Promise<boolean>;
}

const DECODE_FAILURE = /^Request deco/;
/** Not a kind that is stored. */
const BOUND = 'bound-api-gateway';
const COMPUTED = `${BOUND} entries are computed; write api-gateway, http-route and tcp-route entries instead`;

/** /v1/config… and /v1/exported-services (Consul HTTP API, "Config", "Exported services"). */
export function configRoutes(deps: ReadRouteDeps, backend: ConfigBackend): Route[] {
  return [
    { method: 'PUT', path: '/v1/config', handle: (request) => refusing(() => put(backend, request)) },
    readRoute<readonly object[] | object | undefined>(deps, '/v1/config/*', ({ filter }, { params }) => {
      const { kind, name } = pathParts(params['*'] ?? '');
      if (kind === '') return { key: keyOf('config-none'), live: NONE, json: () => [] };
      if (!isConfigKind(kind) && kind !== BOUND) return refused(`invalid config entry kind: ${kind}`);
      if (name === '') {
        const keep = filterOf(filter, CONFIG_ENTRY_ROW);
        return {
          key: keyOf('config', kind, filter),
          live: kind === BOUND ? backend.bound() : backend.list(kind),
          json: (entries) => (entries as readonly object[]).filter(keep),
        };
      }
      const found = kind === BOUND ? namedIn(name) : (entry: unknown) => entry as object | undefined;
      return {
        key: keyOf('config-entry', kind, name),
        live: kind === BOUND ? backend.bound() : backend.entry(kind, name),
        json: found,
        respond: (value) => {
          const entry = found(value);
          return entry
            ? { json: entry }
            : { status: 404, text: `Config entry not found for ${JSON.stringify(kind)} / ${JSON.stringify(name)}` };
        },
      };
    }),
    { method: 'DELETE', path: '/v1/config/*', handle: (request) => refusing(() => remove(backend, request)) },
    readRoute(deps, '/v1/exported-services', () => ({
      key: keyOf('exported-services'),
      live: backend.exported(),
      json: (services) => services,
    })),
  ];
}

/** What is bound of one gateway. */
function namedIn(name: string): (all: unknown) => object | undefined {
  const wanted = name.toLowerCase();
  return (all) => (all as readonly { Name: string }[]).find((one) => one.Name.toLowerCase() === wanted);
}

/** Without a kind nothing is asked for. */
const NONE: LiveRead<readonly object[]> = {
  run: () => ({ value: [], index: 1, applied: 0 }),
  watch: () => () => {},
};

async function put(backend: ConfigBackend, { body, query }: RouteRequest): Promise<RouteResponse> {
  if (isBound(body)) return refused(COMPUTED);
  const entry = decodeConfigBody(body);
  const cas = casOf(query);
  if (typeof cas === 'string') return refused(cas);
  return { json: await backend.put(entry, cas) };
}

/** Whether a body is an entry of the computed kind; what is wrong with it otherwise is told by its decoding. */
function isBound(body: Buffer): boolean {
  if (!body.includes(BOUND)) return false;
  try {
    const given = JSON.parse(body.toString('utf8')) as Record<string, unknown> | null;
    return (given?.Kind ?? given?.kind) === BOUND;
  } catch {
    return false;
  }
}

async function remove(backend: ConfigBackend, { params, query }: RouteRequest): Promise<RouteResponse> {
  const { kind, name } = pathParts(params['*'] ?? '');
  if (kind === '' || name === '') return { status: 404, text: 'Must provide both a kind and name to delete' };
  if (kind === BOUND) return refused(COMPUTED);
  if (!isConfigKind(kind)) return refused(`invalid config entry kind: ${kind}`);
  const cas = casOf(query);
  if (typeof cas === 'string') return refused(cas);
  const done = await backend.delete(kind, name, cas);
  return { json: cas === undefined ? {} : done };
}

function pathParts(rest: string): { kind: string; name: string } {
  const slash = rest.indexOf('/');
  return slash < 0 ? { kind: rest, name: '' } : { kind: rest.slice(0, slash), name: rest.slice(slash + 1) };
}

function casOf(query: URLSearchParams): bigint | string | undefined {
  const text = query.get('cas');
  return text === null || text === '' ? undefined : parseUint64(text);
}

/** What Consul refuses with status 500. A body that cannot be decoded stays a 400. */
export async function refusing(write: () => Promise<RouteResponse>): Promise<RouteResponse> {
  try {
    return await write();
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'badRequest' || DECODE_FAILURE.test(error.message)) throw error;
    return refused(error.message);
  }
}

export function refused(text: string): RouteResponse {
  return { status: 500, text, headers: { [ERROR_CODE_HEADER]: 'badRequest' } };
}
