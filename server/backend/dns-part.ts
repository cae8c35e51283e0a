import { dnsLookupRoutes } from '../../api/routes/dns-lookup-routes.ts';
import type { PartDeps, ServerPart } from '../parts.ts';
import type { StateQueryBackend } from '../prepared-queries/query-backend.ts';
import { type DnsLookupDeps, StateDnsLookups } from './dns-lookups.ts';

/** Virtual addresses, and what DNS asks beside services and nodes. */
export function dnsPart(deps: PartDeps, queries: StateQueryBackend, ingress: DnsLookupDeps['ingress']): ServerPart {
  const table = deps.virtualAddresses;
  const virtualAddress = (namespace: string, service: string) => table.address(namespace, service);
  const dnsLookups = new StateDnsLookups({ ...deps, queries, virtualAddress, ingress });
  return {
    tables: [table],
    routes: dnsLookupRoutes(dnsLookups, deps),
    dnsLookups,
  };
}
