import { DURATION, decodeBody, object, STRING } from '../decode.ts';
import type {
  LoadBalancer,
  MeshGateway,
  ResolverFailover,
  ResolverSubset,
  ServiceRoute,
  ServiceSplit,
  TransparentProxy,
} from './config-entry/entry.ts';

/** A compiled chain in the shape of Consul's answer, without the addresses of its service. */
export interface DiscoveryChain {
  readonly ServiceName: string;
  /** Chains are those of the default namespace; here Consul names it. */
  readonly Namespace: string;
  readonly Partition: string;
  readonly Datacenter: string;
  /** Part of the name of what is made from it; there when a request changed something. */
  readonly CustomizationHash?: string;
  /** Nothing is configured for the service. */
  readonly Default?: true;
  readonly Protocol: string;
  readonly ServiceMeta?: Readonly<Record<string, string>>;
  readonly StartNode: string;
  readonly Nodes: Readonly<Record<string, ChainNode>>;
  readonly Targets: Readonly<Record<string, ChainTarget>>;
}

export interface ChainNode {
  readonly Type: 'router' | 'splitter' | 'resolver';
  readonly Name: string;
  readonly Routes?: readonly { readonly Definition: ServiceRoute; readonly NextNode: string }[];
  readonly Splits?: readonly ChainSplit[];
  readonly Resolver?: ChainResolver;
  readonly LoadBalancer?: LoadBalancer;
}

export interface ChainSplit {
  readonly Definition: ServiceSplit;
  /** In percent. */
  readonly Weight: number;
  readonly NextNode: string;
}

export interface ChainResolver {
  readonly Default?: true;
  readonly ConnectTimeout: string;
  readonly RequestTimeout?: string;
  readonly Target: string;
  readonly Failover?: { readonly Targets: readonly string[]; readonly Policy?: ResolverFailover['Policy'] };
}

export interface ChainTarget {
  readonly ID: string;
  readonly Service: string;
  readonly ServiceSubset?: string;
  readonly Namespace: string;
  readonly Partition?: string;
  readonly Datacenter?: string;
  readonly Peer?: string;
  readonly MeshGateway: MeshGateway;
  readonly Subset: ResolverSubset;
  readonly TransparentProxy: TransparentProxy;
  readonly ConnectTimeout: string;
  readonly External?: true;
  readonly SNI: string;
  readonly Name: string;
}

/** What a request changes for its own answer. */
export interface ChainOverrides {
  readonly OverrideProtocol?: string;
  /** A Go duration; "0s" for none. */
  readonly OverrideConnectTimeout?: string;
  readonly OverrideMeshGateway?: MeshGateway;
}

export const OVERRIDES = object(
  {
    OverrideProtocol: STRING,
    OverrideConnectTimeout: DURATION,
    OverrideMeshGateway: object({ Mode: STRING }),
  },
  [],
);

/** @throws AppError `badRequest`. */
export function decodeChainOverrides(body: Buffer): ChainOverrides {
  return body.length === 0 ? {} : ((decodeBody(OVERRIDES, body) as ChainOverrides | undefined) ?? {});
}
