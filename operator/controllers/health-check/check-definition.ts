import type { CheckDefinition } from '../../../api/shapes/catalog.ts';
import type { CheckRegistration } from '../../../api/shapes/registration.ts';
import { urlHost } from '../../../core/host-port.ts';
import type { HealthCheck } from '../../../crds/types/index.ts';
import type { NamedNumber } from '../../workloads/pod.ts';
import { checkId } from '../identity.ts';

/** Where a check goes. */
export interface CheckTarget {
  readonly instance: string;
  readonly address: string;
  /** The default port; 0 when there is none. */
  readonly port: number;
  readonly ports: readonly NamedNumber[];
}

/**
 * The definition half of a HealthCheck on one instance. A check whose port cannot be found is registered critical with
 * the reason, so that what cannot be checked does not count as healthy.
 */
export function checkRegistration(check: HealthCheck, target: CheckTarget): CheckRegistration {
  const { spec, metadata } = check;
  const base = {
    CheckID: checkId(check, target.instance),
    Name: `${metadata.namespace ?? 'default'}/${metadata.name}`,
    ServiceID: target.instance,
    Notes: spec.notes ?? '',
  };
  if (spec.ttl !== undefined) {
    return { ...base, Type: 'ttl', Definition: withThresholds({ TTL: spec.ttl }, check) };
  }
  const type = typeOf(spec);
  const port = resolvePort(declaredPort(spec), target);
  if (typeof port === 'string')
    return { ...base, Type: type, Status: 'critical', Output: `spec.${type}.port: ${port}` };
  const definition = definitionOf(spec, urlHost(target.address), port);
  return {
    ...base,
    Type: type,
    Interval: spec.interval,
    Timeout: spec.timeout,
    Definition: withThresholds({ ...definition, Interval: spec.interval, Timeout: spec.timeout }, check),
  };
}

type Spec = HealthCheck['spec'];

/** The kinds of checks that go to a port of the instance. */
const PORT_KINDS = ['http', 'tcp', 'udp', 'grpc', 'h2ping'] as const;

/** The number or name of the port that a check goes to; undefined when it is the default one, or none. */
export function declaredPort(spec: Spec): number | string | undefined {
  for (const kind of PORT_KINDS) if (spec[kind]) return spec[kind].port;
  return undefined;
}

function typeOf(spec: Spec): (typeof PORT_KINDS)[number] {
  return PORT_KINDS.find((kind) => spec[kind]) ?? 'tcp';
}

function definitionOf(spec: Spec, host: string, port: number): CheckDefinition {
  const { http, tcp, udp, grpc, h2ping } = spec;
  if (http) return httpDefinition(http, host, port);
  const target = `${host}:${port}`;
  if (udp) return { UDP: target };
  if (grpc) {
    const GRPC = grpc.service === undefined ? target : `${target}/${grpc.service}`;
    return { GRPC, ...(isTls(grpc.tls) ? { GRPCUseTLS: true, ...tlsDefinition(grpc.tls) } : {}) };
  }
  if (h2ping) {
    // Consul's default is TLS; ours is what is declared.
    return { H2PING: target, H2PingUseTLS: isTls(h2ping.tls), ...(isTls(h2ping.tls) ? tlsDefinition(h2ping.tls) : {}) };
  }
  return { TCP: target, ...(isTls(tcp?.tls) ? { TCPUseTLS: true, ...tlsDefinition(tcp.tls) } : {}) };
}

type Tls = NonNullable<NonNullable<Spec['tcp']>['tls']>;

function isTls(tls: Tls | undefined): tls is Tls {
  return tls !== undefined && tls.enabled !== false;
}

function tlsDefinition({ serverName, skipVerify }: Tls): CheckDefinition {
  return { ...(serverName ? { TLSServerName: serverName } : {}), ...(skipVerify ? { TLSSkipVerify: true } : {}) };
}

/** A port number, or a sentence saying why there is none. */
function resolvePort(port: number | string | undefined, target: CheckTarget): number | string {
  if (typeof port === 'number') return port;
  if (port === undefined)
    return target.port > 0 ? target.port : 'the Service has no default port, so a number is needed';
  const found = target.ports.find(({ name }) => name === port);
  if (found) return found.port;
  const names = target.ports.map(({ name }) => name).filter((name) => name !== '');
  return `the Service has no port named "${port}"${names.length > 0 ? `; it has ${names.join(', ')}` : ''}`;
}

function httpDefinition(http: NonNullable<HealthCheck['spec']['http']>, host: string, port: number): CheckDefinition {
  const secure = http.tls !== undefined && http.tls.enabled !== false;
  const path = http.path ?? '/';
  const definition: CheckDefinition = {
    HTTP: `${secure ? 'https' : 'http'}://${host}:${port}${path.startsWith('/') ? path : `/${path}`}`,
    Method: http.method ?? 'GET',
  };
  if (http.header && Object.keys(http.header).length > 0) definition.Header = sorted(http.header);
  if (http.body !== undefined) definition.Body = http.body;
  if (http.disableRedirects) definition.DisableRedirects = true;
  if (secure) {
    const hostHeader = Object.entries(http.header ?? {}).find(([name]) => name.toLowerCase() === 'host')?.[1][0];
    const serverName = http.tls?.serverName ?? hostHeader?.replace(/:\d+$/, '');
    if (serverName) definition.TLSServerName = serverName;
    if (http.tls?.skipVerify) definition.TLSSkipVerify = true;
  }
  return definition;
}

function withThresholds(definition: CheckDefinition, { spec }: HealthCheck): CheckDefinition {
  const out: CheckDefinition = {};
  for (const [name, value] of Object.entries(definition))
    if (value !== undefined) Object.assign(out, { [name]: value });
  if (spec.successBeforePassing) out.SuccessBeforePassing = spec.successBeforePassing;
  if (spec.failuresBeforeWarning !== undefined) out.FailuresBeforeWarning = spec.failuresBeforeWarning;
  if (spec.failuresBeforeCritical) out.FailuresBeforeCritical = spec.failuresBeforeCritical;
  if (spec.deregisterCriticalServiceAfter) out.DeregisterCriticalServiceAfter = spec.deregisterCriticalServiceAfter;
  return out;
}

/** In the order of the names, so that the same declaration gives the same digest. */
function sorted<T>(record: Record<string, T>): Record<string, T> {
  return Object.fromEntries(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)));
}
