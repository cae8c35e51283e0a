import type { LiveRead } from '../../api/routes/catalog-backend.ts';
import type { CentralConfig } from '../../api/routes/central-config.ts';
import { DEFAULT_NAMESPACE, type ServiceInstance } from '../../api/shapes/catalog.ts';
import { liveRead } from '../backend/catalog-reads.ts';
import type { CatalogState } from '../catalog/state.ts';
import { type ConfigTable, configTopic } from '../config-entries/config-table.ts';
import { ChainEntries } from '../discovery-chain/chain-entries.ts';
import { mergeProxy, type RegisteredProxy } from './merge-proxy.ts';

/** On what merged instances depend beside themselves. */
const TOPICS: readonly string[] = [configTopic.kind('proxy-defaults'), configTopic.kind('service-defaults')];

/** What configuration entries say of proxies and gateways: entries are of the default namespace. */
export class StateCentralConfig implements CentralConfig {
  readonly #state: CatalogState;
  readonly #entries: ChainEntries;

  constructor(deps: { state: CatalogState; table: ConfigTable }) {
    this.#state = deps.state;
    this.#entries = new ChainEntries(deps.table);
  }

  live(): LiveRead<undefined> {
    return liveRead(this.#state, TOPICS, () => undefined);
  }

  merge(instance: ServiceInstance): ServiceInstance {
    const service = configuredAs(instance);
    if (service === undefined) return instance;
    const { proxyDefaults: global } = this.#entries;
    const own = this.#entries.defaults(service);
    const proxy = mergeProxy((instance.Proxy ?? {}) as RegisteredProxy, {
      global,
      service: own,
      protocolOf: (upstream) => this.#givenProtocol(upstream),
    });
    return { ...instance, Proxy: proxy as Record<string, unknown> };
  }

  /** undefined when no entry gives one. */
  #givenProtocol(service: string): string | undefined {
    const { protocol } = this.#entries.proxyDefaults?.Config ?? {};
    return this.#entries.defaults(service)?.Protocol || (typeof protocol === 'string' ? protocol : undefined);
  }
}

/** The service whose entries concern an instance: a proxy's destination, or the gateway itself. */
function configuredAs({
  Kind: kind = '',
  Namespace,
  Proxy: proxy,
  Service: name,
}: ServiceInstance): string | undefined {
  if ((Namespace ?? DEFAULT_NAMESPACE) !== DEFAULT_NAMESPACE) return undefined;
  if (kind.endsWith('-gateway')) return name;
  const destination = proxy?.DestinationServiceName;
  return kind === 'connect-proxy' && typeof destination === 'string' ? destination : undefined;
}
