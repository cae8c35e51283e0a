import type { CheckDefinition } from '../../api/shapes/catalog.ts';
import { parseGoDuration } from '../../core/duration.ts';
import { AppError } from '../../core/errors.ts';
import type { Thresholds } from './check-state.ts';

/** Consul's defaults and limits (documentation of "Service and check definitions"). */
export const MIN_INTERVAL_MS = 1000;
export const DEFAULT_TIMEOUT_MS = 10_000;
export const DEFAULT_OUTPUT_BYTES = 4096;
export const MIN_DEREGISTER_AFTER_MS = 60_000;

interface RunnablePlan {
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly outputMaxBytes: number;
  readonly thresholds: Thresholds;
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

export interface TcpPlan extends RunnablePlan {
  readonly kind: 'tcp';
  readonly target: string;
  readonly host: string;
  readonly port: number;
  readonly tls: boolean;
  readonly tlsServerName: string;
  readonly tlsSkipVerify: boolean;
}

export interface TtlPlan {
  readonly kind: 'ttl';
  readonly ttlMs: number;
  readonly outputMaxBytes: number;
}

/** A check definition made ready to run; `idle` has nothing to run (a maintenance mark, a state kept by others). */
export type ProbePlan = HttpPlan | TcpPlan | TtlPlan | { readonly kind: 'idle' };

/**
 * Reads a definition. An interval below one second counts as one second; without a timeout it is ten seconds, or the
 * interval if that is shorter, so that a run ends before the next begins.
 * @throws AppError `badRequest` naming the field.
 */
export function planProbe(definition: CheckDefinition, limits?: { outputMaxBytes?: number }): ProbePlan {
  const outputMaxBytes = Math.min(
    definition.OutputMaxSize || DEFAULT_OUTPUT_BYTES,
    limits?.outputMaxBytes ?? DEFAULT_OUTPUT_BYTES,
  );
  if (definition.HTTP) return httpPlan(definition, outputMaxBytes);
  if (definition.TCP) return tcpPlan(definition, outputMaxBytes);
  const ttlMs = durationOf(definition, 'TTL') ?? 0;
  return ttlMs > 0 ? { kind: 'ttl', ttlMs, outputMaxBytes } : { kind: 'idle' };
}

/** How long a check may be critical before its service is removed, in milliseconds; undefined: for ever. */
export function deregisterAfterMs(definition: CheckDefinition): number | undefined {
  const ms = durationOf(definition, 'DeregisterCriticalServiceAfter') ?? 0;
  return ms > 0 ? Math.max(ms, MIN_DEREGISTER_AFTER_MS) : undefined;
}

/** The check's type as Consul names it in its `Type` field. */
export function checkType(definition: CheckDefinition): string {
  if (definition.HTTP) return 'http';
  if (definition.TCP) return 'tcp';
  return definition.TTL ? 'ttl' : '';
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
  const target = definition.TCP!;
  const match = /^(?:\[([0-9a-fA-F:.%\w]+)\]|([^:[\]\s]+)):(\d{1,5})$/.exec(target);
  const port = Number(match?.[3]);
  if (!match || port < 1 || port > 65_535) {
    throw invalid('TCP', `${JSON.stringify(target)} must be host:port, such as 127.0.0.1:5432 or [::1]:5432`);
  }
  return {
    kind: 'tcp',
    ...runnablePlan(definition, outputMaxBytes),
    target,
    host: (match[1] ?? match[2])!,
    port,
    tls: definition.TCPUseTLS ?? false,
    tlsServerName: definition.TLSServerName ?? '',
    tlsSkipVerify: definition.TLSSkipVerify ?? false,
  };
}

function runnablePlan(definition: CheckDefinition, outputMaxBytes: number): RunnablePlan {
  const declared = durationOf(definition, 'Interval') ?? 0;
  if (declared <= 0) throw invalid('Interval', 'must be a duration above 0, such as "10s"');
  const intervalMs = Math.max(declared, MIN_INTERVAL_MS);
  const timeoutMs = durationOf(definition, 'Timeout') || Math.min(DEFAULT_TIMEOUT_MS, intervalMs);
  const failuresBeforeCritical = count(definition, 'FailuresBeforeCritical');
  const failuresBeforeWarning = count(definition, 'FailuresBeforeWarning') || failuresBeforeCritical;
  if (failuresBeforeWarning > failuresBeforeCritical) {
    throw invalid('FailuresBeforeWarning', 'must not be higher than FailuresBeforeCritical');
  }
  const successBeforePassing = count(definition, 'SuccessBeforePassing');
  const thresholds = { successBeforePassing, failuresBeforeWarning, failuresBeforeCritical };
  return { intervalMs, timeoutMs, outputMaxBytes, thresholds };
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
