import type { HealthEntry, Node } from '../../api/shapes/catalog.ts';

/** What a lookup found; `found` says whether the service or node exists at all (NXDOMAIN or NODATA hang on it). */
export interface ServiceLookup {
  readonly found: boolean;
  /** All instances with their joined checks, unhealthy ones included, in catalog order. Must not be modified. */
  readonly entries: readonly HealthEntry[];
}

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
