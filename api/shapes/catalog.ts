/**
 * The catalog's records in Consul's JSON form (Consul HTTP API, "Catalog" and "Health"). They are also what the server
 * keeps in memory, so that a read needs no translation. Everything not marked optional is always present.
 */

/** The namespace meant when none is given; it is never shown in JSON, as in Consul CE. */
export const DEFAULT_NAMESPACE = 'default';

/** What `?ns=` says for all namespaces, in reads of lists. */
export const ALL_NAMESPACES = '*';

export type CheckStatus = 'passing' | 'warning' | 'critical';

/** Indexes are catalog indexes (a stored base plus the store's revision). */
export interface Indexed {
  CreateIndex: number;
  ModifyIndex: number;
}

export interface Node extends Indexed {
  /** A UUID, or '' when the registration gave none. */
  ID: string;
  Node: string;
  Address: string;
  Datacenter: string;
  TaggedAddresses: Record<string, string> | null;
  Meta: Record<string, string> | null;
  Locality?: Locality;
}

/** Where something runs, as clouds name it. */
export interface Locality {
  Region?: string;
  Zone?: string;
}

export interface ServiceAddress {
  Address: string;
  Port: number;
}

export interface Weights {
  Passing: number;
  Warning: number;
}

/** A named port; the default one equals the instance's `Port`. */
export interface NamedPort {
  Name: string;
  Port: number;
  Default?: boolean;
}

/** One instance of a service. Identity: (namespace, node, ID); `Service` is an attribute. */
export interface ServiceInstance extends Indexed {
  /** Absent means `default`. */
  Namespace?: string;
  Kind?: string;
  ID: string;
  Service: string;
  Tags: string[];
  Address: string;
  TaggedAddresses?: Record<string, ServiceAddress>;
  Meta: Record<string, string> | null;
  Port: number;
  Ports?: NamedPort[];
  SocketPath?: string;
  Locality?: Locality;
  Weights: Weights;
  EnableTagOverride: boolean;
  Proxy?: Record<string, unknown>;
  Connect?: Record<string, unknown>;
}

/** What a check does, in Consul's `Definition` form (durations as Go strings, e.g. "10s"). */
export interface CheckDefinition {
  HTTP?: string;
  Method?: string;
  Header?: Record<string, string[]>;
  Body?: string;
  DisableRedirects?: boolean;
  TLSServerName?: string;
  TLSSkipVerify?: boolean;
  TCP?: string;
  TCPUseTLS?: boolean;
  UDP?: string;
  GRPC?: string;
  GRPCUseTLS?: boolean;
  H2PING?: string;
  /** Absent means true. */
  H2PingUseTLS?: boolean;
  OSService?: string;
  DockerContainerID?: string;
  Shell?: string;
  ScriptArgs?: string[];
  AliasNode?: string;
  AliasService?: string;
  TTL?: string;
  Interval?: string;
  Timeout?: string;
  SuccessBeforePassing?: number;
  FailuresBeforeWarning?: number;
  FailuresBeforeCritical?: number;
  DeregisterCriticalServiceAfter?: string;
  OutputMaxSize?: number;
}

/** A check joined from its two halves: the definition (its declarer's) and the state (its node's agent's). */
export interface HealthCheck extends Indexed {
  Namespace?: string;
  Node: string;
  CheckID: string;
  Name: string;
  Status: CheckStatus;
  Notes: string;
  Output: string;
  ServiceID: string;
  ServiceName: string;
  ServiceTags: string[];
  Type: string;
  Interval: string;
  Timeout: string;
  ExposedPort: number;
  Definition: CheckDefinition;
}

/** The output of a check that has no verdict yet. */
export function noVerdictText(node: string, options: { readonly hasAgent: boolean }): string {
  return options.hasAgent
    ? `the agent of node ${node} has not run this check yet`
    : `no agent on node ${node} runs this check`;
}

/** Whether an output is that of a check without a verdict. */
export function isNoVerdict(output: string, node: string): boolean {
  return [true, false].some((hasAgent) => output === noVerdictText(node, { hasAgent }));
}

/** One row of /v1/health/service/:name. */
export interface HealthEntry {
  Node: Node;
  Service: ServiceInstance;
  Checks: HealthCheck[];
}

/** Aggregated status of an instance: the worst of its checks; no checks means passing. */
export function aggregateStatus(checks: readonly Pick<HealthCheck, 'Status'>[]): CheckStatus {
  let worst: CheckStatus = 'passing';
  for (const check of checks) {
    if (check.Status === 'critical') return 'critical';
    if (check.Status === 'warning') worst = 'warning';
  }
  return worst;
}
