import { doesNotWait, type RouteRequest } from '../../api/http/route.ts';

/** A request as routes see it, without a socket: empty but for what is given. */
export function routeRequest(
  method: RouteRequest['method'],
  path: string,
  over: Partial<RouteRequest> = {},
): RouteRequest {
  return {
    method,
    path,
    params: {},
    query: new URLSearchParams(),
    headers: {},
    body: Buffer.alloc(0),
    remoteAddress: '',
    signal: new AbortController().signal,
    hold: doesNotWait,
    ...over,
  };
}
