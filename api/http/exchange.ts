import type { IncomingMessage, ServerResponse } from 'node:http';
import { forbidden, otherMethod } from './fixed-answers.ts';
import { type HttpPolicy, refusalOf } from './http-policy.ts';
import { decodedPath, HttpRouteRequest, isPrintablePath } from './request.ts';
import type { RouteRequest, RouteResponse } from './route.ts';
import type { MountedPath } from './route-table.ts';

/** A request whose body is there, and what answers it. */
export interface Exchange {
  readonly raw: IncomingMessage;
  readonly response: ServerResponse;
  readonly params: Record<string, string>;
  /** Its bytes, or, where the path streams bodies, their stream. */
  readonly body: unknown;
}

/** What requests are handled with. */
export interface Handling {
  readonly policy: HttpPolicy;
  readonly stopping: AbortSignal;
  readonly hold: RouteRequest['hold'];
}

/** What a client asked for with a method that no route has. */
const askedMethods = new WeakMap<IncomingMessage, string>();

/** Keeps the method of a request that gets another one for its way. */
export function rememberMethod(request: IncomingMessage): void {
  askedMethods.set(request, request.method ?? '');
}

/** Gives a request to the route of its method, if it has one and the policy lets it. @throws what the route throws. */
export function handle(
  path: MountedPath,
  { raw, response, params, body }: Exchange,
  { policy, stopping, hold }: Handling,
): Promise<RouteResponse> | RouteResponse {
  if (!isPrintablePath(raw.url ?? '/')) return { status: 400 };
  const method = raw.method ?? 'GET';
  const route = path.methods.get(method);
  const refusal = refusalOf(policy, method, {
    path: () => decodedPath(raw.url ?? '/') ?? '',
    remoteAddress: () => raw.socket.remoteAddress ?? '',
  });
  if (refusal !== undefined) return forbidden(refusal);
  if (!route) return otherMethod(askedMethods.get(raw) ?? method, path.allow);
  if (path.restName !== undefined && path.restName !== '*') params[path.restName] = params['*'] ?? '';
  return route.handle(new HttpRouteRequest({ raw, response, stopping, policy, hold }, { params, body }));
}
