import { DEFAULT_NAMESPACE } from '../../api/shapes/catalog.ts';
import type { IntentionDecision, ServiceTopology, TopologySource, TopologySummary } from '../../api/shapes/ui.ts';
import type { CatalogLookups } from '../catalog/lookups.ts';
import { upstreamServices } from '../catalog/mesh-destination.ts';
import type { CatalogState } from '../catalog/state.ts';
import type { ConfigTable } from '../config-entries/config-table.ts';
import type { ChainEntries } from '../discovery-chain/chain-entries.ts';
import { compileChain } from '../discovery-chain/compile-chain.ts';
import type { GatewayServices } from '../gateways/gateway-services.ts';
import { type Decision, evaluateIntention, type IntentionPolicy } from '../intentions/evaluate-intention.ts';
import type { IntentionIndex } from '../intentions/intention-index.ts';
import type { ServiceRows } from './service-rows.ts';
import { EXTERNAL_SOURCE } from './service-summary.ts';

export interface TopologyDeps {
  readonly state: CatalogState;
  readonly lookups: Pick<CatalogLookups, 'connect' | 'dialers'>;
  readonly rows: ServiceRows;
  readonly table: ConfigTable;
  readonly entries: ChainEntries;
  readonly intentions: IntentionIndex;
  readonly gateways: GatewayServices;
}

/** Neighbours by name in lower case, with how the first of them came to be known. */
type Neighbours = Map<string, TopologySource>;

/** Who is connected to whom in the mesh, in the default namespace. */
export class Topology {
  readonly #deps: TopologyDeps;
  readonly #datacenter: string;
  readonly #defaultPolicy: IntentionPolicy;

  constructor(deps: TopologyDeps, options: { datacenter: string; defaultPolicy: IntentionPolicy }) {
    this.#deps = deps;
    this.#datacenter = options.datacenter;
    this.#defaultPolicy = options.defaultPolicy;
  }

  /** `isIngress`: of an ingress gateway of this name instead of an ordinary service. */
  of(service: string, isIngress: boolean): ServiceTopology {
    const transparent = this.#isTransparent(service);
    const upstreams = isIngress ? this.#behindGateway(service) : this.#upstreams(service, transparent);
    const downstreams: Neighbours = isIngress ? new Map() : this.#downstreams(service);
    const { entries } = this.#deps;
    return {
      Protocol: entries.protocol(service),
      TransparentProxy: transparent,
      Upstreams: this.#summaries(upstreams, (name) => this.#decide(service, name)),
      Downstreams: this.#summaries(downstreams, (name) => this.#decide(name, service)),
      FilteredByACLs: false,
    };
  }

  #behindGateway(gateway: string): Neighbours {
    const links = this.#deps.gateways.services(gateway).filter(({ GatewayKind }) => GatewayKind === 'ingress-gateway');
    return new Map(links.map(({ Service }) => [Service.Name.toLowerCase(), 'routing-config']));
  }

  #upstreams(service: string, transparent: boolean): Neighbours {
    const found: Neighbours = new Map();
    const proxies = this.#deps.lookups.connect(DEFAULT_NAMESPACE, service);
    for (const { Service } of proxies) {
      for (const name of upstreamServices(Service.Proxy)) add(found, name, 'proxy-registration');
    }
    for (const name of [...found.keys()])
      for (const target of this.#leadsTo(name)) add(found, target, 'routing-config');
    // Such a proxy connects to whatever it may.
    if (transparent) {
      for (const name of this.#inMesh()) {
        if (name !== service.toLowerCase()) addAllowed(found, name, this.#decision(service, name));
      }
    }
    return found;
  }

  #downstreams(service: string): Neighbours {
    const found: Neighbours = new Map();
    const { lookups, table, gateways } = this.#deps;
    const addDialers = (name: string, source: TopologySource) => {
      for (const { Service } of lookups.dialers(DEFAULT_NAMESPACE, name)) {
        const { DestinationServiceName: dialer } = Service.Proxy ?? {};
        if (typeof dialer === 'string' && dialer !== '') add(found, dialer, source);
      }
    };
    addDialers(service, 'proxy-registration');
    for (const name of table.affectedBy(service)) {
      if (name !== service.toLowerCase()) addDialers(name, 'routing-config');
    }
    for (const gateway of gateways.gatewaysOf('ingress-gateway', service)) add(found, gateway, 'routing-config');
    for (const name of this.#inMesh()) {
      if (name === service.toLowerCase() || found.has(name) || !this.#isTransparent(name)) continue;
      addAllowed(found, name, this.#decision(name, service));
    }
    return found;
  }

  /** The other services to which the chain of a service leads. */
  #leadsTo(service: string): string[] {
    const { entries } = this.#deps;
    const chain = compileChain({ service, datacenter: this.#datacenter, trustDomain: '' }, entries);
    const targets = Object.values(chain.Targets).filter(({ Peer: peer }) => peer === undefined);
    return targets.map(({ Service }) => Service).filter((name) => name.toLowerCase() !== service);
  }

  /** Ordinary services with mesh endpoints, in lower case. */
  #inMesh(): string[] {
    const { state, lookups } = this.#deps;
    return [...state.services(DEFAULT_NAMESPACE)]
      .filter(({ kind, key }) => kind === '' && lookups.connect(DEFAULT_NAMESPACE, key).length > 0)
      .map(({ key }) => key);
  }

  #isTransparent(service: string): boolean {
    const entry = this.#deps.state.serviceEntry(DEFAULT_NAMESPACE, service.toLowerCase());
    return entry !== undefined && this.#deps.rows.row(entry).TransparentProxy;
  }

  #decision(source: string, destination: string): Decision {
    return evaluateIntention({ name: source }, this.#deps.intentions.to(destination), this.#defaultPolicy);
  }

  #decide(source: string, destination: string): IntentionDecision {
    const { result, by } = this.#decision(source, destination);
    return {
      DefaultAllow: this.#defaultPolicy === 'allow',
      Allowed: result === 'allow',
      HasPermissions: result === 'permissions',
      ExternalSource: by?.Meta?.[EXTERNAL_SOURCE] ?? '',
      HasExact: isExact(by),
    };
  }

  #summaries(neighbours: Neighbours, decide: (name: string) => IntentionDecision): TopologySummary[] {
    const { state, rows } = this.#deps;
    return [...neighbours]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, Source]) => {
        const entry = state.serviceEntry(DEFAULT_NAMESPACE, key);
        return { ...(entry ? rows.summary(entry) : rows.absent(key)), Source, Intention: decide(key) };
      });
  }
}

function add(neighbours: Neighbours, name: string, source: TopologySource): void {
  const key = name.toLowerCase();
  if (!neighbours.has(key)) neighbours.set(key, source);
}

function addAllowed(neighbours: Neighbours, name: string, { result, by }: Decision): void {
  if (result === 'deny') return;
  add(neighbours, name, by === undefined ? 'default-allow' : isExact(by) ? 'specific-intention' : 'wildcard-intention');
}

function isExact(by: Decision['by']): boolean {
  return by !== undefined && by.SourceName !== '*' && by.DestinationName !== '*';
}
