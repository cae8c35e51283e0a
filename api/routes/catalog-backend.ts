import type { Reading, Watch } from '../blocking-query.ts';
import type { AgentEntries, AssignedCheck, NodeHealth, VerdictReport } from '../shapes/agent-sync.ts';
import type { HealthCheck, HealthEntry, Node, ServiceInstance } from '../shapes/catalog.ts';
import type { OwnedEvent, OwnerState } from '../shapes/owned.ts';
import type { Deregistration, Registration, WriterIdentity } from '../shapes/registration.ts';
import type { Member } from './agent-local-backend.ts';

/**
 * A read that can be asked again when its data has changed. Values must not be modified, and are equal while the index
 * is. `run` throws AppError `notSynced` before there is a catalog.
 */
export interface LiveRead<T> {
  run(): Reading<T>;
  /** The index that `run` would give now, for those who have its value already. Throws like `run`. */
  version?(): number;
  readonly watch: Watch;
  /** A place for one more who waits beside one who watches; to be given back once. @throws AppError `rateLimited`. */
  admit?(): () => void;
}

/** A node with the instances of one namespace. */
export interface NodeServices {
  readonly node: Node;
  /** In order of their ids. */
  readonly instances: readonly ServiceInstance[];
}

/** A service of the list of services. */
export interface ServiceSummary {
  readonly name: string;
  readonly tags: readonly string[];
}

/** `key:value` pairs, all of which a node has to carry. */
export type NodeMeta = readonly (readonly [string, string])[];

export interface NodeReads {
  /** In order of their names. */
  nodes(): LiveRead<readonly Node[]>;
  node(namespace: string, name: string): LiveRead<NodeServices | undefined>;
  /** All checks of a node in a namespace, in order of their ids. */
  nodeChecks(namespace: string, name: string): LiveRead<readonly HealthCheck[]>;
}

export interface ServiceReads {
  /** In order of their names; with `nodeMeta` only what is on such nodes. */
  services(namespace: string, nodeMeta: NodeMeta): LiveRead<readonly ServiceSummary[]>;
  /** All instances with their checks, in order of node and id. */
  service(namespace: string, name: string): LiveRead<readonly HealthEntry[]>;
  /** The mesh endpoints of a service: its proxies, and instances that speak the mesh's TLS themselves. */
  connect(namespace: string, name: string): LiveRead<readonly HealthEntry[]>;
  /** Every instance of a namespace, by service, node and id. */
  instances(namespace: string): LiveRead<readonly HealthEntry[]>;
  /** By node and id; `any` gives all. */
  checksInState(namespace: string, state: string, nodeMeta: NodeMeta): LiveRead<readonly HealthCheck[]>;
}

export interface CatalogWrites {
  register(
    registration: Registration,
    writer: WriterIdentity,
    options: { replaceExistingChecks: boolean },
  ): Promise<void>;
  deregister(target: Deregistration, writer: WriterIdentity): Promise<void>;
}

/** What owners ask: their epoch and their instances. */
export interface OwnerBackend {
  ownerState(owner: string): OwnerState;
  claimEpoch(state: OwnerState): Promise<void>;
  followOwned(owner: string, signal: AbortSignal): AsyncIterable<OwnedEvent>;
}

/** What the agent of a node asks. */
export interface AgentBackend {
  entries(node: string): AgentEntries;
  definitions(node: string): LiveRead<readonly AssignedCheck[]>;
  health(node: string): LiveRead<NodeHealth>;
  report(node: string, report: VerdictReport): Promise<void>;
  /** The nodes that have had an agent: alive, or failed when it is silent. @throws AppError `notSynced`. */
  members(): readonly Member[];
}

export interface ServerStatus {
  readonly datacenter: string;
  /** `host:port` of the leader, '' when there is none. */
  leader(): string;
  peers(): string[];
}
