import type { CheckDefinition, CheckStatus } from './catalog.ts';

/** A check definition that the agent of a node has to run: an element of GET /v1/internal/agent/:node/definitions. */
export interface AssignedCheck {
  Namespace: string;
  CheckID: string;
  Name: string;
  ServiceID: string;
  ServiceName: string;
  Definition: CheckDefinition;
  /** The state half as the catalog has it now, so that a restarted agent goes on from it. */
  Status: CheckStatus;
  Output: string;
  /** ModifyIndex of the definition half; a change means: run it anew. */
  DefinitionIndex: number;
}

/** What an alias check on another node looks at: GET /v1/internal/agent/:node/health. */
export interface NodeHealth {
  /** Whether the catalog has the node. */
  Known: boolean;
  Services: { Namespace: string; ServiceID: string }[];
  Checks: {
    Namespace: string;
    /** '' for a check of the node. */
    ServiceID: string;
    Name: string;
    Type: string;
    Status: CheckStatus;
    Output: string;
  }[];
}

/** The state half of one check. */
export interface Verdict {
  Namespace: string;
  CheckID: string;
  Status: CheckStatus;
  Output: string;
}

/**
 * Body of PUT /v1/internal/agent/:node/verdicts. It is also the agent's sign of life: a node whose agent has been
 * silent for three intervals gets serfHealth critical. An empty list is a bare sign of life.
 */
export interface VerdictReport {
  Verdicts: Verdict[];
  /** How often the agent reports at least, in milliseconds. */
  HeartbeatMs: number;
  /**
   * Its port among members, as it shows it itself; 0 = it has none. By HTTP this is the parameter `serf_port`: servers of earlier versions
   * refuse a body with a field that they do not know.
   */
  SerfPort?: number;
}

/** One entry of the node that this agent owns: element of GET /v1/internal/agent/:node/entries. */
export interface AgentEntries {
  Services: {
    Namespace: string;
    ServiceID: string;
    Hash: string;
    /** Where EnableTagOverride lets others set them; absent in answers of earlier versions, too. */
    Tags?: string[];
  }[];
  Checks: {
    Namespace: string;
    CheckID: string;
    ServiceID: string;
    Hash: string;
    Status: CheckStatus;
    Output: string;
  }[];
}
