import type { Route } from '../http/route.ts';

/** Consul's ACL endpoints (Consul HTTP API, "ACLs"). */
export const ACL_ENDPOINTS: readonly (readonly [path: string, ...methods: Route['method'][]])[] = [
  ['/v1/acl/bootstrap', 'PUT'],
  ['/v1/acl/replication', 'GET'],
  ['/v1/acl/login', 'POST'],
  ['/v1/acl/logout', 'POST'],
  ['/v1/acl/tokens', 'GET'],
  ['/v1/acl/token', 'PUT'],
  ['/v1/acl/token/self', 'GET'],
  ['/v1/acl/token/:id', 'GET', 'PUT', 'DELETE'],
  ['/v1/acl/token/:id/clone', 'PUT'],
  ['/v1/acl/policies', 'GET'],
  ['/v1/acl/policy', 'PUT'],
  ['/v1/acl/policy/name/:name', 'GET'],
  ['/v1/acl/policy/:id', 'GET', 'PUT', 'DELETE'],
  ['/v1/acl/roles', 'GET'],
  ['/v1/acl/role', 'PUT'],
  ['/v1/acl/role/name/:name', 'GET'],
  ['/v1/acl/role/:id', 'GET', 'PUT', 'DELETE'],
  ['/v1/acl/binding-rules', 'GET'],
  ['/v1/acl/binding-rule', 'PUT'],
  ['/v1/acl/binding-rule/:id', 'GET', 'PUT', 'DELETE'],
  ['/v1/acl/auth-methods', 'GET'],
  ['/v1/acl/auth-method', 'PUT'],
  ['/v1/acl/auth-method/:name', 'GET', 'PUT', 'DELETE'],
  ['/v1/acl/templated-policies', 'GET'],
  ['/v1/acl/templated-policy/name/:name', 'GET'],
  ['/v1/acl/templated-policy/preview/:name', 'POST'],
  ['/v1/internal/acl/authorize', 'POST'],
];

/** Consul's answer to every ACL endpoint while access control is off: status 401. */
export function aclDisabledRoutes(): Route[] {
  return ACL_ENDPOINTS.flatMap(([path, ...methods]) =>
    methods.map((method): Route => ({ method, path, handle: () => ({ status: 401, text: 'ACL support disabled' }) })),
  );
}
