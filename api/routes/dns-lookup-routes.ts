import { AppError } from '../../core/errors.ts';
import { namespaceOf } from '../http/request-params.ts';
import type { Route } from '../http/route.ts';
import type { HealthEntry, Node } from '../shapes/catalog.ts';
import { agentOf } from './asking-agent.ts';

/** What a prepared query gave: healthy instances, chosen and in the order in which they are to be answered. */
export interface QueryResult {
  readonly service: string;
  /** The query's own time to live; undefined when it leaves that to the service. */
  readonly ttlSeconds: number | undefined;
  readonly entries: readonly HealthEntry[];
}

/** What is found under an address: a node by its own, else a service by that of one of its instances. */
export interface AddressOwner {
  readonly node?: Node;
  readonly service?: { readonly namespace: string; readonly name: string };
}

/** The rarer lookups of DNS. */
export interface DnsLookups {
  /** For a client at `source` that asked the agent of a node; undefined when there is no such query. */
  query(idOrName: string, source: string, agent: string): Promise<QueryResult | undefined>;
  /** The mesh-capable endpoints of a service, or the ingress gateways that expose it. */
  mesh(kind: 'connect' | 'ingress', namespace: string, service: string): Promise<readonly HealthEntry[]>;
  virtual(namespace: string, service: string): Promise<{ readonly found: boolean; readonly address?: string }>;
  reverse(address: string): Promise<AddressOwner | undefined>;
}

/** The answers of /v1/internal/dns/…, by which agents in client mode answer such names; `null` for what is not there. */
export function dnsLookupRoutes(lookups: DnsLookups, options: { nodeName: string }): Route[] {
  const route = (kind: string, answer: (name: string, request: Parameters<Route['handle']>[0]) => unknown): Route => ({
    method: 'GET',
    path: `/v1/internal/dns/${kind}/:name`,
    async handle(request) {
      const name = request.params.name ?? '';
      if (name === '') throw new AppError('badRequest', `Missing name: want /v1/internal/dns/${kind}/<name>`);
      return { json: (await answer(name, request)) ?? null };
    },
  });
  return [
    route('query', (name, request) =>
      lookups.query(name, request.query.get('source') ?? request.remoteAddress, agentOf(request) ?? options.nodeName),
    ),
    route('connect', (name, request) => lookups.mesh('connect', namespaceOf(request), name)),
    route('ingress', (name, request) => lookups.mesh('ingress', namespaceOf(request), name)),
    route('virtual', (name, request) => lookups.virtual(namespaceOf(request), name)),
    route('reverse', (name) => lookups.reverse(name)),
  ];
}
