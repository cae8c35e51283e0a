import type { CheckStatus } from './catalog.ts';

/** Why an instance is kept back. */
export interface ExplainedReason {
  /**
   * `check` fails; `maintenance` was asked for; `agentSilent`: the agent of the node has not reported; `tag`, `nodeMeta` and
   * `filter`: the parameters of the question rule it out.
   */
  Kind: 'check' | 'maintenance' | 'agentSilent' | 'tag' | 'nodeMeta' | 'filter';
  /** One line for people. */
  Text: string;
  /** Of checks: */
  CheckID?: string;
  Status?: CheckStatus;
  Output?: string;
  /** Since when it has this status (RFC 3339), where that is known. */
  Since?: string;
}

export interface ExplainedInstance {
  Node: string;
  ServiceID: string;
  Address: string;
  Port: number;
  Status: CheckStatus;
  /** Whether DNS answers with it (an agent with dns_config.only_passing: if it is passing). */
  DNS: boolean;
  /** Whether /v1/health/service/:name?passing shows it. */
  Passing: boolean;
  /** What keeps it back, the gravest first; empty when nothing does. */
  Reasons: ExplainedReason[];
}

/** Answer of GET /v1/explain/service/:name. */
export interface Explanation {
  Service: string;
  Namespace: string;
  /** Of a service without instances, where the server knows it: why there is none. */
  Reason?: string;
  /** By node and id. */
  Instances: ExplainedInstance[];
  /** Other namespaces that have a service of this name. */
  OtherNamespaces: string[];
  /** For a name without instances: the services whose names are near, in this namespace. */
  Nearest: string[];
}
