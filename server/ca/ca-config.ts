import { type CaConfigurationRequest, ttlMs } from '../../api/shapes/connect.ts';
import { formatGoDuration } from '../../core/duration.ts';
import { AppError } from '../../core/errors.ts';
import { type KeyKind, supportedKey } from '../../core/x509/keys.ts';

const HOUR_MS = 3_600_000;

/** 2^63 ns: what a Go duration holds. */
const MAX_TTL_MS = 9_223_372_036_854;

/** What Consul begins with. */
export const DEFAULT_CONFIG: Readonly<Record<string, unknown>> = {
  IntermediateCertTTL: '8760h',
  LeafCertTTL: '72h',
  RootCertTTL: '87600h',
};

/** A configuration with its meaning. */
export interface CaSettings {
  readonly leafTtlMs: number;
  readonly intermediateTtlMs: number;
  readonly rootTtlMs: number;
  /** 0 = no limit. */
  readonly csrMaxPerSecond: number;
  readonly csrMaxConcurrent: number;
  /** undefined = the present kind, or EC with 256 bits. */
  readonly key: KeyKind | undefined;
  /** PEM; '' = made by the authority. */
  readonly privateKey: string;
  readonly rootCert: string;
}

type Reader = (config: Readonly<Record<string, unknown>>, name: string) => unknown;

/** Consul's names in its two spellings, in lower case and without underscores. */
const NAMES: Readonly<Record<string, string>> = Object.fromEntries(
  [
    'LeafCertTTL',
    'IntermediateCertTTL',
    'RootCertTTL',
    'PrivateKey',
    'RootCert',
    'PrivateKeyType',
    'PrivateKeyBits',
    'CSRMaxPerSecond',
    'CSRMaxConcurrent',
    'ClusterID',
    'RotationPeriod',
    'SkipValidate',
  ].map((name) => [name.toLowerCase(), name]),
);

/**
 * The configuration under Consul's names. `SkipValidate` and `RotationPeriod` have no effect and are left out.
 * @throws AppError `badRequest` for a provider or a name that is not known.
 */
export function checkedRequest(request: CaConfigurationRequest): Record<string, unknown> {
  if (request.provider !== 'consul') {
    const known = request.provider === 'vault' || request.provider === 'aws-pca';
    throw refused(
      `could not initialize provider: unknown CA provider ${JSON.stringify(request.provider)}` +
        (known ? ': the authorities here are "consul"' : ''),
    );
  }
  const config: Record<string, unknown> = {};
  for (const [given, value] of Object.entries(request.config)) {
    const spelled = given.toLowerCase().replaceAll('_', '');
    const name = Object.hasOwn(NAMES, spelled) ? NAMES[spelled] : undefined;
    if (!name) throw refused(`error configuring provider: unknown key ${JSON.stringify(given)} in Config`);
    if (name === 'RotationPeriod' || name === 'SkipValidate' || value === null) continue;
    config[name] = value;
  }
  return config;
}

/** @throws AppError `badRequest` with Consul's text where it has one. */
export function settingsOf(config: Readonly<Record<string, unknown>>): CaSettings {
  const leafTtlMs = ttl(config, 'LeafCertTTL');
  const intermediateTtlMs = ttl(config, 'IntermediateCertTTL');
  const rootTtlMs = ttl(config, 'RootCertTTL');
  atLeast('leaf cert', leafTtlMs, HOUR_MS);
  atLeast('intermediate cert', intermediateTtlMs, leafTtlMs);
  atLeast('root cert', rootTtlMs, intermediateTtlMs);
  const privateKey = text(config, 'PrivateKey');
  const rootCert = text(config, 'RootCert');
  if (rootCert !== '' && privateKey === '') {
    throw refused('error configuring provider: must provide a private key when providing a root cert');
  }
  return {
    leafTtlMs,
    intermediateTtlMs,
    rootTtlMs,
    csrMaxPerSecond: rate(config, 'CSRMaxPerSecond', 50),
    csrMaxConcurrent: rate(config, 'CSRMaxConcurrent', 0),
    key: keyKind(config),
    privateKey,
    rootCert,
  };
}

/** Of a configuration that is in force: what it needs of keys is with the roots. */
export function settingsInForce(config: Readonly<Record<string, unknown>>): CaSettings {
  const { RootCert: _cert, PrivateKey: _key, ...rest } = config;
  return settingsOf(rest);
}

function ttl(config: Readonly<Record<string, unknown>>, name: string): number {
  const ms = ttlMs(config[name] ?? DEFAULT_CONFIG[name]);
  if (ms === undefined || ms <= 0 || ms > MAX_TTL_MS) {
    throw refused(`error configuring provider: ${name} must be a duration such as "72h", found ${show(config[name])}`);
  }
  return ms;
}

function atLeast(what: string, ms: number, least: number): void {
  if (ms >= least) return;
  throw refused(`error configuring provider: ${what} TTL must be greater or equal than ${formatGoDuration(least)}`);
}

const text = ((config, name) => {
  const value = config[name] ?? '';
  if (typeof value !== 'string') throw refused(`error configuring provider: ${name} must be PEM text`);
  return value.trim() === '' ? '' : value;
}) satisfies Reader;

function rate(config: Readonly<Record<string, unknown>>, name: string, unset: number): number {
  const value = config[name] ?? unset;
  if (typeof value === 'number' && Number.isFinite(value) && value >= 0) return value;
  throw refused(`error configuring provider: ${name} must be a number, 0 for no limit; found ${show(value)}`);
}

function keyKind(config: Readonly<Record<string, unknown>>): KeyKind | undefined {
  const { PrivateKeyType: type, PrivateKeyBits: bits } = config;
  if (type === undefined && bits === undefined) return undefined;
  const named = type ?? 'ec';
  const kind = { type: named, bits: bits ?? (named === 'rsa' ? 2048 : 256) } as KeyKind;
  if ((named === 'ec' || named === 'rsa') && typeof kind.bits === 'number' && supportedKey(kind)) return kind;
  throw refused(
    `error configuring provider: PrivateKeyType ${show(type)} with PrivateKeyBits ${show(bits)}: ` +
      'want "ec" with 256, 384 or 521, or "rsa" with 2048, 3072 or 4096',
  );
}

function show(value: unknown): string {
  return JSON.stringify(value)?.slice(0, 60) ?? 'nothing';
}

function refused(message: string): AppError {
  return new AppError('badRequest', message);
}
