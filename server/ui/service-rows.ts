import { DEFAULT_NAMESPACE, type HealthEntry } from '../../api/shapes/catalog.ts';
import type { GatewayService } from '../../api/shapes/gateway.ts';
import type { ListedService, ServiceSummary } from '../../api/shapes/ui.ts';
import type { CatalogLookups } from '../catalog/lookups.ts';
import type { ServiceEntry } from '../catalog/service-index.ts';
import type { CatalogState } from '../catalog/state.ts';
import { summarize } from './service-summary.ts';

export interface ServiceRowDeps {
  readonly state: CatalogState;
  readonly lookups: Pick<CatalogLookups, 'connect'>;
  readonly gateways: {
    /** What a gateway serves. */
    services(gateway: string): readonly GatewayService[];
    /** Whether some gateway serves a service. */
    serveAny(service: string): boolean;
  };
}

/** What a row has of its instances alone. */
type OwnRow = Omit<ListedService, 'ConnectedWithGateway'>;

/** The rows of services; what they have of their instances is made once for as long as these and their proxies stay. */
export class ServiceRows {
  readonly #deps: ServiceRowDeps;
  readonly #datacenter: string;
  /** By `namespace/service` in lower case. */
  readonly #rows = new Map<string, OwnRow>();

  constructor(deps: ServiceRowDeps, options: { datacenter: string }) {
    this.#deps = deps;
    this.#datacenter = options.datacenter;
    deps.state.onReset(() => this.#rows.clear());
    deps.state.onChanges((changes) => {
      if (this.#rows.size === 0) return;
      for (const { namespace, key } of changes.services.values()) this.#rows.delete(`${namespace}/${key}`);
      for (const service of changes.meshDestinations().keys()) this.#rows.delete(service);
    });
  }

  /** The row of a service that has instances, or of those of them that are given. */
  row(service: ServiceEntry, instances?: readonly HealthEntry[]): ListedService {
    const own = instances ? this.#make(service, instances) : this.#own(service);
    const { namespace, key } = service;
    return {
      ...own,
      GatewayConfig: this.#gatewayConfig(service),
      ConnectedWithGateway: namespace === DEFAULT_NAMESPACE && this.#deps.gateways.serveAny(key),
    };
  }

  /** The same without what only the list shows. */
  summary(service: ServiceEntry): ServiceSummary {
    const { ConnectedWithProxy: _, ConnectedWithGateway: __, ...summary } = this.row(service);
    return summary;
  }

  /** A service that has no instances. */
  absent(name: string): ServiceSummary {
    return summarize({ name, datacenter: this.#datacenter }, [], []);
  }

  #own(service: ServiceEntry): OwnRow {
    const key = `${service.namespace}/${service.key}`;
    let row = this.#rows.get(key);
    if (!row) {
      row = this.#make(service, service.health());
      this.#rows.set(key, row);
    }
    return row;
  }

  #make({ namespace, name }: ServiceEntry, instances: readonly HealthEntry[]): OwnRow {
    const proxies = this.#deps.lookups
      .connect(namespace, name)
      .filter(({ Service }) => Service.Kind === 'connect-proxy');
    return {
      ...summarize({ name, datacenter: this.#datacenter }, instances, proxies),
      ConnectedWithProxy: proxies.length > 0,
    };
  }

  #gatewayConfig({ namespace, kind, key }: ServiceEntry): ListedService['GatewayConfig'] {
    if (namespace !== DEFAULT_NAMESPACE || !kind.endsWith('-gateway')) return {};
    const services = this.#deps.gateways.services(key).filter(({ GatewayKind }) => GatewayKind === kind);
    const count = new Set(services.map(({ Service }) => Service.Name)).size;
    return count > 0 ? { AssociatedServiceCount: count } : {};
  }
}
