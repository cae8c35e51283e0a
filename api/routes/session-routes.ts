import { inDatacenter, namespaceOf } from '../http/request-params.ts';
import { ERROR_CODE_HEADER } from '../http/respond.ts';
import type { Route, RouteRequest, RouteResponse } from '../http/route.ts';
import { decodeSession, type Session, type SessionContent } from '../shapes/session.ts';
import { agentOf } from './asking-agent.ts';
import type { LiveRead } from './catalog-backend.ts';
import { failed } from './kv-routes.ts';
import { keyOf, missing, type ReadRouteDeps, readRoute } from './read-route.ts';

export interface SessionBackend {
  list(namespace: string): LiveRead<readonly Session[]>;
  ofNode(namespace: string, node: string): LiveRead<readonly Session[]>;
  byId(namespace: string, id: string): LiveRead<Session | undefined>;
  /** Gives the id, or Consul's text for why there cannot be such a session. */
  create(namespace: string, content: SessionContent): Promise<{ id: string } | { refused: string }>;
  /** What is unknown is no error. */
  destroy(namespace: string, id: string): Promise<void>;
  /** Begins its time to live anew; undefined when there is no such session. */
  renew(namespace: string, id: string): Promise<Session | undefined>;
}

/** /v1/session/… (Consul HTTP API, "Session"). */
export function sessionRoutes(deps: ReadRouteDeps, backend: SessionBackend, options: { nodeName: string }): Route[] {
  const sessions = (value: readonly Session[]) => value;
  return [
    readRoute<readonly Session[]>(deps, '/v1/session/list', ({ namespace }) => ({
      key: keyOf('sessions', namespace),
      live: backend.list(namespace),
      json: sessions,
    })),
    readRoute<readonly Session[]>(deps, '/v1/session/node/:node', ({ namespace }, { params }) => {
      const node = params.node ?? '';
      if (node === '') return missing('node name');
      return { key: keyOf('node-sessions', namespace, node), live: backend.ofNode(namespace, node), json: sessions };
    }),
    readRoute<Session | undefined>(deps, '/v1/session/info/:id', ({ namespace }, { params }) => {
      const id = params.id ?? '';
      if (id === '') return missing('session');
      const json = (session: Session | undefined) => (session ? [session] : []);
      return { key: keyOf('session', namespace, id), live: backend.byId(namespace, id), json };
    }),
    write(deps, '/v1/session/create', async (request) => {
      const { content, namespace } = decodeSession(request.body, { node: agentOf(request) ?? options.nodeName });
      const made = await backend.create(namespace ?? namespaceOf(request), content);
      return 'refused' in made ? failed(made.refused) : { json: { ID: made.id } };
    }),
    write(deps, '/v1/session/destroy/:id', async (request) => {
      const id = request.params.id ?? '';
      if (id === '') return missing('session');
      await backend.destroy(namespaceOf(request), id);
      return { json: true };
    }),
    write(deps, '/v1/session/renew/:id', async (request) => {
      const id = request.params.id ?? '';
      if (id === '') return missing('session');
      const session = await backend.renew(namespaceOf(request), id);
      return session ? { json: [session] } : notFound(id);
    }),
  ];
}

function write(
  deps: ReadRouteDeps,
  path: string,
  handle: (request: RouteRequest) => Promise<RouteResponse> | RouteResponse,
): Route {
  return { method: 'PUT', path, handle: inDatacenter(deps, handle) };
}

function notFound(id: string): RouteResponse {
  return { status: 404, text: `Session id '${id}' not found`, headers: { [ERROR_CODE_HEADER]: 'notFound' } };
}
