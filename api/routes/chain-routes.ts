import type { Route } from '../http/route.ts';
import { type ChainOverrides, type DiscoveryChain, decodeChainOverrides } from '../shapes/discovery-chain.ts';
import type { LiveRead } from './catalog-backend.ts';
import { keyOf, missing, type ReadRouteDeps, readRoute } from './read-route.ts';

/** A compiled chain, with the addresses under which its service is dialed; null when it has none. */
export interface ServedChain extends DiscoveryChain {
  readonly AutoVirtualIPs: readonly string[] | null;
  readonly ManualVirtualIPs: readonly string[] | null;
}

export interface ChainBackend {
  /** `datacenter`: where the chain is for. The value throws AppError `badRequest` for one that cannot be compiled. */
  chain(service: string, datacenter: string, overrides: ChainOverrides): LiveRead<ServedChain>;
}

/** GET and POST /v1/discovery-chain/:service (Consul HTTP API, "Discovery chain"). */
export function chainRoutes(deps: ReadRouteDeps, backend: ChainBackend): Route[] {
  const get = readRoute<ServedChain>(
    deps,
    '/v1/discovery-chain/:service',
    (_params, { params, query, method, body }) => {
      const { service } = params;
      if (!service) return missing('chain name');
      // For another datacenter it is made from the entries that are here: all datacenters have the same.
      const datacenter = query.get('compile-dc') || deps.datacenter;
      const overrides = method === 'POST' ? decodeChainOverrides(body) : {};
      return {
        key: keyOf('discovery-chain', service, datacenter, JSON.stringify(overrides)),
        live: backend.chain(service, datacenter, overrides),
        json: (chain) => ({ Chain: chain }),
        cacheable: true,
      };
    },
  );
  return [get, { ...get, method: 'POST' }];
}
