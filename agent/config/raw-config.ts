import { parseGoDuration } from '../../core/duration.ts';
import { nearest } from '../../core/nearest.ts';
import { advertiseProblem } from './advertise-address.ts';
import { type ConfigText, configError, readConfigText } from './config-text.ts';
import type { Declared } from './declared.ts';
import { KEYS, KEYS_WITHOUT_EFFECT, UNPROTECTED_KEYS, type ValueKind } from './keys.ts';
import { nodeMetaProblem } from './node-meta.ts';

/** Values by key, as they were read and checked for their kind; durations are milliseconds, blocks `Declared`. */
export type RawConfig = Map<string, unknown>;

/** Keys whose values from several places add up instead of replacing each other. */
const ADDING: ReadonlySet<string> = new Set([
  'retry_join',
  'start_join',
  'recursors',
  'services',
  'checks',
  'service',
  'check',
  'watches',
  'http_config.allow_write_http_from',
  'http_config.block_endpoints',
]);

/** Every prefix of a known key, so that its object is entered. */
const SECTIONS: ReadonlySet<string> = new Set(
  Object.keys(KEYS).flatMap((key) => {
    const parts = key.split('.');
    return parts.slice(1).map((_, at) => parts.slice(0, at + 1).join('.'));
  }),
);

/** Puts a value over what earlier files or flags gave. */
export function setRaw(raw: RawConfig, key: string, value: unknown): void {
  const old = raw.get(key);
  if (ADDING.has(key) && Array.isArray(old) && Array.isArray(value)) raw.set(key, [...old, ...value]);
  else if (isObject(old) && isObject(value)) raw.set(key, { ...old, ...value });
  else raw.set(key, value);
}

/**
 * Reads one configuration text into `raw`. Gives one warning line for each key without effect or given twice.
 * @throws AppError `config` naming the file, the key and what would be right.
 */
export function readConfig(raw: RawConfig, source: ConfigText): string[] {
  const { value, warnings } = readConfigText(source);
  readSection(raw, { file: source.file, warnings }, '', value);
  return warnings;
}

interface Source {
  readonly file: string;
  readonly warnings: string[];
}

function readSection(raw: RawConfig, source: Source, path: string, section: Record<string, unknown>): void {
  for (const [name, value] of Object.entries(section)) {
    // A key given as null is not given (Consul's test tools send `segments: null`).
    const key = path === '' ? name.toLowerCase() : `${path}.${name.toLowerCase()}`;
    const kind = KEYS[key];
    if (kind && value !== null) {
      const read = readValue(kind, value, source.file, key);
      if (key === 'node_meta') checkNodeMeta(source, read as Record<string, string>);
      setRaw(raw, key, read);
    } else if (SECTIONS.has(key)) enterSection(raw, source, key, value);
    else if (!kind) withoutEffect(source, key, value);
  }
}

function checkNodeMeta({ file }: Source, meta: Readonly<Record<string, string>>): void {
  const found = nodeMetaProblem(meta);
  if (found) throw configError(file, `node_meta.${found.key}:`, found.problem);
}

function enterSection(raw: RawConfig, source: Source, key: string, value: unknown): void {
  if (value === null) return;
  // JSON written from HCL wraps a block in a list of one.
  const section = Array.isArray(value) && value.length === 1 ? value[0] : value;
  if (Array.isArray(section) && section.length > 1 && section.every(isObject)) {
    throw configError(source.file, key, `is given ${section.length} times; write one block`);
  }
  if (!isObject(section)) throw configError(source.file, key, 'must be an object');
  readSection(raw, source, key, section);
}

function withoutEffect(source: Source, key: string, value: unknown): void {
  const reason = Object.entries(UNPROTECTED_KEYS).find(([name]) => isBelow(key, name))?.[1];
  const known = reason !== undefined || KEYS_WITHOUT_EFFECT.some((name) => isBelow(key, name));
  const parent = key.slice(0, Math.max(0, key.lastIndexOf('.')));
  if (!known || (parent !== '' && SECTIONS.has(parent) && !isKnownBelow(key))) {
    const guess = nearest(key, [...Object.keys(KEYS), ...KEYS_WITHOUT_EFFECT, ...Object.keys(UNPROTECTED_KEYS)]);
    throw configError(source.file, key, `is not a configuration key${guess ? `; did you mean "${guess}"?` : ''}`);
  }
  if (value === null) return;
  const unreachable =
    key.startsWith('advertise_addr_wan') && typeof value === 'string' && advertiseProblem(value, 'Advertise WAN');
  if (unreachable) throw configError(source.file, `${key}:`, unreachable);
  source.warnings.push(`${source.file}: ${key} has no effect here${reason ? `: ${reason}` : ''}`);
}

/** Consul's keys inside sections of which other keys do act. */
const KNOWN_BELOW: Readonly<Record<string, readonly string[]>> = {
  connect: ['enable_mesh_gateway_wan_federation', 'enable_serverless_plugin', 'test_ca_leaf_root_change_spread'],
  ports: ['sidecar_min_port', 'sidecar_max_port', 'expose_min_port', 'expose_max_port'],
  addresses: ['grpc', 'grpc_tls'],
  limits: ['rpc_client_timeout', 'rpc_max_conns_per_client', 'rpc_rate', 'rpc_max_burst', 'request_limits'],
  telemetry: [
    ...['api_token', 'api_app', 'api_url', 'submission_interval', 'submission_url', 'broker_id', 'broker_select_tag'],
    ...['check_id', 'check_force_metric_activation', 'check_instance_id', 'check_search_tag', 'check_tags'],
    'check_display_name',
  ]
    .map((name) => `circonus_${name}`)
    .concat(
      ...['disable_compat_1.9', 'disable_per_tenancy_usage_metrics', 'dogstatsd_addr', 'dogstatsd_tags'],
      ...['enable_host_metrics', 'filter_default', 'metrics_prefix', 'prefix_filter', 'prometheus_retention_time'],
      ...['retry_failed_connection', 'statsd_address', 'statsite_address'],
    ),
  tls: ['grpc'],
  'tls.defaults': ['use_auto_cert'],
  'tls.https': ['use_auto_cert'],
  ui_config: [
    'enabled',
    'dir',
    'content_path',
    'metrics_provider_files',
    'metrics_provider_options_json',
    'dashboard_url_templates',
    'hcp_enabled',
  ],
  dns_config: ['allow_stale', 'cache_max_age', 'max_stale', 'prefer_namespace', 'use_cache', 'service_ttl', 'soa'],
};

function isKnownBelow(key: string): boolean {
  return Object.entries(KNOWN_BELOW).some(([section, names]) =>
    names.some((name) => isBelow(key, `${section}.${name}`)),
  );
}

function isBelow(key: string, name: string): boolean {
  return key === name || key.startsWith(`${name}.`);
}

function readValue(kind: ValueKind, value: unknown, file: string, key: string): unknown {
  switch (kind) {
    case 'string':
      if (typeof value === 'string') return value;
      throw configError(file, key, `must be a string, found ${kindOf(value)}`);
    case 'int':
      if (Number.isSafeInteger(value)) return value;
      throw configError(file, key, `must be a whole number, found ${kindOf(value)}`);
    case 'bool':
      if (typeof value === 'boolean') return value;
      throw configError(file, key, `must be true or false, found ${kindOf(value)}`);
    case 'duration':
      return readDuration(value, file, key);
    case 'strings':
      if (typeof value === 'string') return [value];
      if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value;
      throw configError(file, key, 'must be a list of strings');
    case 'stringMap':
      value = onlyBlock(value);
      if (isObject(value) && Object.values(value).every((item) => typeof item === 'string')) return value;
      throw configError(file, key, 'must be an object of strings');
    case 'anyMap':
      value = onlyBlock(value);
      if (isObject(value)) return value;
      throw configError(file, key, 'must be an object');
    case 'durationMap':
      value = onlyBlock(value);
      if (!isObject(value)) throw configError(file, key, 'must be an object of durations');
      return Object.fromEntries(
        Object.entries(value).map(([name, item]) => [name, readDuration(item, file, `${key}.${name}`)]),
      );
    case 'objects':
      // One block, or several of the same name, or a list.
      if (isObject(value)) return [{ file, key, value }] satisfies Declared[];
      if (Array.isArray(value) && value.every(isObject)) return listed(value, file, key);
      throw configError(file, key, 'must be an object or a list of objects');
  }
}

function listed(values: readonly object[], file: string, key: string): Declared[] {
  return values.map((value, at) => ({ file, key: `${key}[${at}]`, value }));
}

/** JSON written from HCL wraps a block in a list of one. */
function onlyBlock(value: unknown): unknown {
  return Array.isArray(value) && value.length === 1 ? value[0] : value;
}

/** @throws AppError `config`. */
export function readDuration(value: unknown, file: string, key: string): number {
  const ms =
    typeof value === 'string' ? parseGoDuration(value) : Number.isInteger(value) ? (value as number) / 1e6 : NaN;
  if (ms === undefined || Number.isNaN(ms) || ms < 0) {
    throw configError(file, key, `must be a duration such as "10s", found ${JSON.stringify(value)}`);
  }
  return ms;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function kindOf(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' ? 'an object' : JSON.stringify(value);
}
