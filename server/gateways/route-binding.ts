import type { ApiGateway, HttpRoute, TcpRoute } from '../../api/shapes/config-entry/entry.ts';

export type ApiListener = NonNullable<ApiGateway['Listeners']>[number];

/** A listener and the routes that serve its requests. */
export interface Binding {
  readonly listener: ApiListener;
  readonly routes: readonly (HttpRoute | TcpRoute)[];
}

/**
 * Which routes each listener of a gateway takes: those that name the gateway (and the listener, if they name one), speak the
 * listener's protocol and share a host name with it. A listener for connections takes one route alone: the first.
 * @param routes in order of kind and name.
 */
export function bindingsOf(gateway: ApiGateway, routes: readonly (HttpRoute | TcpRoute)[]): Binding[] {
  return (gateway.Listeners ?? []).map((listener) => {
    const bound = routes.filter((route) => isFor(route, gateway.Name, listener) && fits(route, listener));
    return { listener, routes: listener.Protocol === 'tcp' ? bound.slice(0, 1) : bound };
  });
}

function isFor({ Parents = [] }: HttpRoute | TcpRoute, gateway: string, { Name: listener }: ApiListener): boolean {
  return Parents.some(
    ({ Name: name = '', SectionName: section = '' }) =>
      name.toLowerCase() === gateway.toLowerCase() && (section === '' || section === listener),
  );
}

function fits(route: HttpRoute | TcpRoute, { Protocol: protocol, Hostname: own = '' }: ApiListener): boolean {
  if (route.Kind === 'tcp-route') return protocol === 'tcp';
  if (protocol !== 'http') return false;
  const { Hostnames: hosts = [] } = route as HttpRoute;
  return own === '' || own === '*' || hosts.length === 0 || hosts.some((host) => sharesHost(own, host));
}

/** Whether some name is meant by both; `*.` as the first label stands for one label or more. */
function sharesHost(one: string, other: string): boolean {
  const [a, b] = [one.toLowerCase(), other.toLowerCase()];
  return a === b || covers(a, b) || covers(b, a);
}

function covers(pattern: string, host: string): boolean {
  return pattern === '*' || (pattern.startsWith('*.') && host.endsWith(pattern.slice(1)));
}
