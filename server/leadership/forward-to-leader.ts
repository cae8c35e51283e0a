import { askedAgain } from '../../api/http/forwarding.ts';
import { consistencyOf } from '../../api/http/request-params.ts';
import type { Route, RouteRequest, RouteResponse } from '../../api/http/route.ts';
import type { Clock } from '../../core/clock.ts';
import { parseGoDuration } from '../../core/duration.ts';
import { AppError } from '../../core/errors.ts';
import { FORWARDED_HEADER } from './handed-requests.ts';
import type { LeaderClient } from './leader-client.ts';
import type { Leadership, ServerPlace } from './leadership.ts';

export interface ForwardDeps {
  readonly clock: Clock;
  readonly leadership: Leadership;
  readonly client: Pick<LeaderClient, 'send'>;
}

/** Requests wait so long for a leader, as in Consul (performance.rpc_hold_timeout). */
const HOLD_MS = 7000;
/** Where nobody has led for longer than that, one more request would only wait in vain. */
const MIN_HOLD_MS = 1000;
const RETRY_MS = 50;
/** Requests that wait for a leader at a time; each may hold a body. */
const MAX_HELD = 4096;
/** Answered by every server from what it knows. */
const ANYWHERE = /^\/v1\/(status\/|stream\/|acl\/|openapi)/;

/** The same routes on a server that may not be the leader: what is the leader's is handed to it. */
export function forwardToLeader(routes: readonly Route[], deps: ForwardDeps): Route[] {
  const held = { count: 0 };
  return routes.map((route) =>
    ANYWHERE.test(route.path) ? route : { ...route, handle: (request) => handled(route, request, deps, held) },
  );
}

function handled(
  route: Route,
  request: RouteRequest,
  deps: ForwardDeps,
  held: { count: number },
): Promise<RouteResponse> | RouteResponse {
  if (deps.leadership.leads()) return here(route, request, deps);
  if (!isLeaders(request, deps.leadership)) return route.handle(request);
  if (request.headers[FORWARDED_HEADER] !== undefined) throw noLeader(deps);
  return elsewhere(route, request, deps, held);
}

/** What can be given again without looking at the request can be so only by a leader. */
async function here(route: Route, request: RouteRequest, { leadership }: ForwardDeps): Promise<RouteResponse> {
  const response = await route.handle(request);
  const { again } = response;
  if (!again) return response;
  return { ...response, again: () => (leadership.leads() ? again() : undefined) };
}

async function elsewhere(
  route: Route,
  request: RouteRequest,
  deps: ForwardDeps,
  held: { count: number },
): Promise<RouteResponse> {
  const { clock, leadership, client } = deps;
  if (held.count >= MAX_HELD) throw new AppError('queueFull', `${MAX_HELD} requests already wait for the leader`);
  const holdMs = Math.max(HOLD_MS - leadership.lastContactMs(), MIN_HOLD_MS);
  const came = clock.monotonic();
  let until = came + holdMs;
  let reason = '';
  held.count++;
  try {
    for (;;) {
      const asked = askedAgain(request, clock.monotonic() - came);
      if (leadership.leads()) return await here(route, asked, deps);
      const leader = leadership.leader();
      if (leader) {
        const begun = clock.monotonic();
        const sent = await client.send(leader.address, route, asked);
        if (sent.answered) return sent.response;
        reason = sent.reason;
        // A blocking query whose leader was lost meanwhile.
        if (clock.monotonic() - begun > HOLD_MS) until = clock.monotonic() + HOLD_MS;
      }
      const leftMs = until - clock.monotonic();
      if (request.signal.aborted || leftMs <= 0) throw leader ? unreachable(leader, reason) : noLeader(deps);
      // A leader that is known but does not answer, or one that nobody knows.
      await leadership.changed(leader ? RETRY_MS : leftMs, request.signal);
    }
  } finally {
    held.count--;
  }
}

/** Writes, and reads that are not content with what any server knows. What is wrong with a request any server can say. */
function isLeaders({ method, query }: RouteRequest, leadership: Leadership): boolean {
  if (method !== 'GET') return true;
  try {
    if (consistencyOf(query) !== 'stale') return true;
    const maxStale = query.get('max_stale');
    return Boolean(maxStale) && leadership.lastContactMs() > (parseGoDuration(maxStale ?? '') ?? 0);
  } catch {
    return false;
  }
}

/** As `noLeader`: another server leads, which this one does not reach. */
function unreachable({ name }: ServerPlace, reason: string): AppError {
  return new AppError('noLeader', `No cluster leader: ${name} leads and cannot be reached from here: ${reason}`);
}

/** Consul's text, which clients look for, and why it will stay so. */
function noLeader({ leadership }: Pick<ForwardDeps, 'leadership'>): AppError {
  const hindrance = leadership.hindrance();
  return new AppError('noLeader', `No cluster leader${hindrance ? `: ${hindrance}` : ''}`);
}
