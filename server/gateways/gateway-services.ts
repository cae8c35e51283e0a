import { DEFAULT_NAMESPACE, type HealthEntry } from '../../api/shapes/catalog.ts';
import type { ConfigKind, ServiceDefaults } from '../../api/shapes/config-entry/entry.ts';
import type { GatewayService } from '../../api/shapes/gateway.ts';
import type { CatalogState } from '../catalog/state.ts';
import { topicOf } from '../catalog/topics.ts';
import { type ConfigTable, configTopic } from '../config-entries/config-table.ts';
import { ChainEntries } from '../discovery-chain/chain-entries.ts';
import { SERVER_SERVICE } from '../server-registration.ts';
import type { GatewayIndex } from './gateway-index.ts';
import { type GatewayLink, WILDCARD } from './gateway-links.ts';

export interface GatewayServiceDeps {
  readonly state: CatalogState;
  readonly table: ConfigTable;
  readonly index: GatewayIndex;
}

/** The kinds by which a service is known that has no instances. */
const VIRTUAL_KINDS = ['service-router', 'service-splitter', 'service-resolver'] as const satisfies ConfigKind[];

/** On what is shown with a named service depends: whether it has instances, or is a destination. */
const NAMED_TOPICS: readonly string[] = [topicOf.services(DEFAULT_NAMESPACE), configTopic.kind('service-defaults')];

/** On what the services that `*` stands for depend. */
export const WILDCARD_TOPICS: readonly string[] = [
  ...NAMED_TOPICS,
  ...(['proxy-defaults', ...VIRTUAL_KINDS] as const).map(configTopic.kind),
];

/** Which services gateways serve, with those that `*` stands for: entries and gateways are of the default namespace. */
export class GatewayServices {
  readonly #deps: GatewayServiceDeps;
  readonly #entries: ChainEntries;

  constructor(deps: GatewayServiceDeps) {
    this.#deps = deps;
    this.#entries = new ChainEntries(deps.table);
  }

  /** On what `services` of a gateway depends now; which topics that are changes with the first of them only. */
  topics(gateway: string): readonly string[] {
    const own = topicOf.gateway(DEFAULT_NAMESPACE, gateway.toLowerCase());
    const links = this.#deps.index.links(gateway);
    if (links.length === 0) return [own];
    return [own, ...(links.some(({ Service }) => Service.Name === WILDCARD) ? WILDCARD_TOPICS : NAMED_TOPICS)];
  }

  /** In the order of the gateway's entry, those of `*` by name; what is named is not meant by `*`. */
  services(gateway: string): GatewayService[] {
    const links = this.#deps.index.links(gateway);
    return links.flatMap((link) => {
      const { Name: name } = link.Service;
      return name === WILDCARD ? this.#expand(link, links) : [this.#shown(link, name)];
    });
  }

  /** Whether a gateway of this kind serves the service, by name or by `*`. */
  serves(gateway: string, kind: GatewayLink['GatewayKind'], service: string): boolean {
    const lower = service.toLowerCase();
    return this.#deps.index.links(gateway).some((link) => link.GatewayKind === kind && this.#means(link, lower));
  }

  /** The gateways of a kind that serve a service, by name in lower case. */
  gatewaysOf(kind: GatewayLink['GatewayKind'], service: string): string[] {
    const { index } = this.#deps;
    const named = new Set([...index.gatewaysOf(service), ...index.wildcards()]);
    return [...named].sort().filter((gateway) => this.serves(gateway, kind, service));
  }

  /** Whether some gateway serves a service. */
  serveAny(service: string): boolean {
    const { index } = this.#deps;
    if (index.gatewaysOf(service).length > 0) return true;
    const lower = service.toLowerCase();
    return index.wildcards().some((gateway) => index.links(gateway).some((link) => this.#means(link, lower)));
  }

  /** On what `ingress` depends now. */
  ingressTopics(service: string): readonly string[] {
    const lower = service.toLowerCase();
    const { index } = this.#deps;
    const named = [WILDCARD, lower].map((name) => topicOf.ingress(DEFAULT_NAMESPACE, name));
    const wildcards = index.wildcards();
    const gateways = new Set([...index.gatewaysOf(service), ...wildcards]);
    const instances = [...gateways].map((gateway) => topicOf.service(DEFAULT_NAMESPACE, gateway));
    return [...named, ...instances, ...(wildcards.length > 0 ? WILDCARD_TOPICS : [])];
  }

  /** The instances of the ingress gateways that expose a service. */
  ingress(service: string): HealthEntry[] {
    return this.gatewaysOf('ingress-gateway', service).flatMap((gateway) =>
      this.#deps.state.service(DEFAULT_NAMESPACE, gateway).filter(({ Service }) => Service.Kind === 'ingress-gateway'),
    );
  }

  #expand(link: GatewayLink, links: readonly GatewayLink[]): GatewayService[] {
    const named = new Set(
      links.filter((other) => sameListener(other, link)).map(({ Service }) => Service.Name.toLowerCase()),
    );
    const names = this.#candidates(link.GatewayKind).filter(
      (name) => !named.has(name.toLowerCase()) && this.#meansAny(link, name.toLowerCase()),
    );
    return names.map((name) => ({ ...this.#shown(link, name), FromWildcard: true as const }));
  }

  #means(link: GatewayLink, service: string): boolean {
    const { Name: name } = link.Service;
    return name === WILDCARD ? this.#meansAny(link, service) : name.toLowerCase() === service;
  }

  /** Names that `*` may stand for, in order. */
  #candidates(kind: GatewayLink['GatewayKind']): string[] {
    const { state, table } = this.#deps;
    const names = new Map<string, string>();
    const kinds: readonly ConfigKind[] = kind === 'terminating-gateway' ? ['service-defaults'] : VIRTUAL_KINDS;
    for (const one of kinds)
      for (const { stored } of table.list(one)) names.set(stored.record.Name.toLowerCase(), stored.record.Name);
    for (const service of state.services(DEFAULT_NAMESPACE)) names.set(service.key, service.name);
    return [...names].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, name]) => name);
  }

  /** Whether `*` of this link stands for the service: no proxy, gateway or server, and of the listener's protocol. */
  #meansAny({ GatewayKind: kind, Protocol: protocol }: GatewayLink, service: string): boolean {
    if (service === SERVER_SERVICE) return false;
    const known = this.#deps.state.serviceEntry(DEFAULT_NAMESPACE, service);
    if (known) {
      if (known.kind !== '') return false;
    } else if (kind === 'terminating-gateway' ? !this.#isDestination(service) : !this.#isVirtual(service)) return false;
    return kind === 'terminating-gateway' || this.#entries.protocol(service) === protocol;
  }

  #shown(link: GatewayLink, name: string): GatewayService {
    const hasInstances = this.#deps.state.serviceEntry(DEFAULT_NAMESPACE, name.toLowerCase()) !== undefined;
    const kind = this.#isDestination(name) ? 'destination' : hasInstances ? 'service' : undefined;
    return { ...link, Service: { Name: name }, ...(kind && { ServiceKind: kind }) };
  }

  #isDestination(service: string): boolean {
    return (
      (this.#deps.table.get('service-defaults', service) as ServiceDefaults | undefined)?.Destination !== undefined
    );
  }

  #isVirtual(service: string): boolean {
    return VIRTUAL_KINDS.some((kind) => this.#deps.table.get(kind, service) !== undefined);
  }
}

function sameListener(a: GatewayLink, b: GatewayLink): boolean {
  return a.GatewayKind === b.GatewayKind && a.Port === b.Port;
}
