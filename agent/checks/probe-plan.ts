import type { CheckDefinition } from '../../api/shapes/catalog.ts';
import { parseGoDuration } from '../../core/duration.ts';
import { AppError } from '../../core/errors.ts';
import type { Thresholds } from './check-state.ts';

/** Consul's defaults and limits (documentation of "Service and check definitions"). */
export const MIN_INTERVAL_MS = 1000;
export const DEFAULT_TIMEOUT_MS = 10_000;
/** Scripts take longer than requests. */
export const DEFAULT_SCRIPT_TIMEOUT_MS = 30_000;
export const DEFAULT_OUTPUT_BYTES = 4096;
export const MIN_DEREGISTER_AFTER_MS = 60_000;

interface RunnablePlan {
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly outputMaxBytes: number;
  readonly thresholds: Thresholds;
}

/** Where a probe goes; `target` as declared, for the output. */
interface Endpoint {
  readonly target: string;
  readonly host: string;
  readonly port: number;
}

interface Tls {
  readonly tls: boolean;
  readonly tlsServerName: string;
  readonly tlsSkipVerify: boolean;
}

export interface HttpPlan extends RunnablePlan {
  readonly kind: 'http';
  readonly url: URL;
  /** As declared, for the output. */
  readonly target: string;
  readonly method: string;
  readonly header: Readonly<Record<string, readonly string[]>>;
  readonly body: string;
  readonly followRedirects: boolean;
  readonly tlsServerName: string;
  readonly tlsSkipVerify: boolean;
}

export interface TcpPlan extends RunnablePlan, Endpoint, Tls {
  readonly kind: 'tcp';
}

export interface UdpPlan extends RunnablePlan, Endpoint {
  readonly kind: 'udp';
}

export interface GrpcPlan extends RunnablePlan, Endpoint, Tls {
  readonly kind: 'grpc';
  /** '' = the server as a whole. */
  readonly service: string;
}

export interface H2PingPlan extends RunnablePlan, Endpoint, Tls {
  readonly kind: 'h2ping';
}

/** A command on this machine, without a shell in between. */
export interface ScriptPlan extends RunnablePlan {
  readonly kind: 'script';
  readonly args: readonly string[];
}

/** A command in a running container. */
export interface DockerPlan extends RunnablePlan {
  readonly kind: 'docker';
  readonly container: string;
  readonly args: readonly string[];
}

export interface OsServicePlan extends RunnablePlan {
  readonly kind: 'os_service';
  readonly service: string;
}

/** What is probed at an interval. */
export type ProbedPlan = HttpPlan | TcpPlan | UdpPlan | GrpcPlan | H2PingPlan | ScriptPlan | DockerPlan | OsServicePlan;

/** The worst of another service's checks, or with '' of those of the node itself. */
export interface AliasPlan {
  readonly kind: 'alias';
  readonly service: string;
  /** '' = this node. */
  readonly node: string;
  readonly outputMaxBytes: number;
}

export interface TtlPlan {
  readonly kind: 'ttl';
  readonly ttlMs: number;
  readonly outputMaxBytes: number;
}

/** A check definition made ready to run; `idle` has nothing to run (a maintenance mark, a state kept by others). */
export type ProbePlan = ProbedPlan | TtlPlan | AliasPlan | { readonly kind: 'idle' };

/**
 * Reads a definition. An interval below one second counts as one second; without a timeout above 0 it is ten seconds,
 * whatever the interval: a run that lasts past the next one's turn takes its place.
 * @throws AppError `badRequest` naming the field.
 */
export function planProbe(definition: CheckDefinition, limits?: { outputMaxBytes?: number }): ProbePlan {
  const outputMaxBytes = Math.min(
    definition.OutputMaxSize || DEFAULT_OUTPUT_BYTES,
    limits?.outputMaxBytes ?? DEFAULT_OUTPUT_BYTES,
  );
  if (definition.HTTP) return httpPlan(definition, outputMaxBytes);
  if (definition.TCP) return tcpPlan(definition, outputMaxBytes);
  const other = otherPlan(definition, outputMaxBytes);
  if (other) return other;
  const ttlMs = durationOf(definition, 'TTL') ?? 0;
  return ttlMs > 0 ? { kind: 'ttl', ttlMs, outputMaxBytes } : { kind: 'idle' };
}

/** How long a check may be critical before its service is removed, in milliseconds; undefined: for ever. */
export function deregisterAfterMs(definition: CheckDefinition): number | undefined {
  const ms = durationOf(definition, 'DeregisterCriticalServiceAfter') ?? 0;
  return ms > 0 ? Math.max(ms, MIN_DEREGISTER_AFTER_MS) : undefined;
}

function otherPlan(definition: CheckDefinition, outputMaxBytes: number): ProbePlan | undefined {
  const { UDP, GRPC, H2PING, OSService, DockerContainerID, ScriptArgs, Shell, AliasService, AliasNode } = definition;
  const runnable = () => runnablePlan(definition, outputMaxBytes);
  if (UDP) return { kind: 'udp', ...runnable(), ...endpoint('UDP', UDP) };
  if (GRPC) {
    const slash = GRPC.indexOf('/');
    const [authority, service] = slash < 0 ? [GRPC, ''] : [GRPC.slice(0, slash), GRPC.slice(slash + 1)];
    const tls = tlsOf(definition, definition.GRPCUseTLS ?? false);
    return { kind: 'grpc', ...runnable(), ...endpoint('GRPC', authority), target: GRPC, service, ...tls };
  }
  if (H2PING) {
    const tls = tlsOf(definition, definition.H2PingUseTLS ?? true);
    return { kind: 'h2ping', ...runnable(), ...endpoint('H2PING', H2PING), ...tls };
  }
  if (OSService) return { kind: 'os_service', ...runnable(), service: OSService };
  if (DockerContainerID) {
    const args = Shell ? [Shell, '-c', (ScriptArgs ?? []).join(' ')] : (ScriptArgs ?? []);
    return { kind: 'docker', ...runnable(), container: DockerContainerID, args };
  }
  if (ScriptArgs?.length) {
    const timeoutMs = timeoutOf(definition, DEFAULT_SCRIPT_TIMEOUT_MS);
    return { kind: 'script', ...runnable(), timeoutMs, args: ScriptArgs };
  }
  if (AliasService || AliasNode) {
    return { kind: 'alias', service: AliasService ?? '', node: AliasNode ?? '', outputMaxBytes };
  }
  return undefined;
}

function httpPlan(definition: CheckDefinition, outputMaxBytes: number): HttpPlan {
  const target = definition.HTTP!;
  let url: URL;
  try {
    url = new URL(target);
    // A stray percent sign in name or password passes as a URL, but cannot be sent.
    decodeURIComponent(url.username);
    decodeURIComponent(url.password);
  } catch (error) {
    throw invalid('HTTP', `${JSON.stringify(target)} is not a URL such as http://127.0.0.1:8080/health`, error);
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw invalid('HTTP', `${JSON.stringify(target)} must begin with http:// or https://`);
  }
  const method = (definition.Method || 'GET').toUpperCase();
  if (!/^[A-Z!#$%&'*+.^_`|~0-9-]+$/.test(method) || method === 'CONNECT') {
    throw invalid('Method', `${JSON.stringify(method)} is not an HTTP method that can be probed with`);
  }
  return {
    kind: 'http',
    ...runnablePlan(definition, outputMaxBytes),
    url,
    target,
    method,
    header: definition.Header ?? {},
    body: definition.Body ?? '',
    followRedirects: !definition.DisableRedirects,
    tlsServerName: definition.TLSServerName ?? '',
    tlsSkipVerify: definition.TLSSkipVerify ?? false,
  };
}

function tcpPlan(definition: CheckDefinition, outputMaxBytes: number): TcpPlan {
  return {
    kind: 'tcp',
    ...runnablePlan(definition, outputMaxBytes),
    ...endpoint('TCP', definition.TCP!),
    ...tlsOf(definition, definition.TCPUseTLS ?? false),
  };
}

function endpoint(field: string, target: string): Endpoint {
  const match = /^(?:\[([0-9a-fA-F:.%\w]+)\]|([^:[\]\s]+)):(\d{1,5})$/.exec(target);
  const port = Number(match?.[3]);
  if (!match || port < 1 || port > 65_535) {
    throw invalid(field, `${JSON.stringify(target)} must be host:port, such as 127.0.0.1:5432 or [::1]:5432`);
  }
  return { target, host: (match[1] ?? match[2])!, port };
}

function tlsOf(definition: CheckDefinition, tls: boolean): Tls {
  return { tls, tlsServerName: definition.TLSServerName ?? '', tlsSkipVerify: definition.TLSSkipVerify ?? false };
}

function runnablePlan(definition: CheckDefinition, outputMaxBytes: number): RunnablePlan {
  const declared = durationOf(definition, 'Interval') ?? 0;
  if (declared <= 0) throw invalid('Interval', 'must be a duration above 0, such as "10s"');
  const intervalMs = Math.max(declared, MIN_INTERVAL_MS);
  const timeoutMs = timeoutOf(definition, DEFAULT_TIMEOUT_MS);
  const failuresBeforeCritical = count(definition, 'FailuresBeforeCritical');
  const failuresBeforeWarning = count(definition, 'FailuresBeforeWarning') || failuresBeforeCritical;
  if (failuresBeforeWarning > failuresBeforeCritical) {
    throw invalid('FailuresBeforeWarning', 'must not be higher than FailuresBeforeCritical');
  }
  const successBeforePassing = count(definition, 'SuccessBeforePassing');
  const thresholds = { successBeforePassing, failuresBeforeWarning, failuresBeforeCritical };
  return { intervalMs, timeoutMs, outputMaxBytes, thresholds };
}

/** As Consul, which takes none and a negative one for "not said". */
function timeoutOf(definition: CheckDefinition, defaultMs: number): number {
  const declared = durationOf(definition, 'Timeout') ?? 0;
  return declared > 0 ? declared : defaultMs;
}

type DurationField = 'Interval' | 'Timeout' | 'TTL' | 'DeregisterCriticalServiceAfter';

function durationOf(definition: CheckDefinition, field: DurationField): number | undefined {
  const text = definition[field];
  if (text === undefined || text === '') return undefined;
  const ms = parseGoDuration(text);
  if (ms === undefined) throw invalid(field, `${JSON.stringify(text)} is not a duration such as "10s"`);
  return ms;
}

function count(definition: CheckDefinition, field: CountField): number {
  const value = definition[field] ?? 0;
  if (!Number.isInteger(value) || value < 0) throw invalid(field, 'must be a whole number from 0 up');
  return value;
}

type CountField = 'SuccessBeforePassing' | 'FailuresBeforeWarning' | 'FailuresBeforeCritical';

function invalid(field: string, text: string, cause?: unknown): AppError {
  return new AppError('badRequest', `Invalid check: ${field}: ${text}`, { facts: { field }, cause });
}
