import { AppError, errorText } from '../../core/errors.ts';
import { BOOL, DURATION, decodeBody, INT, object, STRING } from '../decode.ts';

/** A server of the quorum (Consul HTTP API, "Raft Operator"). */
export interface RaftServer {
  readonly ID: string;
  readonly Node: string;
  readonly Address: string;
  readonly Leader: boolean;
  readonly ProtocolVersion: string;
  readonly Voter: boolean;
  readonly LastIndex: number;
}

/** How servers of the quorum are looked after (Consul HTTP API, "Autopilot Operator"). */
export interface AutopilotConfig {
  readonly CleanupDeadServers: boolean;
  readonly LastContactThreshold: string;
  readonly MaxTrailingLogs: number;
  readonly MinQuorum: number;
  readonly ServerStabilizationTime: string;
  readonly RedundancyZoneTag: string;
  readonly DisableUpgradeMigration: boolean;
  readonly UpgradeVersionTag: string;
}

/** What holds until somebody sets something else. */
export const DEFAULT_AUTOPILOT: AutopilotConfig = {
  CleanupDeadServers: true,
  LastContactThreshold: '200ms',
  MaxTrailingLogs: 250,
  MinQuorum: 0,
  ServerStabilizationTime: '10s',
  RedundancyZoneTag: '',
  DisableUpgradeMigration: false,
  UpgradeVersionTag: '',
};

/** A body replaces the whole configuration: what it leaves out is off. */
const NOTHING_SET: AutopilotConfig = {
  ...DEFAULT_AUTOPILOT,
  CleanupDeadServers: false,
  LastContactThreshold: '0s',
  MaxTrailingLogs: 0,
  ServerStabilizationTime: '0s',
};

export const AUTOPILOT_BODY = object(
  {
    CleanupDeadServers: BOOL,
    LastContactThreshold: DURATION,
    MaxTrailingLogs: INT,
    MinQuorum: INT,
    ServerStabilizationTime: DURATION,
    RedundancyZoneTag: STRING,
    DisableUpgradeMigration: BOOL,
    UpgradeVersionTag: STRING,
  },
  ['CreateIndex', 'ModifyIndex'],
);

/** @throws AppError `badRequest` with Consul's text, naming the field. */
export function decodeAutopilot(body: Buffer): AutopilotConfig {
  let given: Partial<AutopilotConfig> | undefined;
  try {
    given = decodeBody(AUTOPILOT_BODY, body) as Partial<AutopilotConfig> | undefined;
  } catch (error) {
    throw refused(errorText(error).replace(/^Request decode failed: /, ''), error);
  }
  for (const field of ['MaxTrailingLogs', 'MinQuorum'] as const) {
    if ((given?.[field] ?? 0) < 0) throw refused(`${field} must be 0 or more`);
  }
  for (const field of ['LastContactThreshold', 'ServerStabilizationTime'] as const) {
    if (given?.[field]?.startsWith('-')) throw refused(`${field} must not be negative`);
  }
  return { ...NOTHING_SET, ...given };
}

function refused(text: string, cause?: unknown): AppError {
  return new AppError('badRequest', `Error parsing autopilot config: ${text}`, { cause });
}

/** A server as autopilot judges it. */
export interface ServerHealth {
  readonly ID: string;
  readonly Name: string;
  readonly Address: string;
  readonly Version: string;
  readonly Leader: boolean;
  readonly Voter: boolean;
  readonly Healthy: boolean;
  readonly LastContactMs: number;
  readonly LastTerm: number;
  readonly LastIndex: number;
  /** Unix milliseconds. */
  readonly stableSince: number;
}

/** Counts of what is registered in a datacenter. */
export interface Usage {
  readonly Services: number;
  readonly ServiceInstances: number;
  readonly ConnectServiceInstances: Readonly<Record<string, number>>;
  /** Instances of services that are neither the servers nor the mesh's own. */
  readonly BillableServiceInstances: number;
  readonly Nodes: number;
}
