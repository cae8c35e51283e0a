import type {
  ExportedServices,
  IntentionPermission,
  IntentionSource,
  JwtProvider,
  ServiceIntentions,
} from './entry.ts';
import {
  ANY,
  BOOL,
  IGNORED,
  INT,
  listOf,
  NANOSECONDS,
  pointer,
  STRING,
  STRING_MAP,
  STRINGS,
  value,
} from './field-type.ts';
import { checkHttpMatch, upperMethods } from './http-match.ts';
import { kindSpec, refuse } from './kind-spec.ts';
import { JWT_REQUIREMENT, TENANT } from './shared-fields.ts';

const WILDCARD = '*';
/** More sources of one destination are refused: each request that is decided looks through them. */
const MAX_SOURCES = 10_000;
const MAX_DESCRIPTION = 512;
const MAX_META_PAIRS = 64;
const MAX_META_KEY = 128;
const MAX_META_VALUE = 512;

export const SERVICE_INTENTIONS = kindSpec<ServiceIntentions>({
  fields: {
    Sources: listOf(
      value({
        Name: STRING,
        Peer: STRING,
        ...TENANT,
        SamenessGroup: STRING,
        Action: STRING,
        Permissions: listOf(
          value({
            Action: STRING,
            HTTP: pointer({
              PathExact: STRING,
              PathPrefix: STRING,
              PathRegex: STRING,
              Header: listOf(
                value({
                  Name: STRING,
                  Present: BOOL,
                  Exact: STRING,
                  Prefix: STRING,
                  Suffix: STRING,
                  Contains: STRING,
                  Regex: STRING,
                  Invert: BOOL,
                  IgnoreCase: BOOL,
                }),
              ),
              Methods: STRINGS,
            }),
            JWT: JWT_REQUIREMENT,
          }),
        ),
        Precedence: IGNORED,
        Type: STRING,
        Description: STRING,
        LegacyID: STRING,
        LegacyMeta: STRING_MAP,
        LegacyCreateTime: STRING,
        LegacyUpdateTime: STRING,
      }),
    ),
    JWT: JWT_REQUIREMENT,
  },
  normalize: (entry) => ({
    ...entry,
    Sources: orderedSources(entry.Sources ?? [], entry.Name),
  }),
  check(entry) {
    checkName(entry.Name, 'Name');
    if (entry.Sources.length === 0) refuse('At least one source is required');
    if (entry.Sources.length > MAX_SOURCES) refuse(`Sources has more than ${MAX_SOURCES} members`);
    const seen = new Set<string>();
    for (const [at, source] of entry.Sources.entries()) {
      checkSource(source, `Sources[${at}]`);
      const key = `${source.Peer ?? ''}/${source.Name.toLowerCase()}`;
      if (seen.has(key)) refuse(`Sources[${at}] defines ${JSON.stringify(sourceName(source))} more than once`);
      seen.add(key);
    }
  },
});

/** Exact names go before `*`, the destination's before the source's (Consul, "Intention precedence"). */
function precedenceOf(source: string, destination: string): number {
  return (destination === WILDCARD ? 5 : 8) + (source === WILDCARD ? 0 : 1);
}

/** The sources of a destination in the form in which they are checked and stored. */
export function orderedSources(sources: readonly IntentionSource[], destination: string): IntentionSource[] {
  return sources.map((source) => normalSource(source, destination)).sort(byPrecedence);
}

/** Highest precedence first; others keep their order, so that a changed entry is told apart by its content only. */
function byPrecedence(a: IntentionSource, b: IntentionSource): number {
  return b.Precedence - a.Precedence;
}

function normalSource(source: IntentionSource, destination: string): IntentionSource {
  const { Permissions: permissions, ...rest } = source;
  return {
    ...rest,
    Name: source.Name ?? '',
    Type: source.Type || 'consul',
    Precedence: precedenceOf(source.Name ?? '', destination),
    ...(permissions && { Permissions: permissions.map(normalPermission) }),
  };
}

function normalPermission(permission: IntentionPermission): IntentionPermission {
  return permission.HTTP ? { ...permission, HTTP: upperMethods(permission.HTTP) } : permission;
}

function sourceName({ Name: name, Peer: peer }: IntentionSource): string {
  return peer === undefined ? name : `peer(${peer})/${name}`;
}

function checkSource(source: IntentionSource & { SamenessGroup?: string }, where: string): void {
  checkName(source.Name, `${where}.Name`);
  if (source.Type !== 'consul') refuse(`${where}.Type must be set to 'consul'`);
  if (source.SamenessGroup !== undefined) refuse(`${where}.SamenessGroup is not supported`);
  if (source.Peer === WILDCARD) refuse(`${where}.Peer: cannot be wildcard '*'`);
  const permissions = source.Permissions ?? [];
  const hasAction = source.Action === 'allow' || source.Action === 'deny';
  if (permissions.length > 0) {
    if (source.Action !== undefined) refuse(`${where}.Action must be omitted if Permissions are specified`);
  } else if (!hasAction) refuse(`${where}.Action must be set to 'allow' or 'deny'`);
  if ((source.Description?.length ?? 0) > MAX_DESCRIPTION) {
    refuse(`${where}.Description exceeds maximum length ${MAX_DESCRIPTION}`);
  }
  checkLegacyMeta(source.LegacyMeta, where);
  for (const [at, permission] of permissions.entries()) checkPermission(permission, `${where}.Permissions[${at}]`);
}

function checkPermission(permission: IntentionPermission, where: string): void {
  if (permission.Action !== 'allow' && permission.Action !== 'deny') {
    refuse(`${where}.Action must be set to 'allow' or 'deny'`);
  }
  const { HTTP: http, JWT: jwt } = permission;
  if (http && Object.keys(http).length > 0) checkHttpMatch(http, { field: `${where}.HTTP.`, whole: `${where}.HTTP` });
  else if (!jwt) refuse(`${where}.HTTP should not be empty`);
}

/** A name, or the wildcard alone. */
function checkName(name: string, where: string): void {
  if (name === '') refuse(`${where} is required`);
  if (name !== WILDCARD && name.includes(WILDCARD)) {
    refuse(`${where}: wildcard character '*' cannot be used with partial values`);
  }
}

function checkLegacyMeta(meta: Readonly<Record<string, string>> | undefined, where: string): void {
  const pairs = Object.entries(meta ?? {});
  if (pairs.length > MAX_META_PAIRS) refuse(`${where}.Meta exceeds maximum element count ${MAX_META_PAIRS}`);
  for (const [key, text] of pairs) {
    if (key.length > MAX_META_KEY)
      refuse(`${where}.Meta key ${JSON.stringify(key)} exceeds maximum length ${MAX_META_KEY}`);
    if (text.length > MAX_META_VALUE) {
      refuse(`${where}.Meta value for key ${JSON.stringify(key)} exceeds maximum length ${MAX_META_VALUE}`);
    }
  }
}

export const EXPORTED_SERVICES = kindSpec<ExportedServices>({
  only: 'default',
  fields: {
    Services: listOf(
      value({
        Name: STRING,
        Namespace: TENANT.Namespace,
        Consumers: listOf(value({ Partition: STRING, Peer: STRING, SamenessGroup: STRING })),
      }),
    ),
  },
  check({ Services: services = [] }) {
    const seen = new Set<string>();
    for (const [at, { Name: name = '', Consumers: consumers = [] }] of services.entries()) {
      if (name === '') refuse(`Services[${at}]: service name must be non-empty`);
      if (seen.has(name)) refuse(`Services[${at}]: service ${JSON.stringify(name)} is exported more than once`);
      seen.add(name);
      if (consumers.length === 0) refuse(`Services[${at}]: must have at least one consumer`);
      for (const [consumerAt, consumer] of consumers.entries()) {
        const where = `Services[${at}].Consumers[${consumerAt}]`;
        const { Peer: peer = '', ...others } = consumer;
        if (Object.keys(others).length > 0)
          refuse(`${where}: only Peer is supported, not ${Object.keys(others).join(', ')}`);
        if (peer === '') refuse(`${where}: must define at least one of Peer, Partition, or SamenessGroup`);
        if (peer === WILDCARD) refuse(`${where}: exporting to all peers (wildcard) is not supported`);
      }
    }
  },
});

const CA_INSTANCE = { InstanceName: STRING, CertificateName: STRING };
const CA_DATA = { Filename: STRING, EnvironmentVariable: STRING, InlineString: STRING, InlineBytes: ANY };

export const JWT_PROVIDER = kindSpec<JwtProvider>({
  fields: {
    JSONWebKeySet: pointer({
      Local: pointer({ JWKS: STRING, Filename: STRING }),
      Remote: pointer({
        URI: STRING,
        RequestTimeoutMs: INT,
        CacheDuration: NANOSECONDS,
        FetchAsynchronously: BOOL,
        RetryPolicy: pointer({
          NumRetries: INT,
          RetryPolicyBackOff: pointer({ BaseInterval: NANOSECONDS, MaxInterval: NANOSECONDS }),
        }),
        JWKSCluster: pointer({
          DiscoveryType: STRING,
          ConnectTimeout: NANOSECONDS,
          TLSCertificates: pointer({
            CaCertificateProviderInstance: pointer(CA_INSTANCE),
            TrustedCA: pointer(CA_DATA),
          }),
        }),
      }),
    }),
    Issuer: STRING,
    Audiences: STRINGS,
    Locations: listOf(
      pointer({
        Header: pointer({ Name: STRING, ValuePrefix: STRING, Forward: BOOL }),
        QueryParam: pointer({ Name: STRING }),
        Cookie: pointer({ Name: STRING }),
      }),
    ),
    Forwarding: pointer({ HeaderName: STRING, PadForwardPayloadHeader: BOOL }),
    ClockSkewSeconds: INT,
    CacheConfig: pointer({ Size: INT }),
  },
  check({ JSONWebKeySet: keys, Locations: locations = [] }) {
    if (!keys) refuse('JSONWebKeySet is required');
    const { Local: local, Remote: remote } = keys;
    if (local && remote) refuse('must specify exactly one of Local or Remote JSON Web key set');
    if (!local && !remote) refuse('must specify exactly one of Local or Remote JSON Web key set');
    if (local) {
      if ((local.JWKS === undefined) === (local.Filename === undefined)) {
        refuse('must specify exactly one of String or filename for local keyset');
      }
      if (local.JWKS !== undefined && !isBase64(local.JWKS)) refuse('JWKS must be a valid base64-encoded string');
    }
    if (remote) {
      if (remote.URI === undefined) refuse('Remote JWKS URI is required');
      if (!URL.canParse(remote.URI)) refuse(`Remote JWKS URI is invalid: ${JSON.stringify(remote.URI)}`);
    }
    for (const [at, location] of locations.entries()) {
      const given = [location.Header, location.QueryParam, location.Cookie].filter((one) => one !== undefined);
      if (given.length !== 1)
        refuse(`Locations[${at}]: must set exactly one of: JWT location header, query param or cookie`);
      if (!given[0]?.Name) refuse(`Locations[${at}]: Name is required`);
    }
  },
});

function isBase64(text: string): boolean {
  return /^[A-Za-z0-9+/]+={0,2}$/.test(text) && text.length % 4 === 0;
}
