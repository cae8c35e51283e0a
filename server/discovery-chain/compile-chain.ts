import { createHash } from 'node:crypto';
import type { LoadBalancer, ServiceRoute, ServiceRouter } from '../../api/shapes/config-entry/entry.ts';
import type {
  ChainNode,
  ChainOverrides,
  ChainSplit,
  ChainTarget,
  DiscoveryChain,
} from '../../api/shapes/discovery-chain.ts';
import { AppError } from '../../core/errors.ts';
import { type ChainEntries, isHttp } from './chain-entries.ts';
import { describeTarget, nodeName, type TargetPlace, targetId } from './chain-target.ts';
import { resolvePlace } from './resolve-place.ts';

export interface ChainRequest {
  readonly service: string;
  /** Where the chain is for. */
  readonly datacenter: string;
  readonly trustDomain: string;
  readonly overrides?: ChainOverrides;
}

/** Splitters that lead to splitters, at most; each may have many splits. */
const MAX_SPLITTER_DEPTH = 16;
const MAX_SPLITS = 1000;
const DEFAULT_CONNECT_TIMEOUT = '5s';

/**
 * How requests to a service find their instances: through its routes, splits, redirects and failovers.
 * @throws AppError `badRequest` when the entries do not fit together.
 */
export function compileChain(request: ChainRequest, entries: ChainEntries): DiscoveryChain {
  return new Compilation(request, entries).compile();
}

class Compilation {
  readonly #request: ChainRequest;
  readonly #entries: ChainEntries;
  readonly #nodes = new Map<string, ChainNode>();
  readonly #targets = new Map<string, ChainTarget>();
  readonly #splitting: string[] = [];
  readonly #protocol: string;
  #advanced = false;

  constructor(request: ChainRequest, entries: ChainEntries) {
    this.#request = request;
    this.#entries = entries;
    this.#protocol = request.overrides?.OverrideProtocol || entries.protocol(request.service);
  }

  compile(): DiscoveryChain {
    const { service, datacenter, overrides = {} } = this.#request;
    const router = this.#mayBranch ? this.#entries.router(service) : undefined;
    const start = router ? this.#router(router) : this.#splitterOrResolver(service);
    if (this.#advanced && !isHttp(this.#protocol)) {
      throw refused(
        `discovery chain "${service}" uses a protocol "${this.#protocol}" that does not permit advanced routing or splitting behavior`,
      );
    }
    const meta = this.#entries.defaults(service)?.Meta;
    const hash = customizationHash(overrides);
    return {
      ServiceName: service,
      Namespace: 'default',
      Partition: 'default',
      Datacenter: datacenter,
      ...(hash !== undefined && { CustomizationHash: hash }),
      ...(this.#isDefault(start) && { Default: true as const }),
      Protocol: this.#protocol,
      ...(meta && { ServiceMeta: meta }),
      StartNode: start,
      Nodes: this.#reachable(start),
      Targets: Object.fromEntries(this.#targets),
    };
  }

  /** A request for a chain of bytes gets one that does not look into requests. */
  get #mayBranch(): boolean {
    const protocol = this.#request.overrides?.OverrideProtocol;
    return !protocol || isHttp(protocol);
  }

  #router(entry: ServiceRouter): string {
    this.#advanced = true;
    const { service } = this.#request;
    // What no route takes goes to the service itself.
    const rest: ServiceRoute = { Match: { HTTP: { PathPrefix: '/' } }, Destination: { Service: service } };
    const Routes = [...(entry.Routes ?? []), rest].map((route) => {
      const { Service: to = service, ServiceSubset: subset } = route.Destination ?? {};
      const NextNode = subset === undefined ? this.#splitterOrResolver(to) : this.#resolver(this.#here(to, subset));
      return { Definition: route, NextNode };
    });
    const Name = nodeName(service);
    return this.#add('router', { Type: 'router', Name, Routes });
  }

  #splitterOrResolver(service: string): string {
    this.#checkProtocol(service);
    const entry = this.#mayBranch ? this.#entries.splitter(service) : undefined;
    if (!entry?.Splits) return this.#resolver(this.#here(service, ''));
    const Name = nodeName(service);
    const id = `splitter:${Name}`;
    if (this.#nodes.has(id)) return id;
    if (this.#splitting.includes(service.toLowerCase()) || this.#splitting.length >= MAX_SPLITTER_DEPTH) {
      throw refused(`detected circular reference: [${[...this.#splitting, service].join(' -> ')}]`);
    }
    this.#advanced = true;
    this.#splitting.push(service.toLowerCase());
    const Splits = entry.Splits.flatMap((split): ChainSplit[] => {
      const { Service: to = service, ServiceSubset: subset, Weight: weight = 0 } = split;
      const itself = to.toLowerCase() === service.toLowerCase();
      const plain = { Definition: split, Weight: weight };
      if (subset !== undefined || itself) return [{ ...plain, NextNode: this.#resolver(this.#here(to, subset ?? '')) }];
      const next = this.#splitterOrResolver(to);
      return this.#nodes.get(next)?.Splits?.map((inner) => within(inner, weight)) ?? [{ ...plain, NextNode: next }];
    });
    this.#splitting.pop();
    if (Splits.length > MAX_SPLITS) throw refused(`discovery chain "${service}" has more than ${MAX_SPLITS} splits`);
    const balancer = shared(Splits.map(({ NextNode }) => this.#nodes.get(NextNode)?.LoadBalancer));
    return this.#add('splitter', { Type: 'splitter', Name, Splits, ...(balancer && { LoadBalancer: balancer }) });
  }

  #resolver(place: TargetPlace): string {
    const { place: end, resolver } = resolvePlace(place, this.#entries, this.#request.datacenter);
    this.#checkPlace(end);
    const id = targetId(end);
    const node = `resolver:${id}`;
    if (this.#nodes.has(node)) return node;
    const connectTimeout = this.#connectTimeout(resolver?.ConnectTimeout);
    const failovers = resolver?.Failover?.[end.subset] ?? resolver?.Failover?.['*'];
    const Targets = failovers ? this.#failoverTargets(end) : [];
    this.#target(end, connectTimeout);
    return this.#add('resolver', {
      Type: 'resolver',
      Name: id,
      Resolver: {
        ...(!resolver && { Default: true as const }),
        ConnectTimeout: connectTimeout,
        ...(resolver?.RequestTimeout !== undefined && { RequestTimeout: resolver.RequestTimeout }),
        Target: id,
        ...(Targets.length > 0 && { Failover: { Targets, ...(failovers?.Policy && { Policy: failovers.Policy }) } }),
      },
      ...(resolver?.LoadBalancer && { LoadBalancer: resolver.LoadBalancer }),
    });
  }

  /** Where to go instead, in order. What is there has no failovers of its own. */
  #failoverTargets(from: TargetPlace): string[] {
    const failover = this.#entries.resolver(from.service)!.Failover!;
    const { Service, ServiceSubset, Datacenters, Targets } = failover[from.subset] ?? failover['*']!;
    const plain = { Service, ServiceSubset };
    const wanted = Targets ?? Datacenters?.map((Datacenter) => ({ ...plain, Datacenter })) ?? [plain];
    const ids = new Set<string>();
    for (const target of wanted) {
      const service = target.Service ?? from.service;
      const other = service.toLowerCase() !== from.service.toLowerCase();
      const { place, resolver } = resolvePlace(
        {
          service,
          subset: target.ServiceSubset ?? (other || ('Peer' in target && target.Peer) ? '' : from.subset),
          datacenter: ('Datacenter' in target && target.Datacenter) || from.datacenter,
          peer: ('Peer' in target && target.Peer) || '',
        },
        this.#entries,
        this.#request.datacenter,
      );
      this.#checkPlace(place);
      const id = targetId(place);
      if (id === targetId(from)) continue;
      this.#target(place, this.#connectTimeout(resolver?.ConnectTimeout));
      ids.add(id);
    }
    return [...ids];
  }

  #target(place: TargetPlace, connectTimeout: string): void {
    const { trustDomain, overrides } = this.#request;
    const meshGatewayMode = overrides?.OverrideMeshGateway?.Mode ?? '';
    const target = describeTarget(place, this.#entries, { trustDomain, connectTimeout, meshGatewayMode });
    this.#targets.set(target.ID, target);
  }

  #connectTimeout(configured = DEFAULT_CONNECT_TIMEOUT): string {
    const override = this.#request.overrides?.OverrideConnectTimeout ?? '0s';
    return override === '0s' ? configured : override;
  }

  #here(service: string, subset: string): TargetPlace {
    return { service, subset, datacenter: this.#request.datacenter, peer: '' };
  }

  #checkPlace({ service, peer }: TargetPlace): void {
    // Of what lies at a peer nothing is known here.
    if (peer === '') this.#checkProtocol(service);
  }

  #checkProtocol(service: string): void {
    if (this.#request.overrides?.OverrideProtocol) return;
    const protocol = this.#entries.protocol(service);
    if (protocol === this.#protocol) return;
    throw refused(
      `discovery chain "${this.#request.service}" uses inconsistent protocols; service "${service}" has "${protocol}" which is not "${this.#protocol}"`,
    );
  }

  #isDefault(start: string): boolean {
    const { service, datacenter } = this.#request;
    const resolver = this.#nodes.get(start)?.Resolver;
    return resolver?.Default === true && resolver.Target === targetId({ service, subset: '', datacenter, peer: '' });
  }

  /** Splitters that were taken into others are left out. */
  #reachable(start: string): Record<string, ChainNode> {
    const found = new Map<string, ChainNode>();
    const visit = (id: string) => {
      const node = this.#nodes.get(id);
      if (!node || found.has(id)) return;
      found.set(id, node);
      for (const { NextNode } of [...(node.Routes ?? []), ...(node.Splits ?? [])]) visit(NextNode);
    };
    visit(start);
    return Object.fromEntries(found);
  }

  #add(type: ChainNode['Type'], node: ChainNode): string {
    const id = `${type}:${node.Name}`;
    this.#nodes.set(id, node);
    return id;
  }
}

/** A split of a splitter that is itself one split of another. */
function within(inner: ChainSplit, weight: number): ChainSplit {
  const share = Math.round(inner.Weight * weight) / 100;
  return { ...inner, Weight: share };
}

/** The one that all have. */
function shared(balancers: readonly (LoadBalancer | undefined)[]): LoadBalancer | undefined {
  const [first] = balancers;
  const text = JSON.stringify(first);
  return balancers.every((one) => JSON.stringify(one) === text) ? first : undefined;
}

function customizationHash(overrides: ChainOverrides): string | undefined {
  const {
    OverrideProtocol: protocol = '',
    OverrideConnectTimeout: timeout = '0s',
    OverrideMeshGateway: gateway,
  } = overrides;
  const given = [protocol, timeout === '0s' ? '' : timeout, gateway?.Mode ?? ''];
  if (given.every((text) => text === '')) return undefined;
  return createHash('sha256').update(JSON.stringify(given)).digest('hex').slice(0, 8);
}

function refused(text: string): AppError {
  return new AppError('badRequest', text);
}
