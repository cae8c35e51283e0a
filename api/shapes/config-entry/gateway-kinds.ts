import { createPrivateKey, X509Certificate } from 'node:crypto';
import { wrongTlsVersions } from './defaults-kinds.ts';
import type {
  ApiGateway,
  Certificate,
  GatewayReference,
  HttpRoute,
  IngressGateway,
  TcpRoute,
  TerminatingGateway,
} from './entry.ts';
import {
  BOOL,
  type FieldType,
  INT,
  listOf,
  NANOSECONDS,
  OPTIONAL_BOOL,
  OPTIONAL_INT,
  pointer,
  SHOWN_BOOL,
  SHOWN_INT,
  STRING,
  STRING_MAP,
  STRINGS,
  value,
} from './field-type.ts';
import { kindSpec, oneOf, refuse } from './kind-spec.ts';
import { HEADER_CHANGES, JWT_REQUIREMENT, PASSIVE_HEALTH_CHECK, TENANT } from './shared-fields.ts';

const MAX_PORT = 65_535;
const SDS = pointer({ ClusterName: STRING, CertResource: STRING });
const LISTENER_TLS = {
  Enabled: SHOWN_BOOL,
  TLSMinVersion: STRING,
  TLSMaxVersion: STRING,
  CipherSuites: STRINGS,
  SDS,
};
const limits = (count: FieldType) => ({
  MaxConnections: count,
  MaxPendingRequests: count,
  MaxConcurrentRequests: count,
  PassiveHealthCheck: PASSIVE_HEALTH_CHECK,
});

export const INGRESS_GATEWAY = kindSpec<IngressGateway>({
  fields: {
    TLS: value(LISTENER_TLS),
    Listeners: listOf(
      value({
        Port: INT,
        Protocol: STRING,
        TLS: pointer(LISTENER_TLS),
        Services: listOf(
          value({
            Name: STRING,
            Hosts: STRINGS,
            ...TENANT,
            TLS: pointer({ SDS }),
            RequestHeaders: HEADER_CHANGES,
            ResponseHeaders: HEADER_CHANGES,
            ...limits(INT),
          }),
        ),
      }),
    ),
    Defaults: pointer(limits(SHOWN_INT)),
  },
  normalize: (entry) => ({
    ...entry,
    TLS: { ...entry.TLS, Enabled: entry.TLS.Enabled ?? false },
    ...(entry.Listeners && {
      Listeners: entry.Listeners.map((listener) => ({
        ...listener,
        Protocol: (listener.Protocol ?? 'tcp').toLowerCase(),
      })),
    }),
  }),
  check(entry) {
    const error = wrongTlsVersions(entry.TLS);
    if (error) refuse(error);
    const ports = new Set<number>();
    for (const listener of entry.Listeners ?? []) {
      const { Port: port = 0 } = listener;
      if (ports.has(port)) refuse(`port ${port} declared on two listeners`);
      ports.add(port);
      checkIngressListener(listener, port, entry.TLS.Enabled ?? false);
    }
  },
});

type IngressListener = NonNullable<IngressGateway['Listeners']>[number];

function checkIngressListener(
  { Protocol: protocol = 'tcp', Services: services = [], TLS: tls }: IngressListener,
  port: number,
  tlsOfAll: boolean,
): void {
  if (port < 1 || port > MAX_PORT) refuse(`listener port ${port} is invalid, want 1 to ${MAX_PORT}`);
  const protocols = ['tcp', 'http', 'http2', 'grpc'];
  if (!protocols.includes(protocol)) {
    refuse(`protocol must be ${oneOf(protocols)}. ${JSON.stringify(protocol)} is an unsupported protocol`);
  }
  if (services.length === 0) refuse(`No service declared for listener with port ${port}`);
  if (protocol === 'tcp' && services.length > 1) {
    refuse(
      `Multiple services per listener are only supported for L7 protocols, 'http', 'grpc' and 'http2' (listener on port ${port})`,
    );
  }
  const names = new Set<string>();
  const hosts = new Set<string>();
  for (const { Name: name, Hosts: own = [] } of services) {
    if (!name) refuse(`Service name cannot be blank (listener on port ${port})`);
    if (name === '*' && protocol === 'tcp')
      refuse(
        `Wildcard service name is only valid for protocol = 'http', 'http2' and 'grpc' (listener on port ${port})`,
      );
    if (name === '*' && own.length > 0)
      refuse(`Associating hosts to a wildcard service is not supported (listener on port ${port})`);
    if (own.length > 0 && protocol === 'tcp')
      refuse(`Associating hosts to a service is not supported for the tcp protocol (listener on port ${port})`);
    if (names.has(name)) refuse(`Service ${name} was declared more than once on the listener on port ${port}`);
    names.add(name);
    for (const host of own) {
      if (hosts.has(host))
        refuse(`Hosts must be unique within a specific listener (listener on port ${port}): ${host}`);
      hosts.add(host);
      // All hosts; a certificate cannot name them.
      if (host === '*' && !(tls?.Enabled ?? tlsOfAll)) continue;
      if (host === '*') refuse(`Host '*' is not allowed when TLS is enabled, all hosts must be valid DNS records`);
      if (!isHost(host))
        refuse(`Host ${JSON.stringify(host)} must be a valid DNS hostname, whose first label alone may be '*'`);
    }
  }
}

export const TERMINATING_GATEWAY = kindSpec<TerminatingGateway>({
  fields: {
    Services: listOf(
      value({
        Name: STRING,
        Namespace: TENANT.Namespace,
        CAFile: STRING,
        CertFile: STRING,
        KeyFile: STRING,
        SNI: STRING,
        DisableAutoHostRewrite: BOOL,
      }),
    ),
  },
  check({ Services: services = [] }) {
    const seen = new Set<string>();
    for (const { Name: name, CAFile: ca, CertFile: certificate, KeyFile: key } of services) {
      if (!name) refuse('Service name cannot be blank.');
      if (seen.has(name)) refuse(`Service ${JSON.stringify(name)} was specified more than once`);
      seen.add(name);
      const pair = Number(certificate !== undefined) + Number(key !== undefined);
      if (pair === 1 || (pair === 2 && ca === undefined)) {
        refuse(
          `Service ${JSON.stringify(name)} must have a CertFile, CAFile, and KeyFile specified for TLS origination`,
        );
      }
    }
  },
});

const REFERENCE = { Kind: STRING, Name: STRING, SectionName: STRING, ...TENANT };

export const API_GATEWAY = kindSpec<ApiGateway>({
  fields: {
    Listeners: listOf(
      value({
        Name: STRING,
        Hostname: STRING,
        Port: INT,
        Protocol: STRING,
        TLS: value({
          Certificates: listOf(value(REFERENCE)),
          MinVersion: STRING,
          MaxVersion: STRING,
          CipherSuites: STRINGS,
        }),
        Override: pointer({ JWT: JWT_REQUIREMENT }),
        Default: pointer({ JWT: JWT_REQUIREMENT }),
      }),
    ),
  },
  normalize: (entry) => ({
    ...entry,
    ...(entry.Listeners && {
      Listeners: entry.Listeners.map((listener) => ({
        ...listener,
        ...(listener.Protocol && { Protocol: listener.Protocol.toLowerCase() }),
        TLS: {
          ...listener.TLS,
          ...(listener.TLS.Certificates && {
            Certificates: listener.TLS.Certificates.map((one) => ({ ...one, Kind: one.Kind ?? 'inline-certificate' })),
          }),
        },
      })),
    }),
  }),
  check({ Listeners: listeners = [] }) {
    const names = new Set<string>();
    const protocols = new Map<number, string>();
    for (const listener of listeners) {
      const { Name: name = '', Protocol: protocol = '', Port: port = 0, Hostname: host, TLS: tls } = listener;
      if (!/^[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?$/.test(name) || name.length > 63) {
        refuse(`listener name ${JSON.stringify(name)} must be 1 to 63 letters, digits or hyphens`);
      }
      if (names.has(name)) refuse(`multiple listeners with the name ${JSON.stringify(name)}`);
      names.add(name);
      if (protocol !== 'http' && protocol !== 'tcp')
        refuse(`unsupported listener protocol ${JSON.stringify(protocol)}, must be one of 'tcp', or 'http'`);
      if (port < 1 || port > MAX_PORT) refuse(`listener port ${port} not in the range 1-${MAX_PORT}`);
      if ((protocols.get(port) ?? protocol) !== protocol) refuse(`listeners on port ${port} have different protocols`);
      protocols.set(port, protocol);
      if (host !== undefined && protocol === 'tcp')
        refuse(`hostname specification is not supported when using TCP (listener ${name})`);
      if (host !== undefined && host !== '*' && !isHost(host))
        refuse(`host ${JSON.stringify(host)} must be a valid DNS hostname`);
      for (const { Kind: kind, Name: certificate } of tls.Certificates ?? []) {
        if (kind !== 'inline-certificate' && kind !== 'file-system-certificate')
          refuse(
            `unsupported certificate kind: ${JSON.stringify(kind)}, must be 'inline-certificate' or 'file-system-certificate'`,
          );
        if (!certificate) refuse('certificate reference must have a name');
      }
    }
  },
});

const HEADER_FILTER = listOf(value({ Add: STRING_MAP, Remove: STRINGS, Set: STRING_MAP }));
const FILTERS = value({
  Headers: HEADER_FILTER,
  URLRewrite: pointer({ Path: STRING }),
  RetryFilter: pointer({
    NumRetries: OPTIONAL_INT,
    RetryOn: STRINGS,
    RetryOnStatusCodes: listOf(INT),
    RetryOnConnectFailure: OPTIONAL_BOOL,
  }),
  TimeoutFilter: pointer({ RequestTimeout: NANOSECONDS, IdleTimeout: NANOSECONDS }),
  JWT: JWT_REQUIREMENT,
});
const RESPONSE_FILTERS = value({ Headers: HEADER_FILTER });
const ROUTE_MATCH = { Match: STRING, Name: STRING, Value: STRING };

export const HTTP_ROUTE = kindSpec<HttpRoute>({
  fields: {
    Parents: listOf(value(REFERENCE)),
    Hostnames: STRINGS,
    Rules: listOf(
      value({
        Filters: FILTERS,
        ResponseFilters: RESPONSE_FILTERS,
        Matches: listOf(
          value({
            Headers: listOf(value(ROUTE_MATCH)),
            Method: STRING,
            Path: value({ Match: STRING, Value: STRING }),
            Query: listOf(value(ROUTE_MATCH)),
          }),
        ),
        Services: listOf(
          value({ Name: STRING, Weight: INT, Filters: FILTERS, ResponseFilters: RESPONSE_FILTERS, ...TENANT }),
        ),
      }),
    ),
  },
  normalize: (entry) => ({
    ...entry,
    ...normalParents(entry.Parents),
    ...(entry.Rules && { Rules: entry.Rules.map(normalRule) }),
  }),
  check(entry) {
    checkParents(entry.Parents);
    for (const host of entry.Hostnames ?? []) {
      if (!isHost(host)) refuse(`host ${JSON.stringify(host)} must be a valid DNS hostname`);
    }
    for (const [at, { Matches: matches = [], Services: services = [] }] of (entry.Rules ?? []).entries()) {
      const where = `Rule[${at}]`;
      for (const [matchAt, match] of matches.entries()) checkRouteMatch(match, `${where}, Match[${matchAt}]`);
      for (const [serviceAt, { Name: name, Weight: weight = 1 }] of services.entries()) {
        if (!name) refuse(`${where}, Service[${serviceAt}]: Name is required`);
        if (weight < 0) refuse(`${where}, Service[${serviceAt}]: Weight must not be negative`);
      }
    }
  },
});

type Rule = NonNullable<HttpRoute['Rules']>[number];
type RouteMatch = NonNullable<Rule['Matches']>[number];

function normalRule(rule: Rule): Rule {
  return {
    ...rule,
    ...(rule.Matches && {
      Matches: rule.Matches.map((match) => ({ ...match, ...(match.Method && { Method: match.Method.toUpperCase() }) })),
    }),
    // Without a weight each service takes its share.
    ...(rule.Services && {
      Services: rule.Services.map((service) => ({ ...service, Weight: service.Weight || 1 })),
    }),
  };
}

function checkRouteMatch(
  { Path: path, Method: method = 'GET', Headers: headers = [], Query: query = [] }: RouteMatch,
  where: string,
): void {
  const { Match: kind, Value: text = '' } = path;
  if (kind !== undefined || text !== '') {
    if (!['exact', 'prefix', 'regex'].includes(kind ?? ''))
      refuse(`${where}, Path: match type should be one of exact, prefix, or regex`);
    if (kind !== 'regex' && !text.startsWith('/'))
      refuse(`${where}, Path: ${kind} match doesn't start with '/': ${JSON.stringify(text)}`);
  }
  if (!['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH', 'ALL'].includes(method)) {
    refuse(`${where}, Method contains an invalid method ${JSON.stringify(method)}`);
  }
  for (const [at, { Match: way = '', Name: name }] of headers.entries()) {
    if (!['exact', 'prefix', 'suffix', 'regex', 'present'].includes(way)) {
      refuse(`${where}, Headers[${at}]: match type should be one of exact, prefix, suffix, regex, or present`);
    }
    if (!name) refuse(`${where}, Headers[${at}]: Name is required`);
  }
  for (const [at, { Match: way = '', Name: name }] of query.entries()) {
    if (!['exact', 'regex', 'present'].includes(way))
      refuse(`${where}, Query[${at}]: match type should be one of exact, regex, or present`);
    if (!name) refuse(`${where}, Query[${at}]: Name is required`);
  }
}

export const TCP_ROUTE = kindSpec<TcpRoute>({
  fields: { Parents: listOf(value(REFERENCE)), Services: listOf(value({ Name: STRING, ...TENANT })) },
  normalize: (entry) => ({ ...entry, ...normalParents(entry.Parents) }),
  check({ Parents: parents, Services: services = [] }) {
    checkParents(parents);
    if (services.length > 1) refuse('tcp-route currently only supports one service');
    if (services.some(({ Name: name }) => !name)) refuse('Services[0]: Name is required');
  },
});

function normalParents(parents: readonly GatewayReference[] | undefined): { Parents?: readonly GatewayReference[] } {
  return parents ? { Parents: parents.map((one) => ({ ...one, Kind: one.Kind ?? 'api-gateway' })) } : {};
}

function checkParents(parents: readonly GatewayReference[] = []): void {
  const seen = new Set<string>();
  for (const { Kind: kind, Name: name = '', SectionName: section = '' } of parents) {
    if (kind !== 'api-gateway') refuse(`unsupported parent kind: ${JSON.stringify(kind)}, must be 'api-gateway'`);
    if (name === '') refuse('parent reference must have a name');
    const key = `${name}/${section}`;
    if (seen.has(key))
      refuse(`route parents must be unique: ${JSON.stringify(name)} section ${JSON.stringify(section)}`);
    seen.add(key);
  }
}

export const INLINE_CERTIFICATE = kindSpec<Certificate>({
  fields: { Certificate: STRING, PrivateKey: STRING },
  check({ Certificate: certificate = '', PrivateKey: key = '' }) {
    const parsed = attempt(() => new X509Certificate(certificate));
    if (!parsed) refuse('failed to parse certificate PEM');
    const secret = attempt(() => createPrivateKey(key));
    if (!secret) refuse('failed to parse private key PEM');
    if (!parsed.checkPrivateKey(secret))
      refuse('unable to validate certificate and private key: they do not belong together');
  },
});

/** Paths on the machines of the gateways. */
export const FILE_SYSTEM_CERTIFICATE = kindSpec<Certificate>({
  fields: { Certificate: STRING, PrivateKey: STRING },
  check({ Certificate: certificate, PrivateKey: key }) {
    if (certificate === undefined) refuse('certificate path is required');
    if (key === undefined) refuse('private key path is required');
  },
});

function attempt<T>(parse: () => T): T | undefined {
  try {
    return parse();
  } catch {
    // What is wrong inside may quote the secret.
    return undefined;
  }
}

/** A host name whose first label may be `*`. */
function isHost(host: string): boolean {
  const rest = host.startsWith('*.') ? host.slice(2) : host;
  const [name, port] = rest.split(':');
  if (port !== undefined && !/^\d{1,5}$/.test(port)) return false;
  return (
    host.length <= 253 &&
    (name ?? '').split('.').every((label) => /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/i.test(label))
  );
}
