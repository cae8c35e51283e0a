import { type CaBackend, whenReady } from '../../api/routes/ca-routes.ts';
import { chainRoutes } from '../../api/routes/chain-routes.ts';
import { DEFAULT_NAMESPACE } from '../../api/shapes/catalog.ts';
import { liveRead } from '../backend/catalog-reads.ts';
import { CA_ROOTS_TOPIC } from '../ca/ca-table.ts';
import { type ConfigTable, configTopic } from '../config-entries/config-table.ts';
import type { PartDeps, ServerPart } from '../parts.ts';
import type { ManualAddressTable } from '../virtual-addresses/manual-address-table.ts';
import { virtualAddressTopic } from '../virtual-addresses/virtual-address-table.ts';
import { ChainEntries } from './chain-entries.ts';
import { compileChain } from './compile-chain.ts';

/** Discovery chains over the configuration entries of this server. */
export function chainPart(
  deps: PartDeps,
  table: ConfigTable,
  ca: Pick<CaBackend, 'ready' | 'roots'>,
  manual: Pick<ManualAddressTable, 'addresses'>,
): ServerPart {
  const { state, virtualAddresses } = deps;
  const entries = new ChainEntries(table);
  const routes = chainRoutes(deps.reads, {
    chain(service, datacenter, overrides) {
      const topics = [
        configTopic.chain(service),
        configTopic.kind('proxy-defaults'),
        virtualAddressTopic(`${DEFAULT_NAMESPACE}/${service.toLowerCase()}`),
        CA_ROOTS_TOPIC,
      ];
      return liveRead(state, topics, () => {
        const trustDomain = ca.roots().run().value.TrustDomain;
        const chain = compileChain({ service, datacenter, trustDomain, overrides }, entries);
        const address = virtualAddresses.address(DEFAULT_NAMESPACE, service);
        return {
          ...chain,
          AutoVirtualIPs: address ? [address] : null,
          ManualVirtualIPs: address ? manual.addresses(DEFAULT_NAMESPACE, service) : null,
        };
      });
    },
  });
  return { routes: routes.map((route) => whenReady(ca, route)) };
}
