import { gatewayRoutes } from '../../api/routes/gateway-routes.ts';
import { DEFAULT_NAMESPACE, type HealthEntry } from '../../api/shapes/catalog.ts';
import { liveRead } from '../backend/catalog-reads.ts';
import type { ConfigTable } from '../config-entries/config-table.ts';
import type { PartDeps, ServerPart } from '../parts.ts';
import { GatewayIndex } from './gateway-index.ts';
import { GatewayServices } from './gateway-services.ts';

/** Gateways, and what other parts ask of them. */
export interface GatewaysPart extends ServerPart {
  readonly services: GatewayServices;
  /** For DNS. */
  readonly ingress: (namespace: string, service: string) => readonly HealthEntry[];
}

export function gatewaysPart(deps: PartDeps, table: ConfigTable): GatewaysPart {
  const { state } = deps;
  const index = new GatewayIndex();
  table.addIndex(index);
  const services = new GatewayServices({ state, table, index });
  return {
    routes: gatewayRoutes(deps.reads, {
      services: (gateway) =>
        liveRead(
          state,
          () => services.topics(gateway),
          () => services.services(gateway),
        ),
      ingress: (service) =>
        liveRead(
          state,
          () => services.ingressTopics(service),
          () => services.ingress(service),
        ),
      nothing: () => liveRead(state, [], () => []),
    }),
    services,
    ingress: (namespace, service) => (namespace === DEFAULT_NAMESPACE ? services.ingress(service) : []),
  };
}
