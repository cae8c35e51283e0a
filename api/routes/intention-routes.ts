import { AppError } from '../../core/errors.ts';
import { filterOf } from '../filter/filter-cache.ts';
import { INTENTION_ROW } from '../filter/rows.ts';
import { inDatacenter } from '../http/request-params.ts';
import type { Route, RouteRequest, RouteResponse } from '../http/route.ts';
import {
  decodeIntention,
  type Intention,
  type IntentionContent,
  parseServiceName,
  type ServiceName,
} from '../shapes/intention.ts';
import type { LiveRead } from './catalog-backend.ts';
import { refused, refusing } from './config-routes.ts';
import { keyOf, type ReadRouteDeps, readRoute } from './read-route.ts';

export type MatchBy = 'source' | 'destination';

export interface IntentionReads {
  list(): LiveRead<readonly Intention[]>;
  /** For each name those that concern it, the highest precedence first. */
  match(by: MatchBy, names: readonly string[]): LiveRead<readonly (readonly Intention[])[]>;
  exact(source: ServiceName, destination: string): Intention | undefined;
  byId(id: string): Intention | undefined;
  isAllowed(source: ServiceName, destination: string): boolean;
}

/** The writes throw AppError `badRequest` with Consul's text. */
export interface IntentionWrites {
  put(source: ServiceName, destination: string, content: IntentionContent): Promise<void>;
  delete(source: ServiceName, destination: string): Promise<void>;
  /** Gives the new id. */
  create(content: IntentionContent): Promise<string>;
  update(id: string, content: IntentionContent): Promise<void>;
  deleteById(id: string): Promise<void>;
}

const BASE = '/v1/connect/intentions';
const NOT_FOUND: RouteResponse = { status: 404, text: 'Intention not found' };
/** Names in one match. */
const MAX_NAMES = 256;
/** Consul's index of ids takes texts of this length and tells only then whether there is one. */
const ID_LENGTH = 36;
const NO_ID: RouteResponse = {
  status: 400,
  text: 'failed config entry lookup: index error: UUID must be 36 characters',
};

/** /v1/connect/intentions… (Consul HTTP API, "Service intentions"). */
export function intentionRoutes(deps: ReadRouteDeps, reads: IntentionReads, writes: IntentionWrites): Route[] {
  return [
    readRoute<readonly Intention[]>(deps, BASE, ({ filter }) => {
      const keep = filterOf(filter, INTENTION_ROW);
      return { key: keyOf('intentions', filter), live: reads.list(), json: (all) => all.filter(keep) };
    }),
    matchRoute(deps, reads),
    ...[checkRoute(reads), ...exactRoutes(reads, writes), ...idRoutes(reads, writes)].map((route) => ({
      ...route,
      handle: inDatacenter(deps, route.handle),
    })),
  ];
}

function matchRoute(deps: ReadRouteDeps, reads: IntentionReads): Route {
  return readRoute<readonly (readonly Intention[])[]>(deps, `${BASE}/match`, (_params, { query }) => {
    const by = query.get('by') ?? '';
    if (by === '') return refused("required query parameter 'by' not set");
    if (by !== 'source' && by !== 'destination') {
      return refused("'by' parameter must be one of 'source' or 'destination'");
    }
    const asked = query.getAll('name');
    if (asked.length === 0) return refused("required query parameter 'name' not set");
    if (asked.length > MAX_NAMES) return refused(`at most ${MAX_NAMES} names may be asked for at once`);
    let names: string[];
    try {
      names = asked.map((name) => parseServiceName(name, 'name').name);
    } catch (error) {
      if (error instanceof AppError) return refused(error.message);
      throw error;
    }
    return {
      key: keyOf('intention-match', by, asked),
      live: reads.match(by, names),
      json: (found) => Object.fromEntries(asked.map((name, at) => [name, found[at]])),
      cacheable: true,
    };
  });
}

function exactRoutes(reads: IntentionReads, writes: IntentionWrites): Route[] {
  const path = `${BASE}/exact`;
  return [
    {
      method: 'GET',
      path,
      handle: ({ query }) =>
        refusing(async () => {
          const { source, destination } = endsOf(query);
          const found = reads.exact(source, destination);
          return found ? { json: found } : NOT_FOUND;
        }),
    },
    {
      method: 'PUT',
      path,
      handle: ({ query, body }) =>
        refusing(async () => {
          const { source, destination } = endsOf(query);
          const content = decodeIntention(body);
          if (content.id !== '') return refused('ID must not be specified');
          if (content.meta !== undefined && Object.keys(content.meta).length > 0) {
            return refused('Meta must not be specified');
          }
          await writes.put(source, destination, content);
          return { json: true };
        }),
    },
    {
      method: 'DELETE',
      path,
      handle: ({ query }) =>
        refusing(async () => {
          const { source, destination } = endsOf(query);
          await writes.delete(source, destination);
          return { json: true };
        }),
    },
  ];
}

/** The deprecated endpoints, where intentions have ids. */
function idRoutes(reads: IntentionReads, writes: IntentionWrites): Route[] {
  const path = `${BASE}/:id`;
  const withId = (handle: (id: string, request: RouteRequest) => Promise<RouteResponse>) => (request: RouteRequest) => {
    const id = request.params.id ?? '';
    return id.length === ID_LENGTH ? refusing(() => handle(id.toLowerCase(), request)) : NO_ID;
  };
  return [
    {
      method: 'POST',
      path: BASE,
      handle: ({ body }) =>
        refusing(async () => {
          const content = decodeIntention(body);
          if (content.id !== '') return refused('ID must be empty when creating a new intention');
          return { json: { ID: await writes.create(content) } };
        }),
    },
    {
      method: 'GET',
      path,
      handle: withId(async (id) => {
        const found = reads.byId(id);
        return found ? { json: found } : NOT_FOUND;
      }),
    },
    {
      method: 'PUT',
      path,
      handle: withId(async (id, { body }) => {
        await writes.update(id, decodeIntention(body));
        return { json: { ID: id } };
      }),
    },
    {
      method: 'DELETE',
      path,
      handle: withId(async (id) => {
        await writes.deleteById(id);
        return { json: true };
      }),
    },
  ];
}

function checkRoute(reads: IntentionReads): Route {
  return { method: 'GET', path: `${BASE}/check`, handle: ({ query }) => refusing(async () => check(reads, query)) };
}

function check(reads: IntentionReads, query: URLSearchParams): RouteResponse {
  const type = query.get('source-type') ?? 'consul';
  const { source, destination } = endsOf(query);
  if (type !== 'consul') return refused(`source-type must be "consul", not ${JSON.stringify(type)}`);
  return { json: { Allowed: reads.isAllowed(source, destination) } };
}

/** @throws AppError `badRequest`. */
function endsOf(query: URLSearchParams): { source: ServiceName; destination: string } {
  const [source, destination] = (['source', 'destination'] as const).map((name) => {
    const text = query.get(name) ?? '';
    if (text === '') throw new AppError('badRequest', `required query parameter '${name}' not set`);
    return parseServiceName(text, name);
  });
  if (destination!.peer !== undefined) {
    throw new AppError('badRequest', 'destination is invalid: a peer cannot be the destination of an intention here');
  }
  return { source: source!, destination: destination!.name };
}
