import type { CheckDefinition, CheckStatus, Locality, NamedPort, ServiceAddress, Weights } from './catalog.ts';

/** A check in a registration. With `Status` both halves are written; without it only the definition half. */
export interface CheckRegistration {
  Node?: string;
  CheckID?: string;
  Name?: string;
  Status?: CheckStatus;
  Notes?: string;
  Output?: string;
  ServiceID?: string;
  Type?: string;
  Interval?: string;
  Timeout?: string;
  ExposedPort?: number;
  Definition?: CheckDefinition;
  Namespace?: string;
}

export interface ServiceRegistration {
  ID?: string;
  Service: string;
  Kind?: string;
  Tags?: string[];
  Address?: string;
  TaggedAddresses?: Record<string, ServiceAddress>;
  Meta?: Record<string, string>;
  Port?: number;
  Ports?: NamedPort[];
  SocketPath?: string;
  Locality?: Locality;
  Weights?: Weights;
  EnableTagOverride?: boolean;
  Proxy?: Record<string, unknown>;
  Connect?: Record<string, unknown>;
  Namespace?: string;
}

/** Body of PUT /v1/catalog/register. */
export interface Registration {
  Datacenter?: string;
  ID?: string;
  Node: string;
  Address?: string;
  TaggedAddresses?: Record<string, string>;
  NodeMeta?: Record<string, string>;
  /** Of the node. */
  Locality?: Locality;
  Service?: ServiceRegistration;
  Check?: CheckRegistration;
  Checks?: CheckRegistration[];
  /** The node is created when absent, and left as it is when present; a node made so without an address takes one. */
  SkipNodeUpdate?: boolean;
  Namespace?: string;
}

/** Body of PUT /v1/catalog/deregister: the service, else the check, else the whole node. */
export interface Deregistration {
  Datacenter?: string;
  Node: string;
  ServiceID?: string;
  CheckID?: string;
  Namespace?: string;
}

/**
 * Who writes. `owner` is `<kind>/<name>` (header X-Lictor-Owner; '' = the API), `epoch` a fencing number that never
 * falls for an owner (X-Lictor-Epoch), `ref` the declaring object (X-Lictor-Ref), `hash` a digest of what was declared
 * (X-Lictor-Hash), kept with the instance so that its owner can tell a difference without comparing bodies.
 */
export interface WriterIdentity {
  readonly owner: string;
  readonly epoch: number;
  readonly ref?: string;
  readonly hash?: string;
}

/** The HTTP headers that carry a WriterIdentity. */
export const OWNER_HEADERS = {
  owner: 'x-lictor-owner',
  epoch: 'x-lictor-epoch',
  ref: 'x-lictor-ref',
  hash: 'x-lictor-hash',
} as const;
