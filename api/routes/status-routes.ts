import { datacenterOf, unknownDatacenter } from '../http/request-params.ts';
import type { Route, RouteRequest, RouteResponse } from '../http/route.ts';
import type { ServerStatus } from './catalog-backend.ts';

/** GET /v1/status/leader and /v1/status/peers. */
export function statusRoutes(backend: ServerStatus): Route[] {
  const local =
    (answer: () => unknown) =>
    (request: RouteRequest): RouteResponse => {
      const datacenter = datacenterOf(request.query);
      if (datacenter !== '' && datacenter !== backend.datacenter.toLowerCase()) return unknownDatacenter();
      return { json: answer() };
    };
  return [
    { method: 'GET', path: '/v1/status/leader', handle: local(() => backend.leader()) },
    { method: 'GET', path: '/v1/status/peers', handle: local(() => backend.peers()) },
  ];
}
