import { AppError } from '../../core/errors.ts';
import type { ApiAnswer, Query } from '../http-api.ts';
import { kvPath } from '../kv-pairs.ts';

/** What to watch, by Consul's names of parameters. */
export interface WatchParams {
  readonly type: string;
  readonly key?: string;
  readonly prefix?: string;
  readonly service?: string;
  readonly tag?: string | readonly string[];
  readonly passingonly?: boolean;
  readonly state?: string;
  readonly name?: string;
  readonly service_id?: string;
  readonly filter?: string;
}

/** How a watch asks, and what it makes of the answer. */
export interface WatchPlan {
  readonly path: string;
  readonly query: Query;
  /** Whether changes show in the hash of the content instead of the index. */
  readonly byHash: boolean;
  /** What a handler gets; undefined when there is nothing new in it. */
  read(answer: ApiAnswer): unknown;
}

type Build = (params: WatchParams) => Omit<WatchPlan, 'byHash'> & { byHash?: boolean };

const body = (answer: ApiAnswer): unknown => (answer.status === 404 ? null : answer.json());

const BUILDERS: Readonly<Record<string, Build>> = {
  key: ({ key = '' }) => ({
    path: kvPath(needed('key', key)),
    query: {},
    read: (answer) => (answer.status === 404 ? null : (answer.json<unknown[]>()[0] ?? null)),
  }),
  keyprefix: ({ prefix = '' }) => ({ path: kvPath(needed('prefix', prefix)), query: { recurse: '' }, read: body }),
  services: ({ filter }) => ({ path: '/v1/catalog/services', query: { filter }, read: body }),
  nodes: ({ filter }) => ({ path: '/v1/catalog/nodes', query: { filter }, read: body }),
  service: ({ service, tag, passingonly, filter }) => ({
    path: `/v1/health/service/${segment('service', service)}`,
    query: { tag, passing: passingonly ? '1' : undefined, filter },
    read: body,
  }),
  checks: ({ service, state, filter }) => ({
    path: service
      ? `/v1/health/checks/${encodeURIComponent(service)}`
      : `/v1/health/state/${segment('state', state ?? 'any')}`,
    query: { filter },
    read: body,
  }),
  event: ({ name }) => {
    let last: string | undefined;
    return {
      path: '/v1/event/list',
      query: { name },
      read: (answer) => {
        const events = answer.json<{ ID: string }[]>();
        const fresh = events.slice(events.findIndex((event) => event.ID === last) + 1);
        last = events.at(-1)?.ID ?? last;
        return fresh.length > 0 ? fresh : undefined;
      },
    };
  },
  connect_roots: () => ({ path: '/v1/agent/connect/ca/roots', query: {}, read: body }),
  connect_leaf: ({ service }) => ({
    path: `/v1/agent/connect/ca/leaf/${segment('service', service)}`,
    query: {},
    read: body,
  }),
  agent_service: ({ service_id: id }) => ({
    path: `/v1/agent/service/${segment('service_id', id)}`,
    query: {},
    byHash: true,
    read: body,
  }),
};

export const WATCH_TYPES: readonly string[] = Object.keys(BUILDERS);

/** @throws AppError `config` for an unknown type or a missing parameter. */
export function watchPlan(params: WatchParams): WatchPlan {
  const build = Object.hasOwn(BUILDERS, params.type) ? BUILDERS[params.type] : undefined;
  if (!build) throw new AppError('config', `-type=${params.type}: use one of ${WATCH_TYPES.join(', ')}`);
  return { byHash: false, ...build(params) };
}

function segment(name: string, value: string | undefined): string {
  return encodeURIComponent(needed(name, value));
}

function needed(name: string, value: string | undefined): string {
  if (!value) throw new AppError('config', `-${name} must be given for this type of watch`);
  return value;
}
