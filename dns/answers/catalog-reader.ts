import type { AddressOwner, QueryResult } from '../../api/routes/dns-lookup-routes.ts';
import type { HealthEntry, Node } from '../../api/shapes/catalog.ts';

/** What a lookup found; `found` says whether the service or node exists at all (NXDOMAIN or NODATA hang on it). */
export interface ServiceLookup {
  readonly found: boolean;
  /** All instances with their joined checks, unhealthy ones included, in catalog order. Must not be modified. */
  readonly entries: readonly HealthEntry[];
}

/** The lookups beside nodes and services. Errors reject as those of `CatalogReader`. */
export interface LookupReader {
  /** By name or id, for a client at `source`; undefined when there is no such query. */
  query(idOrName: string, source: string): Promise<QueryResult | undefined>;
  /** The mesh-capable endpoints of a service, or the ingress gateways that expose it. */
  mesh(kind: 'connect' | 'ingress', namespace: string, service: string): Promise<readonly HealthEntry[]>;
  virtual(namespace: string, service: string): Promise<{ readonly found: boolean; readonly address?: string }>;
  /** IPv6 addresses are given with all their digits. */
  reverse(address: string): Promise<AddressOwner | undefined>;
}

/** All that DNS asks. */
export type DnsReader = CatalogReader & LookupReader;

/** The queries that DNS asks; server and agent satisfy it. Errors (not synced, no server) reject: they are never absence. */
export interface CatalogReader {
  /** False until the first load: answers are SERVFAIL then. */
  synced(): boolean;
  /** Names compare case-insensitively. */
  service(namespace: string, name: string): Promise<ServiceLookup>;
  node(name: string): Promise<Node | undefined>;
  /** Addresses of the servers, for NS records: node names and addresses. */
  servers(): Promise<readonly Node[]>;
}
