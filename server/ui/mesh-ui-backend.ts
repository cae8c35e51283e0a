import type { LiveRead } from '../../api/routes/catalog-backend.ts';
import type { MeshUiBackend } from '../../api/routes/ui-routes.ts';
import { DEFAULT_NAMESPACE } from '../../api/shapes/catalog.ts';
import type { ExportedServices } from '../../api/shapes/config-entry/entry.ts';
import type { GatewayService } from '../../api/shapes/gateway.ts';
import type { Intention } from '../../api/shapes/intention.ts';
import type { ListedService, ServiceSummary, ServiceTopology } from '../../api/shapes/ui.ts';
import { liveRead } from '../backend/catalog-reads.ts';
import type { CatalogState } from '../catalog/state.ts';
import { topicOf } from '../catalog/topics.ts';
import { type ConfigTable, configTopic } from '../config-entries/config-table.ts';
import { GATEWAYS_TOPIC } from '../gateways/gateway-index.ts';
import { type GatewayServices, WILDCARD_TOPICS } from '../gateways/gateway-services.ts';
import type { IntentionIndex } from '../intentions/intention-index.ts';
import { SERVER_SERVICE } from '../server-registration.ts';
import type { ServiceRows } from './service-rows.ts';
import type { Topology } from './topology.ts';

export interface MeshUiBackendDeps {
  readonly state: CatalogState;
  readonly rows: ServiceRows;
  readonly topology: Topology;
  readonly table: ConfigTable;
  readonly gateways: GatewayServices;
  readonly intentions: IntentionIndex;
}

const INTENTIONS = configTopic.kind('service-intentions');
/** On what rows of services in the mesh depend. */
const ROW_TOPICS: readonly string[] = [topicOf.instances(DEFAULT_NAMESPACE), GATEWAYS_TOPIC, ...WILDCARD_TOPICS];

/** What the user interface asks of the mesh, over the state of this server. */
export class StateMeshUiBackend implements MeshUiBackend {
  readonly #deps: MeshUiBackendDeps;
  readonly #options: { readonly datacenter: string; readonly domain: string };

  constructor(deps: MeshUiBackendDeps, options: { datacenter: string; domain: string }) {
    this.#deps = deps;
    this.#options = options;
  }

  topology(service: string, isIngress: boolean): LiveRead<ServiceTopology> {
    const { state, topology } = this.#deps;
    return liveRead(state, [...ROW_TOPICS, INTENTIONS], () => topology.of(service, isIngress));
  }

  gatewayServices(gateway: string): LiveRead<readonly ServiceSummary[]> {
    const { state, gateways } = this.#deps;
    return liveRead(state, ROW_TOPICS, () => {
      const served = Map.groupBy(gateways.services(gateway), ({ Service }) => Service.Name.toLowerCase());
      return [...served].map(([service, links]) => this.#behindGateway(service, links));
    });
  }

  gatewayIntentions(gateway: string): LiveRead<readonly Intention[]> {
    const { state, gateways, intentions } = this.#deps;
    return liveRead(
      state,
      () => [...gateways.topics(gateway), INTENTIONS],
      () => {
        const services = new Set(gateways.services(gateway).map(({ Service }) => Service.Name.toLowerCase()));
        return [...new Set([...services].flatMap((service) => intentions.to(service)))];
      },
    );
  }

  exported(peer: string): LiveRead<readonly ListedService[]> {
    const { state, table, rows } = this.#deps;
    return liveRead(state, [...ROW_TOPICS, configTopic.kind('exported-services')], () => {
      const { Services: services = [] } = (table.get('exported-services', 'default') ??
        {}) as Partial<ExportedServices>;
      const names = services
        .filter(({ Consumers: consumers = [] }) => consumers.some((consumer) => consumer.Peer === peer))
        .map(({ Name: name = '' }) => name.toLowerCase());
      return [...state.services(DEFAULT_NAMESPACE)]
        .filter(
          ({ key, kind }) => names.includes(key) || (names.includes('*') && kind === '' && key !== SERVER_SERVICE),
        )
        .sort((a, b) => (a.key < b.key ? -1 : 1))
        .map((service) => rows.row(service));
    });
  }

  #behindGateway(service: string, links: readonly GatewayService[]): ServiceSummary {
    const { state, rows } = this.#deps;
    const entry = state.serviceEntry(DEFAULT_NAMESPACE, service);
    const row = entry ? rows.summary(entry) : rows.absent(links[0]!.Service.Name);
    const addresses = [...new Set(links.flatMap((link) => this.#addresses(link)))];
    return { ...row, GatewayConfig: { ...row.GatewayConfig, ...(addresses.length > 0 && { Addresses: addresses }) } };
  }

  /** Under which names an ingress gateway is asked for a service: its hosts, else its name in DNS. */
  #addresses({ GatewayKind: kind, Service, Port: port, Hosts: hosts }: GatewayService): string[] {
    if (kind !== 'ingress-gateway') return [];
    const { datacenter, domain } = this.#options;
    const names = hosts ?? [`${Service.Name}.ingress.${datacenter}.${domain}`];
    return names.map((name) => `${name}:${port}`);
  }
}
