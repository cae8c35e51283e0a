import type { ChainTarget } from '../../api/shapes/discovery-chain.ts';
import type { ChainEntries } from './chain-entries.ts';

/** Where requests may go: a subset of a service, here, in another datacenter, or at a peer. */
export interface TargetPlace {
  readonly service: string;
  /** '' for all instances. */
  readonly subset: string;
  readonly datacenter: string;
  /** '' for this cluster. */
  readonly peer: string;
}

/** Namespace and partition of everything in a chain. */
const TENANT = 'default.default';

export function targetId({ service, subset, datacenter, peer }: TargetPlace): string {
  const place = peer === '' ? datacenter : `external.${peer}`;
  return `${subset === '' ? '' : `${subset}.`}${service}.${TENANT}.${place}`;
}

export function nodeName(service: string): string {
  return `${service}.${TENANT}`;
}

/** The name under which a service is reached through gateways and in TLS (Consul, "SNI"). */
function serverName({ service, subset, datacenter, peer }: TargetPlace, trustDomain: string): string {
  if (peer !== '') return `${service}.default.${peer}.external.${trustDomain}`;
  return `${subset === '' ? '' : `${subset}.`}${service}.default.${datacenter}.internal.${trustDomain}`;
}

/** How a place is reached, as the entries of its service say. */
export function describeTarget(
  place: TargetPlace,
  entries: ChainEntries,
  options: { trustDomain: string; connectTimeout: string; meshGatewayMode: string },
): ChainTarget {
  const { service, subset, datacenter, peer } = place;
  const defaults = peer === '' ? entries.defaults(service) : undefined;
  const name = serverName(place, options.trustDomain);
  const mode = options.meshGatewayMode || defaults?.MeshGateway.Mode || entries.proxyDefaults?.MeshGateway.Mode;
  const external = defaults?.ExternalSNI;
  return {
    ConnectTimeout: options.connectTimeout,
    ID: targetId(place),
    Service: service,
    ...(subset !== '' && { ServiceSubset: subset }),
    Namespace: 'default',
    ...(peer === '' ? { Partition: 'default', Datacenter: datacenter } : { Peer: peer }),
    MeshGateway: mode ? { Mode: mode } : {},
    Subset: (subset !== '' && entries.resolver(service)?.Subsets?.[subset]) || {},
    TransparentProxy: defaults?.TransparentProxy ?? {},
    ...(external && { External: true as const }),
    SNI: external ?? name,
    Name: name,
  };
}
