import type { Expose, Mesh, ProxyDefaults, ServiceDefaults } from './entry.ts';
import { BOOL, INT, listOf, OBJECT, OPTIONAL_INT, pointer, STRING, STRINGS, value } from './field-type.ts';
import { kindSpec, oneOf, refuse, refuseAll } from './kind-spec.ts';
import {
  ENVOY_EXTENSIONS,
  EXPOSE,
  FAILOVER_POLICY,
  LOCALITY,
  MESH_GATEWAY,
  PASSIVE_HEALTH_CHECK,
  TRANSPARENT_PROXY,
} from './shared-fields.ts';

export const PROTOCOLS: readonly string[] = ['tcp', 'http', 'http2', 'grpc'];
const PROXY_MODES = ['', 'direct', 'transparent'];
const GATEWAY_MODES = ['', 'none', 'local', 'remote'];
const TLS_MODES = ['', 'default', 'strict', 'permissive'];
const TLS_VERSIONS = ['', 'TLS_AUTO', 'TLSv1_0', 'TLSv1_1', 'TLSv1_2', 'TLSv1_3'];
const LOG_TYPES = ['', 'stdout', 'stderr', 'file'];
const MAX_PORT = 65_535;

const UPSTREAM = {
  Name: STRING,
  Peer: STRING,
  EnvoyListenerJSON: STRING,
  EnvoyClusterJSON: STRING,
  Protocol: STRING,
  ConnectTimeoutMs: INT,
  Limits: pointer({
    MaxConnections: OPTIONAL_INT,
    MaxPendingRequests: OPTIONAL_INT,
    MaxConcurrentRequests: OPTIONAL_INT,
  }),
  PassiveHealthCheck: PASSIVE_HEALTH_CHECK,
  MeshGateway: MESH_GATEWAY,
  BalanceOutboundConnections: STRING,
};
const RATE = { RequestsPerSecond: INT, RequestsMaxBurst: INT };

export const SERVICE_DEFAULTS = kindSpec<ServiceDefaults>({
  fields: {
    Protocol: STRING,
    Mode: STRING,
    TransparentProxy: TRANSPARENT_PROXY,
    MutualTLSMode: STRING,
    EnvoyExtensions: ENVOY_EXTENSIONS,
    MeshGateway: MESH_GATEWAY,
    Expose: EXPOSE,
    ExternalSNI: STRING,
    UpstreamConfig: pointer({ Overrides: listOf(pointer(UPSTREAM)), Defaults: pointer(UPSTREAM) }),
    Destination: pointer({ Addresses: STRINGS, Port: INT }),
    MaxInboundConnections: INT,
    LocalConnectTimeoutMs: INT,
    LocalRequestTimeoutMs: INT,
    BalanceInboundConnections: STRING,
    RateLimits: pointer({
      InstanceLevel: value({
        ...RATE,
        Routes: listOf(value({ PathExact: STRING, PathPrefix: STRING, PathRegex: STRING, ...RATE })),
      }),
    }),
  },
  normalize: (entry) => (entry.Protocol ? { ...entry, Protocol: entry.Protocol.toLowerCase() } : entry),
  check(entry) {
    const { Protocol: protocol, UpstreamConfig: upstreams, Destination: destination } = entry;
    const wrong: string[] = [];
    if (protocol && !PROTOCOLS.includes(protocol)) wrong.push(`invalid value for protocol: ${protocol}`);
    if (!['', 'exact_balance'].includes(entry.BalanceInboundConnections ?? '')) {
      wrong.push(`invalid value for balance_inbound_connections: ${entry.BalanceInboundConnections}`);
    }
    for (const field of ['MaxInboundConnections', 'LocalConnectTimeoutMs', 'LocalRequestTimeoutMs'] as const) {
      if ((entry[field] ?? 0) < 0) wrong.push(`${field} must not be negative`);
    }
    if (upstreams?.Defaults?.Name) wrong.push('error in upstream defaults: no name may be given');
    for (const [at, { Name: name }] of (upstreams?.Overrides ?? []).entries()) {
      if (!name) wrong.push(`error in upstream override at index ${at}: Name is required`);
      else if (name === '*') wrong.push(`error in upstream override at index ${at}: wildcard name is not supported`);
    }
    if (destination) wrong.push(...wrongDestination(destination));
    wrong.push(...wrongModes(entry), ...wrongExpose(entry.Expose));
    refuseAll(wrong);
  },
});

export const PROXY_DEFAULTS = kindSpec<ProxyDefaults>({
  only: 'global',
  fields: {
    Config: OBJECT,
    Mode: STRING,
    TransparentProxy: TRANSPARENT_PROXY,
    MutualTLSMode: STRING,
    MeshGateway: MESH_GATEWAY,
    Expose: EXPOSE,
    AccessLogs: value({
      Enabled: BOOL,
      DisableListenerLogs: BOOL,
      Type: STRING,
      Path: STRING,
      JSONFormat: STRING,
      TextFormat: STRING,
    }),
    EnvoyExtensions: ENVOY_EXTENSIONS,
    FailoverPolicy: FAILOVER_POLICY,
    PrioritizeByLocality: LOCALITY,
  },
  check(entry) {
    const { AccessLogs: logs, FailoverPolicy: failover, PrioritizeByLocality: locality } = entry;
    refuseAll([...wrongModes(entry), ...wrongExpose(entry.Expose)]);
    if (!LOG_TYPES.includes(String(logs.Type ?? ''))) refuse(`invalid access log type: ${String(logs.Type)}`);
    if (logs.Type === 'file' && !logs.Path) refuse('path must be specified when using file type access logs');
    if (logs.Path && logs.Type !== 'file') refuse('path is only valid for file type access logs');
    if (logs.JSONFormat && logs.TextFormat) refuse('cannot specify both access log JSONFormat and TextFormat');
    checkFailoverMode(failover?.Mode);
    checkLocality(locality?.Mode);
  },
});

const TLS_DIRECTION = pointer({ TLSMinVersion: STRING, TLSMaxVersion: STRING, CipherSuites: STRINGS });
const SLASH_ACTIONS = ['', 'IMPLEMENTATION_SPECIFIC_DEFAULT', 'KEEP_UNCHANGED', 'REJECT_REQUEST'];

export const MESH = kindSpec<Mesh & { HTTP?: MeshHttp }>({
  only: 'mesh',
  nameless: true,
  fields: {
    TransparentProxy: value({ MeshDestinationsOnly: BOOL }),
    AllowEnablingPermissiveMutualTLS: BOOL,
    ValidateClusters: BOOL,
    TLS: pointer({ Incoming: TLS_DIRECTION, Outgoing: TLS_DIRECTION }),
    HTTP: pointer({
      SanitizeXForwardedClientCert: BOOL,
      Incoming: pointer({
        RequestNormalization: pointer({
          InsecureDisablePathNormalization: BOOL,
          MergeSlashes: BOOL,
          PathWithEscapedSlashesAction: STRING,
          HeadersWithUnderscoresAction: STRING,
        }),
      }),
    }),
    Peering: pointer({ PeerThroughMeshGateways: BOOL }),
  },
  check(entry) {
    for (const [direction, versions] of Object.entries(entry.TLS ?? {})) {
      const error = wrongTlsVersions(versions);
      if (error) refuse(`error in ${direction.toLowerCase()} TLS configuration: ${error}`);
    }
    const rules = entry.HTTP?.Incoming?.RequestNormalization;
    choose('PathWithEscapedSlashesAction', rules?.PathWithEscapedSlashesAction, [
      ...SLASH_ACTIONS,
      'UNESCAPE_AND_REDIRECT',
      'UNESCAPE_AND_FORWARD',
    ]);
    choose('HeadersWithUnderscoresAction', rules?.HeadersWithUnderscoresAction, [
      '',
      'ALLOW',
      'REJECT_REQUEST',
      'DROP_HEADER',
    ]);
  },
});

interface MeshHttp {
  readonly Incoming?: {
    readonly RequestNormalization?: {
      readonly PathWithEscapedSlashesAction?: string;
      readonly HeadersWithUnderscoresAction?: string;
    };
  };
}

/** undefined when a range of TLS versions is in order. */
export function wrongTlsVersions(range: { TLSMinVersion?: string; TLSMaxVersion?: string }): string | undefined {
  for (const field of ['TLSMinVersion', 'TLSMaxVersion'] as const) {
    const at = TLS_VERSIONS.indexOf(range[field] ?? '');
    if (at < 0)
      return `invalid value ${JSON.stringify(range[field])} for ${field}, want ${oneOf(TLS_VERSIONS.slice(1))}`;
  }
  const [min, max] = [range.TLSMinVersion ?? '', range.TLSMaxVersion ?? ''].map((name) => TLS_VERSIONS.indexOf(name));
  if (min! > 1 && max! > 1 && min! > max!)
    return 'configuring max version must not be less than the configured min version';
  return undefined;
}

export function checkFailoverMode(mode = ''): void {
  if (!['', 'sequential', 'order-by-locality'].includes(mode)) {
    refuse(`invalid failover policy mode: ${JSON.stringify(mode)}, want "sequential" or "order-by-locality"`);
  }
}

export function checkLocality(mode = ''): void {
  if (!['', 'none', 'failover'].includes(mode)) {
    refuse(`invalid prioritize by locality mode: ${JSON.stringify(mode)}, want "none" or "failover"`);
  }
}

function choose(field: string, given = '', allowed: readonly string[]): void {
  if (!allowed.includes(given)) {
    refuse(`invalid value ${JSON.stringify(given)} for ${field}, want ${oneOf(allowed.filter((one) => one !== ''))}`);
  }
}

function wrongModes(entry: ServiceDefaults | ProxyDefaults): string[] {
  const fields = [
    ['Mode', entry.Mode, PROXY_MODES],
    ['MeshGateway.Mode', entry.MeshGateway.Mode, GATEWAY_MODES],
    ['MutualTLSMode', entry.MutualTLSMode, TLS_MODES],
  ] as const;
  const wrong = fields
    .filter(([, given = '', allowed]) => !allowed.includes(given))
    .map(
      ([field, given, allowed]) =>
        `invalid value ${JSON.stringify(given)} for ${field}, want ${oneOf(allowed.filter((one) => one !== ''))}`,
    );
  for (const [at, extension] of (entry.EnvoyExtensions ?? []).entries()) {
    if (!extension.Name) wrong.push(`invalid EnvoyExtensions[${at}]: Name is required`);
  }
  return wrong;
}

function wrongExpose({ Paths: paths = [] }: Expose): string[] {
  return paths.flatMap(({ Path: path = '', Protocol: protocol = '' }, at) => [
    ...(path.startsWith('/') ? [] : [`Expose.Paths[${at}].Path has to begin with '/': ${JSON.stringify(path)}`]),
    ...(['', 'http', 'http2'].includes(protocol)
      ? []
      : [`Expose.Paths[${at}].Protocol has to be "http" or "http2", not ${JSON.stringify(protocol)}`]),
  ]);
}

function wrongDestination({
  Addresses: addresses = [],
  Port: port = 0,
}: {
  Addresses?: readonly string[];
  Port?: number;
}): string[] {
  const wrong: string[] = [];
  if (port < 1 || port > MAX_PORT) wrong.push(`Invalid Port number ${port}`);
  if (addresses.length === 0) wrong.push('Destination must have at least one address');
  if (new Set(addresses).size < addresses.length) wrong.push('Duplicate address in Destination.Addresses');
  for (const address of addresses) {
    if (address === '' || address.includes('*')) {
      wrong.push(`Could not validate address ${JSON.stringify(address)}: want a host name or an IP address`);
    }
  }
  return wrong;
}
