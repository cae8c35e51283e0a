import {
  type CheckDefinition,
  type CheckStatus,
  DEFAULT_NAMESPACE,
  type Locality,
  type ServiceInstance,
} from '../../api/shapes/catalog.ts';

/** Who declared an entry ('' = the API), for which object, and the digest of what was declared. */
export interface Ownership {
  readonly owner: string;
  readonly ref: string;
  readonly hash: string;
}

/** A node as it is stored. */
export interface NodeRecord {
  readonly name: string;
  readonly id: string;
  readonly address: string;
  readonly taggedAddresses: Record<string, string> | null;
  readonly meta: Record<string, string> | null;
  readonly locality?: Locality;
  /** Made by an owner's registration of an instance, not for its own sake: it goes with its last instance. */
  readonly implicit: boolean;
}

/** What an instance declares: the JSON form without indexes and without what is the same for all. */
export type InstanceContent = Omit<ServiceInstance, 'CreateIndex' | 'ModifyIndex' | 'Namespace'>;

export interface InstanceRecord extends Ownership {
  readonly node: string;
  readonly namespace: string;
  readonly content: InstanceContent;
}

/** The definition half of a check: its declarer's. */
export interface CheckDefinitionRecord extends Ownership {
  readonly node: string;
  readonly namespace: string;
  readonly checkId: string;
  readonly name: string;
  readonly notes: string;
  readonly serviceId: string;
  readonly type: string;
  readonly interval: string;
  readonly timeout: string;
  readonly exposedPort: number;
  readonly definition: CheckDefinition;
  /** The state half that came with the definition. It counts only while there is none at its own key: see `CheckEntry.state`. */
  readonly state?: CheckStateRecord;
  /** Of serfHealth only: how often the agent promised to report, so that a new server knows how long to wait. */
  readonly heartbeatMs?: number;
  /** Of serfHealth only: the agent's port among members, 0 = it has none; Consul's when absent. */
  readonly serfPort?: number;
}

/** The state half of a check: its node's agent's. */
export interface CheckStateRecord {
  readonly status: CheckStatus;
  readonly output: string;
  /** Since when it has this status, by the wall clock of the server that wrote it; not known of older records. */
  readonly since?: number;
}

/** What is stored of a verdict: the time is that of the last change of status. */
export function checkStateRecord(
  { status, output }: { readonly status: CheckStatus; readonly output: string },
  before: CheckStateRecord | undefined,
  nowMs: number,
): CheckStateRecord {
  const since = before?.status === status ? before.since : nowMs;
  return since === undefined ? { status, output } : { status, output, since };
}

export interface OwnerRecord {
  readonly epoch: number;
  /** Never stored: what is stored cannot be read, and it is no higher than this. */
  readonly isGuess?: true;
}

/** A record as it is stored. */
export function encodeRecord(record: object): string {
  return JSON.stringify(record);
}

/** Whether two records (of JSON values) say the same, whatever the order of their fields and maps. */
export function sameRecord(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a)) {
    return Array.isArray(b) && a.length === b.length && a.every((item, at) => sameRecord(item, b[at]));
  }
  if (Array.isArray(b)) return false;
  const left = a as Record<string, unknown>;
  const right = b as Record<string, unknown>;
  // JSON has no undefined: such a field counts as absent.
  let matched = 0;
  for (const key in left) {
    if (left[key] === undefined) continue;
    if (!sameRecord(left[key], right[key])) return false;
    matched++;
  }
  for (const key in right) if (right[key] !== undefined) matched--;
  return matched === 0;
}

/** What Consul shows of a mesh proxy that was not configured, shared by all instances. */
const NO_PROXY: Record<string, unknown> = Object.freeze({ Mode: '', MeshGateway: {}, Expose: {} });
const NO_CONNECT: Record<string, unknown> = Object.freeze({});

/** The JSON form of an instance, complete as Consul shows it. */
export function instanceShape(record: InstanceRecord, createIndex: number, modifyIndex: number): ServiceInstance {
  const { content } = record;
  const shape: ServiceInstance & { PeerName: string } = {
    ID: content.ID,
    Service: content.Service,
    Tags: content.Tags,
    Address: content.Address,
    Meta: content.Meta,
    Port: content.Port,
    Weights: content.Weights,
    EnableTagOverride: content.EnableTagOverride,
    Proxy: content.Proxy ? proxyShape(content.Proxy) : NO_PROXY,
    Connect: content.Connect ?? NO_CONNECT,
    PeerName: '',
    CreateIndex: createIndex,
    ModifyIndex: modifyIndex,
  };
  if (record.namespace !== DEFAULT_NAMESPACE) shape.Namespace = record.namespace;
  if (content.Kind) shape.Kind = content.Kind;
  if (content.TaggedAddresses) shape.TaggedAddresses = content.TaggedAddresses;
  if (content.Ports) shape.Ports = content.Ports;
  if (content.SocketPath) shape.SocketPath = content.SocketPath;
  if (content.Locality) shape.Locality = content.Locality;
  return shape;
}

/** What Consul shows of an upstream that leaves it out. */
const NO_UPSTREAM = { DestinationType: '', DestinationName: '', Datacenter: '', MeshGateway: {} };

function proxyShape(proxy: Record<string, unknown>): Record<string, unknown> {
  const { Upstreams: upstreams } = proxy;
  if (!Array.isArray(upstreams)) return { ...NO_PROXY, ...proxy };
  return { ...NO_PROXY, ...proxy, Upstreams: upstreams.map((upstream: object) => ({ ...NO_UPSTREAM, ...upstream })) };
}
