import type { HealthEntry } from '../../api/shapes/catalog.ts';
import type { ListedService } from '../../api/shapes/ui.ts';
import type { CatalogLookups } from '../catalog/lookups.ts';
import type { ServiceEntry } from '../catalog/service-index.ts';
import type { CatalogState } from '../catalog/state.ts';
import { summarize } from './service-summary.ts';

export interface ServiceRowDeps {
  readonly state: CatalogState;
  readonly lookups: Pick<CatalogLookups, 'connect'>;
}

/** The rows of services, each made once for as long as its instances and their proxies stay as they are. */
export class ServiceRows {
  readonly #deps: ServiceRowDeps;
  readonly #datacenter: string;
  /** By `namespace/service` in lower case. */
  readonly #rows = new Map<string, ListedService>();

  constructor(deps: ServiceRowDeps, options: { datacenter: string }) {
    this.#deps = deps;
    this.#datacenter = options.datacenter;
    deps.state.onReset(() => this.#rows.clear());
    deps.state.onChanges((changes) => {
      for (const service of changes.services.keys()) this.#rows.delete(service);
      for (const service of changes.meshDestinations().keys()) this.#rows.delete(service);
    });
  }

  /** The row of a service that has instances. */
  row(service: ServiceEntry): ListedService {
    const key = `${service.namespace}/${service.key}`;
    let row = this.#rows.get(key);
    if (!row) {
      row = this.make(service, service.health());
      this.#rows.set(key, row);
    }
    return row;
  }

  /** The row of some of a service's instances. */
  make({ namespace, name }: ServiceEntry, instances: readonly HealthEntry[]): ListedService {
    const proxies = this.#deps.lookups
      .connect(namespace, name)
      .filter(({ Service }) => Service.Kind === 'connect-proxy');
    return {
      ...summarize({ name, datacenter: this.#datacenter }, instances, proxies),
      ConnectedWithProxy: proxies.length > 0,
      ConnectedWithGateway: false,
    };
  }
}
