import type {
  ApiGateway,
  HttpRoute,
  Indexes,
  IngressGateway,
  TcpRoute,
  TerminatingGateway,
} from '../../api/shapes/config-entry/entry.ts';
import type { GatewayService } from '../../api/shapes/gateway.ts';
import { type Binding, bindingsOf } from './route-binding.ts';

/** A service that a gateway's entry names, or all of them (`*`). */
export type GatewayLink = Omit<GatewayService, 'FromWildcard' | 'ServiceKind'>;

/** Stands for every service. */
export const WILDCARD = '*';

export function ingressLinks({ Name, Listeners = [] }: IngressGateway, indexes: Indexes): GatewayLink[] {
  return Listeners.flatMap(({ Port, Protocol = 'tcp', Services = [] }) =>
    Services.map(({ Name: service = '', Hosts }) => ({
      ...link(Name, service, 'ingress-gateway'),
      ...(Port && { Port }),
      Protocol,
      ...(Hosts && { Hosts }),
      ...indexes,
    })),
  );
}

export function terminatingLinks({ Name, Services = [] }: TerminatingGateway, indexes: Indexes): GatewayLink[] {
  return Services.map(({ Name: service = '', CAFile, CertFile, KeyFile, SNI, DisableAutoHostRewrite }) => ({
    ...link(Name, service, 'terminating-gateway'),
    ...(CAFile && { CAFile }),
    ...(CertFile && { CertFile }),
    ...(KeyFile && { KeyFile }),
    ...(SNI && { SNI }),
    ...(!DisableAutoHostRewrite && { AutoHostRewrite: true as const }),
    ...indexes,
  }));
}

/** The services of the routes that are bound to the gateway's listeners. */
export function apiLinks(
  gateway: ApiGateway,
  routes: readonly (HttpRoute | TcpRoute)[],
  indexes: Indexes,
): GatewayLink[] {
  return bindingsOf(gateway, routes).flatMap(({ listener: { Port, Protocol = '' }, routes: bound }) =>
    bound.flatMap((route) =>
      servicesOfRoute(route).map((service) => ({
        ...link(gateway.Name, service, 'api-gateway' as const),
        ...(Port && { Port }),
        Protocol,
        ...('Hostnames' in route && { Hosts: route.Hostnames }),
        ...indexes,
      })),
    ),
  );
}

/** Each service to which a route leads, once. */
export function servicesOfRoute(route: Binding['routes'][number]): string[] {
  const services =
    'Rules' in route ? route.Rules?.flatMap((rule) => rule.Services ?? []) : (route as TcpRoute).Services;
  return [...new Set((services ?? []).map(({ Name = '' }) => Name))];
}

function link(gateway: string, service: string, GatewayKind: GatewayLink['GatewayKind']) {
  return { Gateway: { Name: gateway }, Service: { Name: service }, GatewayKind };
}
