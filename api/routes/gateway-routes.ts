import type { Route } from '../http/route.ts';
import { DEFAULT_NAMESPACE, type HealthEntry } from '../shapes/catalog.ts';
import type { GatewayService } from '../shapes/gateway.ts';
import type { LiveRead } from './catalog-backend.ts';
import { healthInstancesRoute } from './health-reads.ts';
import { keyOf, missing, type ReadRouteDeps, readRoute } from './read-route.ts';

/** What gateways serve, in the default namespace: there are no entries of others. */
export interface GatewayBackend {
  /** The services that a gateway serves, in the order of its entry. */
  services(gateway: string): LiveRead<readonly GatewayService[]>;
  /** The instances of the ingress gateways that expose a service. */
  ingress(service: string): LiveRead<readonly HealthEntry[]>;
  /** Nothing, which never changes. */
  nothing(): LiveRead<readonly never[]>;
}

/** GET /v1/catalog/gateway-services/:gateway and /v1/health/ingress/:service (Consul HTTP API, "Catalog", "Health"). */
export function gatewayRoutes(deps: ReadRouteDeps, backend: GatewayBackend): Route[] {
  return [
    readRoute<readonly GatewayService[]>(
      deps,
      '/v1/catalog/gateway-services/:gateway',
      ({ namespace }, { params: { gateway } }) => {
        if (!gateway) return missing('gateway name');
        return {
          key: keyOf('gateway-services', namespace, gateway.toLowerCase()),
          live: namespace === DEFAULT_NAMESPACE ? backend.services(gateway) : backend.nothing(),
          json: (services) => services,
        };
      },
    ),
    healthInstancesRoute(deps, '/v1/health/ingress/:name', 'health-ingress', (namespace, name) =>
      namespace === DEFAULT_NAMESPACE ? backend.ingress(name) : backend.nothing(),
    ),
  ];
}
