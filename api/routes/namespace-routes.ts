import { AppError } from '../../core/errors.ts';
import { checkedNamespace, inDatacenter } from '../http/request-params.ts';
import type { Route, RouteRequest, RouteResponse } from '../http/route.ts';
import { DEFAULT_NAMESPACE } from '../shapes/catalog.ts';
import { decodeNamespace, type Namespace, type NamespaceContent } from '../shapes/namespace.ts';
import type { LiveRead } from './catalog-backend.ts';
import { keyOf, missing, type ReadRouteDeps, readRoute } from './read-route.ts';

export interface NamespaceBackend {
  /** Declared ones and those in use, by name. */
  list(): LiveRead<readonly Namespace[]>;
  named(name: string): LiveRead<Namespace | undefined>;
  declare(content: NamespaceContent): Promise<Namespace>;
  /** @throws AppError `conflict` naming what it still holds. */
  remove(name: string): Promise<void>;
}

/** GET /v1/namespaces, PUT /v1/namespace, and GET, PUT and DELETE /v1/namespace/:name (Consul Enterprise's API, "Namespaces"). */
export function namespaceRoutes(deps: ReadRouteDeps, backend: NamespaceBackend): Route[] {
  const route = (
    method: Route['method'],
    path: string,
    handle: (request: RouteRequest) => Promise<RouteResponse> | RouteResponse,
  ): Route => ({ method, path, handle: inDatacenter(deps, handle) });
  return [
    readRoute(deps, '/v1/namespaces', () => ({
      key: keyOf('namespaces'),
      live: backend.list(),
      json: (namespaces) => namespaces,
      byUrl: true,
    })),
    route('PUT', '/v1/namespace', async ({ body }) => ({
      json: await backend.declare(decodeNamespace(body, undefined)),
    })),
    readRoute<Namespace | undefined>(deps, '/v1/namespace/:name', (_params, { params }) => {
      if (!params.name) return missing('namespace name');
      const name = checkedNamespace(params.name);
      return {
        key: keyOf('namespace', name),
        live: backend.named(name),
        json: (namespace) => namespace,
        respond: (namespace) => (namespace ? { json: namespace } : { status: 404 }),
      };
    }),
    route('PUT', '/v1/namespace/:name', async ({ params, body }) => {
      if (!params.name) return missing('namespace name');
      return { json: await backend.declare(decodeNamespace(body, params.name)) };
    }),
    route('DELETE', '/v1/namespace/:name', async ({ params }) => {
      if (!params.name) return missing('namespace name');
      const name = checkedNamespace(params.name);
      if (name === DEFAULT_NAMESPACE) {
        throw new AppError('badRequest', 'Cannot delete the namespace "default"', { facts: { field: 'name' } });
      }
      await backend.remove(name);
      return {};
    }),
  ];
}
