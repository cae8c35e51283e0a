import type { LiveRead } from '../../api/routes/catalog-backend.ts';
import type { AddressOwner, DnsLookups, QueryResult } from '../../api/routes/dns-lookup-routes.ts';
import type { ExecuteOptions, ResolvedQuery } from '../../api/routes/query-routes.ts';
import { DEFAULT_NAMESPACE, type HealthEntry } from '../../api/shapes/catalog.ts';
import type { QueryAnswer } from '../../api/shapes/prepared-query.ts';
import { parseGoDuration } from '../../core/duration.ts';
import type { CatalogLookups } from '../catalog/lookups.ts';
import type { CatalogState } from '../catalog/state.ts';

export interface DnsLookupDeps {
  readonly state: CatalogState;
  readonly lookups: CatalogLookups;
  readonly queries: {
    resolve(idOrName: string): ResolvedQuery | undefined;
    execute(resolved: ResolvedQuery, options: ExecuteOptions): LiveRead<QueryAnswer>;
  };
  /** The instances of the ingress gateways that expose a service. */
  readonly ingress: (namespace: string, service: string) => readonly HealthEntry[];
  /** The virtual address of a service; undefined when it has none. */
  readonly virtualAddress: (namespace: string, service: string) => string | undefined;
}

/** What DNS asks beside services and nodes, over the state of this server. */
export class StateDnsLookups implements DnsLookups {
  readonly #deps: DnsLookupDeps;

  constructor(deps: DnsLookupDeps) {
    this.#deps = deps;
  }

  async query(idOrName: string, source: string, agent: string): Promise<QueryResult | undefined> {
    const { queries } = this.#deps;
    const resolved = queries.resolve(idOrName);
    if (!resolved) return undefined;
    const { Service, DNS } = resolved.query;
    const options = {
      namespace: DEFAULT_NAMESPACE,
      near: Service.Near,
      agent,
      sourceIp: source,
      limit: 0,
      connect: false,
    };
    const { Nodes } = queries.execute(resolved, options).run().value;
    const ttlMs = DNS.TTL === '' ? undefined : parseGoDuration(DNS.TTL);
    const ttlSeconds = ttlMs === undefined ? undefined : Math.floor(ttlMs / 1000);
    return { service: Service.Service, ttlSeconds, entries: Nodes };
  }

  async mesh(kind: 'connect' | 'ingress', namespace: string, service: string): Promise<readonly HealthEntry[]> {
    this.#deps.state.assertLoaded();
    const { lookups, ingress } = this.#deps;
    return kind === 'connect' ? lookups.connect(namespace, service) : ingress(namespace, service);
  }

  async virtual(namespace: string, service: string): Promise<{ found: boolean; address: string | undefined }> {
    const { state, virtualAddress } = this.#deps;
    state.assertLoaded();
    const address = virtualAddress(namespace, service);
    return { found: address !== undefined || state.service(namespace, service).length > 0, address };
  }

  async reverse(address: string): Promise<AddressOwner | undefined> {
    const { state, lookups } = this.#deps;
    state.assertLoaded();
    const node = lookups.nodeAt(address)?.shape;
    if (node) return { node };
    const [instance] = lookups.instancesAt(address);
    if (!instance) return undefined;
    const { Namespace: namespace = DEFAULT_NAMESPACE, Service: name } = instance.Service;
    return { service: { namespace, name } };
  }
}
