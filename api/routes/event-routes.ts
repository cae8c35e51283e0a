import type { Clock } from '../../core/clock.ts';
import { AppError } from '../../core/errors.ts';
import type { Random } from '../../core/random.ts';
import { blockingQuery, type Watch } from '../blocking-query.ts';
import { blockingParams, inDatacenter } from '../http/request-params.ts';
import { ERROR_CODE_HEADER } from '../http/respond.ts';
import type { Route, RouteRequest, RouteResponse } from '../http/route.ts';
import { eventIndex, type UserEvent } from '../shapes/user-event.ts';
import { agentOf } from './asking-agent.ts';
import { missing } from './read-route.ts';

/** What is fired: an event before it has an id. */
export interface EventToFire {
  readonly name: string;
  readonly payload: Buffer;
  readonly node: string;
  readonly service: string;
  readonly tag: string;
}

export interface EventBackend {
  /** @throws AppError `badRequest` with Consul's text, for a filter that is none or a payload that is too large. */
  fire(event: EventToFire): UserEvent;
  /** The last events that are meant for a node's agent, oldest first. */
  received(agent: string): readonly UserEvent[];
  readonly watch: Watch;
}

export interface EventRouteDeps {
  readonly clock: Clock;
  readonly random: Random;
}

/** PUT /v1/event/fire/:name and GET /v1/event/list (Consul HTTP API, "Event"). */
export function eventRoutes(
  deps: EventRouteDeps,
  backend: EventBackend,
  options: { datacenter: string; nodeName: string },
): Route[] {
  return [
    {
      method: 'PUT',
      path: '/v1/event/fire/:name',
      handle: inDatacenter(options, (request) => fire(backend, request)),
    },
    {
      method: 'GET',
      path: '/v1/event/list',
      handle: (request) => list(deps, backend, request, agentOf(request) ?? options.nodeName),
    },
  ];
}

function fire(backend: EventBackend, { params, query, body }: RouteRequest): RouteResponse {
  if (!params.name) return missing('name');
  const filter = (name: string) => query.get(name) ?? '';
  try {
    return {
      json: backend.fire({
        name: params.name,
        payload: body,
        node: filter('node'),
        service: filter('service'),
        tag: filter('tag'),
      }),
    };
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'badRequest') throw error;
    return { status: 500, text: error.message, headers: { [ERROR_CODE_HEADER]: error.code } };
  }
}

/** Waits while the newest event is the one whose index the client knows: not for a greater one, ids have no order. */
async function list(
  deps: EventRouteDeps,
  backend: EventBackend,
  { query, signal }: RouteRequest,
  agent: string,
): Promise<RouteResponse> {
  const { waitMs } = blockingParams(query);
  const known = BigInt(query.get('index') || '0');
  const name = query.get('name') ?? '';
  const run = () => {
    const events = backend.received(agent).filter((event) => name === '' || event.Name === name);
    const last = events.at(-1);
    const index = last ? eventIndex(last.ID) : 1n;
    return { value: { events, index }, index: known !== 0n && index === known ? 1 : 2, applied: 2 };
  };
  const waits = { index: known === 0n ? 0 : 1, waitMs };
  const { value } = await blockingQuery(deps, waits, run, backend.watch, signal);
  return { json: value.events, headers: { 'x-consul-index': String(value.index) } };
}
