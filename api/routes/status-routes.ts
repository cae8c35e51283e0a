import { inDatacenter } from '../http/request-params.ts';
import type { Route } from '../http/route.ts';
import type { ServerStatus } from './catalog-backend.ts';

/** GET /v1/status/leader and /v1/status/peers. */
export function statusRoutes(backend: ServerStatus): Route[] {
  const local = (answer: () => unknown): Route['handle'] => inDatacenter(backend, () => ({ json: answer() }));
  return [
    { method: 'GET', path: '/v1/status/leader', handle: local(() => backend.leader()) },
    { method: 'GET', path: '/v1/status/peers', handle: local(() => backend.peers()) },
  ];
}
