import { parseGoDuration } from '../../core/duration.ts';
import { AppError } from '../../core/errors.ts';
import { BOOL, DURATION, decodeBody, INT, list, map, object, STRING } from '../decode.ts';
import { decodeAgentBody } from './agent-decode.ts';
import type { CheckDefinition, CheckStatus } from './catalog.ts';
import { checkNameLength } from './name-limit.ts';

/** A check as clients and configuration files give it to an agent (Consul HTTP API, "Register Check"). */
export interface AgentCheckInput extends CheckDefinition {
  ID?: string;
  CheckID?: string;
  Name?: string;
  Notes?: string;
  ServiceID?: string;
  Status?: string;
  Namespace?: string;
  Args?: string[];
}

/** What a declarer of checks may ask for. */
export interface CheckPolicy {
  /** Checks that run a command on this machine or in a container. */
  readonly scripts: boolean;
  /** Whether they come from the agent's own configuration, and not from a call; no when not given. */
  readonly local?: boolean;
}

export const NO_SCRIPTS: CheckPolicy = { scripts: false };

/** Fields of a check in a service definition or a configuration file. */
export const AGENT_CHECK = object(
  {
    ID: STRING,
    CheckID: STRING,
    Name: STRING,
    Notes: STRING,
    ServiceID: STRING,
    Status: STRING,
    Namespace: STRING,
    Args: list(STRING),
    ScriptArgs: list(STRING),
    Shell: STRING,
    DockerContainerID: STRING,
    HTTP: STRING,
    Header: map(list(STRING)),
    Method: STRING,
    Body: STRING,
    DisableRedirects: BOOL,
    TCP: STRING,
    TCPUseTLS: BOOL,
    UDP: STRING,
    GRPC: STRING,
    GRPCUseTLS: BOOL,
    H2PING: STRING,
    H2PingUseTLS: BOOL,
    OSService: STRING,
    AliasNode: STRING,
    AliasService: STRING,
    TTL: DURATION,
    Interval: DURATION,
    Timeout: DURATION,
    TLSServerName: STRING,
    TLSSkipVerify: BOOL,
    SuccessBeforePassing: INT,
    FailuresBeforeWarning: INT,
    FailuresBeforeCritical: INT,
    DeregisterCriticalServiceAfter: DURATION,
    OutputMaxSize: INT,
  },
  ['Token', 'ProxyHTTP', 'ProxyGRPC', 'Type', 'Output'],
);

/** A check ready for the agent: checked, with everything filled in but its service. */
export interface AgentCheck {
  readonly checkId: string;
  readonly name: string;
  readonly notes: string;
  readonly serviceId: string;
  readonly type: string;
  readonly interval: string;
  readonly timeout: string;
  readonly definition: CheckDefinition;
  readonly status: CheckStatus;
  /** Whether the registration gave the status itself. */
  readonly statusGiven: boolean;
}

/** What the body of PUT /v1/agent/check/update/:id holds. */
export const CHECK_UPDATE = object({ Status: STRING, Output: STRING }, ['CheckID', 'Namespace']);

/** Body of PUT /v1/agent/check/update/:id. */
export interface CheckUpdate {
  readonly status: CheckStatus;
  readonly output: string;
}

const STATUSES: readonly string[] = ['passing', 'warning', 'critical'];

/** @throws AppError `badRequest` with Consul's texts. */
export function decodeAgentCheck(
  body: Buffer,
  policy: CheckPolicy = NO_SCRIPTS,
): { check: AgentCheck; namespace: string | undefined } {
  const input = (decodeAgentBody(() => decodeBody(AGENT_CHECK, body)) ?? {}) as AgentCheckInput;
  if (!input.Name) throw bad('Missing check name', 'Name');
  if (input.Status && !STATUSES.includes(input.Status)) throw bad('Bad check status', 'Status');
  if (!input.CheckID && !input.ID) checkNameLength(input.Name, 'Name');
  const check = normalizeAgentCheck(input, { checkId: input.Name, name: input.Name }, policy);
  // Registered alone, absent durations show as Go prints zero.
  const { interval, timeout } = check;
  return { check: { ...check, interval: interval || '0s', timeout: timeout || '0s' }, namespace: input.Namespace };
}

/** @throws AppError `badRequest` with Consul's texts. */
export function decodeCheckUpdate(body: Buffer): CheckUpdate {
  const input = (decodeAgentBody(() => decodeBody(CHECK_UPDATE, body)) ?? {}) as { Status?: string; Output?: string };
  const status = input.Status ?? '';
  if (!STATUSES.includes(status)) throw bad(`Invalid check status: '${status}'`, 'Status');
  return { status: status as CheckStatus, output: input.Output ?? '' };
}

/**
 * Checks one check and fills in what may be left out.
 * @throws AppError `badRequest` with Consul's texts, `refused` for a script.
 */
export function normalizeAgentCheck(
  input: AgentCheckInput,
  defaults: { checkId: string; name: string },
  policy: CheckPolicy = NO_SCRIPTS,
): AgentCheck {
  const kinds = checkKinds(input);
  validate(input, kinds, policy);
  const definition: CheckDefinition = {};
  for (const field of DEFINITION_FIELDS) {
    const value = input[field];
    // Pings use TLS unless it is refused, so that here `false` says something.
    const given = value !== undefined && (field === 'H2PingUseTLS' || !isZero(value));
    if (given) Object.assign(definition, { [field]: value });
  }
  const command = input.ScriptArgs?.length ? input.ScriptArgs : input.Args;
  if (command?.length) definition.ScriptArgs = command;
  checkNameLength(input.CheckID || input.ID || '', 'CheckID');
  return {
    checkId: input.CheckID || input.ID || defaults.checkId,
    name: input.Name || defaults.name,
    notes: input.Notes ?? '',
    serviceId: input.ServiceID ?? '',
    type: kinds[0] ?? 'ttl',
    interval: isZero(input.Interval) ? '' : input.Interval!,
    timeout: isZero(input.Timeout) ? '' : input.Timeout!,
    definition,
    status: (input.Status || 'critical') as CheckStatus,
    statusGiven: Boolean(input.Status),
  };
}

const DEFINITION_FIELDS = [
  'HTTP',
  'Method',
  'Header',
  'Body',
  'DisableRedirects',
  'TLSServerName',
  'TLSSkipVerify',
  'TCP',
  'TCPUseTLS',
  'UDP',
  'GRPC',
  'GRPCUseTLS',
  'H2PING',
  'H2PingUseTLS',
  'OSService',
  'DockerContainerID',
  'Shell',
  'AliasNode',
  'AliasService',
  'TTL',
  'Interval',
  'Timeout',
  'SuccessBeforePassing',
  'FailuresBeforeWarning',
  'FailuresBeforeCritical',
  'DeregisterCriticalServiceAfter',
  'OutputMaxSize',
] as const satisfies readonly (keyof CheckDefinition)[];

/** What asks for each kind of check. Where a definition in the catalog asks for several, the first one counts, as in Consul. */
const KINDS: Readonly<Record<string, (check: CheckKindFields) => unknown>> = {
  alias: ({ AliasNode, AliasService }) => AliasNode || AliasService,
  grpc: ({ GRPC }) => GRPC,
  http: ({ HTTP }) => HTTP,
  tcp: ({ TCP }) => TCP,
  udp: ({ UDP }) => UDP,
  docker: ({ DockerContainerID }) => DockerContainerID,
  script: ({ Args, ScriptArgs, DockerContainerID }) => !DockerContainerID && (Args?.length || ScriptArgs?.length),
  h2ping: ({ H2PING }) => H2PING,
  os_service: ({ OSService }) => OSService,
};

type CheckKindFields = CheckDefinition & Pick<AgentCheckInput, 'Args'>;

/** The kinds of check that its fields ask for; none for a TTL check. */
export function checkKinds(check: CheckKindFields): string[] {
  return Object.keys(KINDS).filter((kind) => KINDS[kind]!(check));
}

function validate(input: AgentCheckInput, kinds: readonly string[], policy: CheckPolicy): void {
  const intervalMs = durationMs(input.Interval);
  const ttlMs = durationMs(input.TTL);
  if (!policy.scripts && (kinds.includes('script') || kinds.includes('docker'))) {
    throw new AppError(
      'refused',
      policy.local
        ? "Scripts are disabled on this agent; to enable those of its own configuration, configure 'enable_local_script_checks' to true"
        : "Scripts are disabled on this agent from remote calls; to enable, configure 'enable_script_checks' to true",
    );
  }
  if (input.Status && !STATUSES.includes(input.Status)) {
    throw bad("Status for checks must 'passing', 'warning', 'critical'", 'Status');
  }
  if (intervalMs > 0 && ttlMs > 0) throw invalid('Interval and TTL cannot both be specified', 'TTL');
  if ((input.OutputMaxSize ?? 0) < 0) throw invalid('MaxOutputMaxSize must be positive', 'OutputMaxSize');
  if (kinds.length === 0 && ttlMs <= 0) throw invalid('TTL must be > 0 for TTL checks', 'TTL');
  if (kinds.length > 1) throw invalid(`one kind of check is allowed, found ${kinds.join(' and ')}`, 'HTTP');
  if (kinds[0] === 'docker' && !input.Args?.length && !input.ScriptArgs?.length) {
    throw invalid('Args must name the command that a Docker check runs in its container', 'Args');
  }
  if (kinds.length > 0 && kinds[0] !== 'alias' && intervalMs <= 0) {
    throw invalid('Interval must be > 0 for Script, HTTP, H2PING, TCP, UDP or OSService checks', 'Interval');
  }
  const { FailuresBeforeWarning = 0, FailuresBeforeCritical = 0, SuccessBeforePassing = 0 } = input;
  if (FailuresBeforeWarning > FailuresBeforeCritical) {
    throw invalid("FailuresBeforeWarning can't be higher than FailuresBeforeCritical", 'FailuresBeforeWarning');
  }
  if (Math.min(FailuresBeforeWarning, FailuresBeforeCritical, SuccessBeforePassing) < 0) {
    throw invalid('thresholds must not be negative', 'SuccessBeforePassing');
  }
}

function durationMs(text: string | undefined): number {
  return text ? (parseGoDuration(text) ?? 0) : 0;
}

function isZero(value: unknown): boolean {
  return value === undefined || value === '' || value === 0 || value === false || value === '0s';
}

function invalid(text: string, field: string): AppError {
  return bad(`Invalid check: ${text}`, field);
}

function bad(text: string, field: string): AppError {
  return new AppError('badRequest', text, { facts: { field } });
}
