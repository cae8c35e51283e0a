import type { HealthCheck, Node, ServiceInstance } from './catalog.ts';

/** What the instances of a service have in common, and how healthy they are. */
export interface ServiceSummary {
  /** Absent for an ordinary service. */
  readonly Kind?: string;
  readonly Name: string;
  readonly Datacenter: string;
  readonly Tags: readonly string[] | null;
  readonly Nodes: readonly string[];
  /** Values of the metadata `external-source`: who registered the instances, when it was not the user. */
  readonly ExternalSources: readonly string[] | null;
  readonly InstanceCount: number;
  /** Each check of an instance, of its node and of its proxy once. */
  readonly ChecksPassing: number;
  readonly ChecksWarning: number;
  readonly ChecksCritical: number;
  readonly GatewayConfig: { readonly AssociatedServiceCount?: number; readonly Addresses?: readonly string[] };
  /** Every proxy of the service works in this mode. */
  readonly TransparentProxy: boolean;
  readonly ConnectNative: boolean;
}

/** One row of the list of services. */
export interface ListedService extends ServiceSummary {
  readonly ConnectedWithProxy: boolean;
  readonly ConnectedWithGateway: boolean;
}

/** A node with everything of one namespace on it. */
export interface NodeWithContent extends Node {
  readonly Services: readonly ServiceInstance[];
  readonly Checks: readonly HealthCheck[];
}

/** How many there are of a name, by status. */
export interface StatusCount {
  readonly Name?: string;
  readonly Total: number;
  readonly Passing: number;
  readonly Warning: number;
  readonly Critical: number;
}

/** All of the catalog in numbers. */
export interface CatalogOverview {
  /** One for all nodes; a node is as its own checks say. */
  readonly Nodes: readonly StatusCount[];
  /** Instances, for each service. */
  readonly Services: readonly StatusCount[];
  /** For each name of a check. */
  readonly Checks: readonly StatusCount[];
}

/** Whether one service may connect to another. */
export interface IntentionDecision {
  /** What holds where no intention fits. */
  readonly DefaultAllow: boolean;
  readonly Allowed: boolean;
  /** Each request is decided on its own. */
  readonly HasPermissions: boolean;
  /** Who wrote the intention, when it was not the user. */
  readonly ExternalSource: string;
  /** The intention names both services. */
  readonly HasExact: boolean;
}

/** How it is known that two services are connected. */
export type TopologySource =
  | 'proxy-registration'
  | 'routing-config'
  | 'specific-intention'
  | 'wildcard-intention'
  | 'default-allow';

/** A neighbour of a service in the mesh. */
export interface TopologySummary extends ServiceSummary {
  readonly Source: TopologySource;
  readonly Intention: IntentionDecision;
}

/** A service in the mesh with those to which it connects and those that connect to it. */
export interface ServiceTopology {
  readonly Protocol: string;
  readonly TransparentProxy: boolean;
  readonly Upstreams: readonly TopologySummary[];
  readonly Downstreams: readonly TopologySummary[];
  /** There are no access control lists that could hide something. */
  readonly FilteredByACLs: false;
}
