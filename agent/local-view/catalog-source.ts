import type { HealthEntry, Node } from '../../api/shapes/catalog.ts';

/** An answer of the servers and the index to ask again with. */
export interface Indexed<T> {
  readonly value: T;
  readonly index: number;
}

/** The queries that the local view asks the servers. With an index they block until there is something newer. */
export interface CatalogSource {
  service(
    namespace: string,
    name: string,
    index: number,
    signal: AbortSignal,
  ): Promise<Indexed<readonly HealthEntry[]>>;
  /** What a server answers to /v1/internal/dns/…; `null` where it has nothing. */
  dnsLookup<T>(path: string, query: Readonly<Record<string, string>>, signal: AbortSignal): Promise<T | null>;
  node(name: string, index: number, signal: AbortSignal): Promise<Indexed<Node | undefined>>;
}
