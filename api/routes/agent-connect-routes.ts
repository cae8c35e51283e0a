import type { Clock } from '../../core/clock.ts';
import type { Random } from '../../core/random.ts';
import { blockingQuery, type Reading, type Watch } from '../blocking-query.ts';
import { blockingParams, namespaceOf } from '../http/request-params.ts';
import type { Route, RouteRequest, RouteResponse } from '../http/route.ts';
import {
  type Authorization,
  type AuthorizeRequest,
  type CaRoots,
  decodeAuthorize,
  type LeafCertificate,
} from '../shapes/connect.ts';
import { whenDisabled } from './ca-routes.ts';

/** Something an agent keeps: what it is now, with its index, and whether and how long it was there. */
export interface KeptAnswer<T> {
  readonly value: T;
  readonly index: number;
  readonly hit: boolean;
  readonly ageMs: number;
}

/** What an agent knows of the mesh. */
export interface AgentConnectBackend {
  roots(): Promise<KeptAnswer<CaRoots>>;
  /** The present index of the roots; 0 before they are known. */
  rootsIndex(): number;
  watchRoots: Watch;
  /** A certificate that counts; made when there is none. @throws AppError. */
  leaf(namespace: string, service: string): Promise<KeptAnswer<LeafCertificate>>;
  leafIndex(namespace: string, service: string): number;
  watchLeaf(namespace: string, service: string, wake: () => void): () => void;
  authorize(request: AuthorizeRequest): Promise<Authorization>;
}

export interface AgentConnectDeps {
  readonly clock: Clock;
  readonly random: Random;
}

/** /v1/agent/connect/… (Consul HTTP API, "Connect - Agent"). */
export function agentConnectRoutes(
  deps: AgentConnectDeps,
  backend: AgentConnectBackend,
  options: { enabled: boolean },
): Route[] {
  const routes: Route[] = [
    {
      method: 'GET',
      path: '/v1/agent/connect/ca/roots',
      handle: async (request) => {
        // Known from here on, so that there is something to wait for.
        const first = await backend.roots();
        const index = await waited(deps, request, backend.rootsIndex, backend.watchRoots);
        const kept = index === 0 ? first : await backend.roots();
        return answer(kept, { index: Math.max(index, kept.index), knownLeader: true });
      },
    },
    {
      method: 'GET',
      path: '/v1/agent/connect/ca/leaf/:service',
      handle: (request) => leaf(deps, backend, request),
    },
    {
      method: 'POST',
      path: '/v1/agent/connect/authorize',
      handle: async ({ body }) => ({ json: await backend.authorize(decodeAuthorize(body)) }),
    },
  ];
  return options.enabled ? routes : routes.map(whenDisabled);
}

async function leaf(
  deps: AgentConnectDeps,
  backend: AgentConnectBackend,
  request: RouteRequest,
): Promise<RouteResponse> {
  const { service = '' } = request.params;
  if (service === '') return { status: 500, text: 'URI must be either service, agent, server, or kind' };
  const namespace = namespaceOf(request);
  const first = await backend.leaf(namespace, service);
  const index = await waited(
    deps,
    request,
    () => backend.leafIndex(namespace, service),
    (wake) => backend.watchLeaf(namespace, service, wake),
  );
  const kept = index === 0 ? first : await backend.leaf(namespace, service);
  return answer(kept, { index: Math.max(index, kept.index) });
}

/** The index to come back with, after the wait that the request asks for; 0 when it asks for none. */
async function waited(
  deps: AgentConnectDeps,
  { query, signal }: RouteRequest,
  present: () => number,
  watch: Watch,
): Promise<number> {
  const params = blockingParams(query);
  if (params.index === 0) return 0;
  const run = (): Reading<undefined> => ({ value: undefined, index: present(), applied: present() });
  return (await blockingQuery(deps, params, run, watch, signal)).index;
}

function answer<T>(kept: KeptAnswer<T>, meta: RouteResponse['meta']): RouteResponse {
  const headers: Record<string, string> = { 'x-cache': kept.hit ? 'HIT' : 'MISS' };
  if (kept.hit) headers.age = String(Math.floor(kept.ageMs / 1000));
  return { json: kept.value, headers, meta };
}
