import { DEFAULT_NAMESPACE } from '../../api/shapes/catalog.ts';
import type {
  ApiGateway,
  ConfigKind,
  HttpRoute,
  IngressGateway,
  TcpRoute,
  TerminatingGateway,
} from '../../api/shapes/config-entry/entry.ts';
import { SetMap } from '../../core/set-map.ts';
import type { ApplyContext } from '../catalog/state-table.ts';
import { topicOf } from '../catalog/topics.ts';
import type { EntryIndex, KeptEntry } from '../config-entries/config-table.ts';
import { apiLinks, type GatewayLink, ingressLinks, terminatingLinks, WILDCARD } from './gateway-links.ts';

type GatewayKind = GatewayLink['GatewayKind'];
type Route = HttpRoute | TcpRoute;

const GATEWAY_KINDS: readonly ConfigKind[] = ['terminating-gateway', 'ingress-gateway', 'api-gateway'];
const NONE: readonly GatewayLink[] = [];

/** Waits for any change of which services gateways name. */
export const GATEWAYS_TOPIC = 'gateways';

/**
 * Which services the gateways' entries name, in memory from the configuration entries. A change of an entry makes the links
 * of its own gateway anew, one of a route those of its parents. Names compare without regard to case.
 */
export class GatewayIndex implements EntryIndex {
  readonly #entries = new Map<string, Map<GatewayKind, KeptEntry>>();
  /** By kind and name, so that they have an order. */
  readonly #routes = new Map<string, Route>();
  readonly #links = new Map<string, readonly GatewayLink[]>();
  /** Gateways by a service (or `*`) that they name. */
  readonly #byService = new SetMap<string, string>();

  changed(kind: ConfigKind, name: string, entry: KeptEntry | undefined, context: ApplyContext): void {
    if (GATEWAY_KINDS.includes(kind)) this.#gatewayChanged(kind as GatewayKind, name.toLowerCase(), entry, context);
    else if (kind === 'http-route' || kind === 'tcp-route') this.#routeChanged(`${kind}/${name}`, entry, context);
  }

  clear(): void {
    this.#entries.clear();
    this.#routes.clear();
    this.#links.clear();
    this.#byService.clear();
  }

  /** What a gateway's entries name, in their order. */
  links(gateway: string): readonly GatewayLink[] {
    return this.#links.get(gateway.toLowerCase()) ?? NONE;
  }

  /** The gateways that name a service (not those that name all), by name in lower case. */
  gatewaysOf(service: string): readonly string[] {
    return [...this.#byService.get(service.toLowerCase())].sort();
  }

  /** Those that name all services. */
  wildcards(): readonly string[] {
    return this.gatewaysOf(WILDCARD);
  }

  apiGateway(name: string): KeptEntry | undefined {
    return this.#entries.get(name.toLowerCase())?.get('api-gateway');
  }

  /** The routes that name a gateway as a parent, in order of kind and name. */
  routesOf(gateway: string): Route[] {
    const routes = [...this.#routes].filter(([, route]) => parentsOf(route).includes(gateway.toLowerCase()));
    return routes.sort(([a], [b]) => (a < b ? -1 : 1)).map(([, route]) => route);
  }

  #gatewayChanged(kind: GatewayKind, gateway: string, entry: KeptEntry | undefined, context: ApplyContext): void {
    const entries = this.#entries.get(gateway) ?? new Map<GatewayKind, KeptEntry>();
    if (entry) entries.set(kind, entry);
    else entries.delete(kind);
    if (entries.size > 0) this.#entries.set(gateway, entries);
    else this.#entries.delete(gateway);
    this.#relink(gateway, context);
  }

  #routeChanged(key: string, entry: KeptEntry | undefined, context: ApplyContext): void {
    const before = this.#routes.get(key.toLowerCase());
    const after = entry?.stored.record as Route | undefined;
    if (after) this.#routes.set(key.toLowerCase(), after);
    else this.#routes.delete(key.toLowerCase());
    for (const gateway of new Set([...parentsOf(before), ...parentsOf(after)])) this.#relink(gateway, context);
  }

  #relink(gateway: string, context: ApplyContext): void {
    const before = this.links(gateway);
    const after = this.#make(gateway);
    for (const service of namesIn(before)) this.#byService.delete(service, gateway);
    for (const service of namesIn(after)) this.#byService.add(service, gateway);
    if (after.length > 0) this.#links.set(gateway, after);
    else this.#links.delete(gateway);
    context.bump(topicOf.gateway(DEFAULT_NAMESPACE, gateway), this.#entries.has(gateway));
    context.bump(GATEWAYS_TOPIC, true);
    for (const service of new Set([...namesIn(before), ...namesIn(after)])) {
      context.bump(topicOf.ingress(DEFAULT_NAMESPACE, service), this.#byService.has(service));
    }
  }

  #make(gateway: string): GatewayLink[] {
    const entries = this.#entries.get(gateway);
    const of = <T, L>(kind: GatewayKind, make: (record: T, entry: KeptEntry) => L[]): L[] => {
      const entry = entries?.get(kind);
      return entry ? make(entry.stored.record as T, entry) : [];
    };
    return [
      ...of<TerminatingGateway, GatewayLink>('terminating-gateway', (record, { indexes }) =>
        terminatingLinks(record, indexes),
      ),
      ...of<IngressGateway, GatewayLink>('ingress-gateway', (record, { indexes }) => ingressLinks(record, indexes)),
      ...of<ApiGateway, GatewayLink>('api-gateway', (record, { indexes }) =>
        apiLinks(record, this.routesOf(gateway), indexes),
      ),
    ];
  }
}

function parentsOf(route: Route | undefined): string[] {
  return (route?.Parents ?? []).map(({ Name = '' }) => Name.toLowerCase());
}

function namesIn(links: readonly GatewayLink[]): Set<string> {
  return new Set(links.map(({ Service }) => Service.Name.toLowerCase()));
}
