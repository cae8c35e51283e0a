import type { AgentCheck, CheckPolicy } from '../shapes/agent-check.ts';
import type { AgentService, AgentServiceInstance } from '../shapes/agent-service.ts';
import type { CheckStatus } from '../shapes/catalog.ts';

/** A check of an agent with both halves. */
export interface AgentCheckState {
  readonly namespace: string;
  readonly checkId: string;
  readonly name: string;
  readonly notes: string;
  readonly serviceId: string;
  readonly type: string;
  readonly interval: string;
  readonly timeout: string;
  readonly status: CheckStatus;
  readonly output: string;
}

/** The services that an agent owns. */
export interface AgentServicesBackend {
  services(namespace: string): readonly AgentServiceInstance[];
  service(namespace: string, id: string): AgentServiceInstance | undefined;
  /** Resolves when it is kept, and in the catalog unless the servers are away. @throws AppError `badRequest`. */
  registerService(namespace: string, service: AgentService, options: { replaceExistingChecks: boolean }): Promise<void>;
  /** False when there is no such service. */
  deregisterService(namespace: string, id: string): Promise<boolean>;
  /** Calls `wake` after each change of any service; gives a function that stops it. */
  onServiceChange(wake: () => void): () => void;
}

/** The checks that an agent owns. */
export interface AgentChecksBackend {
  /** What clients of the API may register. */
  readonly policy: CheckPolicy;
  checks(namespace: string): readonly AgentCheckState[];
  check(namespace: string, id: string): AgentCheckState | undefined;
  /** `keepState`: a state known from before stays. */
  registerCheck(namespace: string, check: AgentCheck, options: { keepState: boolean }): Promise<void>;
  /** False when there is no such check. */
  deregisterCheck(namespace: string, id: string): Promise<boolean>;
  /** An application's update of its TTL check. @throws AppError `refused` when the check has no TTL. */
  updateTtl(namespace: string, id: string, update: { status: CheckStatus; output: string }): Promise<void>;
}

/** A node of the cluster as gossip would describe it (Consul HTTP API, "List Members"). */
export interface Member {
  readonly Name: string;
  readonly Addr: string;
  readonly Port: number;
  readonly Tags: Readonly<Record<string, string>>;
  /** 1 alive, 2 leaving, 3 left, 4 failed. */
  readonly Status: number;
}

/** What an agent tells about itself. */
export interface AgentInfoBackend {
  readonly node: string;
  readonly datacenter: string;
  /** Part of the names of gauges in Consul's form; '' = it is not. */
  readonly metricsHost: string;
  /** The body of GET /v1/agent/self but for Member and Coord. */
  self(): Readonly<Record<string, unknown>>;
  /** The machine, for GET /v1/agent/host. */
  host(nowMs: number): object;
  member(): Member;
  members(signal: AbortSignal): Promise<readonly Member[]>;
}

/** Who joins and who leaves. */
export interface AgentClusterBackend {
  /** Takes up contact with the server at this address. @throws AppError when it cannot be reached. */
  join(address: string): Promise<void>;
  /** Leaves the cluster and stops the agent. */
  leave(): Promise<void>;
  /** Removes a failed node; false when no member has this name. */
  forceLeave(node: string, signal: AbortSignal): Promise<boolean>;
}

export interface AgentRouteBackend {
  readonly cluster: AgentClusterBackend;
  readonly services: AgentServicesBackend;
  readonly checks: AgentChecksBackend;
  readonly info: AgentInfoBackend;
}
