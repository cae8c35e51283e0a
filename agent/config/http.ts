import { BlockList, isIP } from 'node:net';
import { AppError, errorText } from '../../core/errors.ts';
import { validateHeaderName, validateHeaderValue } from '../../core/node-http.ts';
import type { AgentConfig, AgentHttpConfig } from './agent-config.ts';
import type { RawValues } from './tls.ts';

/** Consul's defaults of default_query_time and max_query_time. */
const DEFAULT_QUERY_MS = 300_000;
const MAX_QUERY_MS = 600_000;
/** Longer waits would outlive what lies between: proxies, address translation. */
const LONGEST_QUERY_MS = 24 * 3_600_000;
/** Room for the longest filter expression, percent-encoded. Consul has 1 MiB, which many clients at once could fill. */
const DEFAULT_HEADER_BYTES = 64 * 1024;
const MAX_HEADER_BYTES = 16 * 1024 * 1024;
const MIN_HEADER_BYTES = 1024;

/** `http_config` and what goes with it. @throws AppError `config` naming the key and what would be right. */
export function httpConfig(values: RawValues): AgentHttpConfig {
  const maxQueryMs = queryTime(values, 'max_query_time', MAX_QUERY_MS);
  return {
    blockEndpoints: blockEndpoints(values.get('http_config.block_endpoints') ?? []),
    responseHeaders: responseHeaders(values.get('http_config.response_headers') ?? {}),
    allowWriteFrom: networks(values.get('http_config.allow_write_http_from') ?? []),
    useCache: values.get<boolean>('http_config.use_cache') ?? true,
    defaultQueryMs: Math.min(queryTime(values, 'default_query_time', DEFAULT_QUERY_MS), maxQueryMs),
    maxQueryMs,
    discoveryMaxStaleMs: values.get<number>('discovery_max_stale') ?? 0,
    translateWanAddresses: values.get<boolean>('translate_wan_addrs') ?? false,
  };
}

/** Of a request's line and headers; the default when it is not positive, as in Consul. */
export function maxHeaderBytes(values: RawValues): number {
  const bytes = values.get<number>('http_config.max_header_bytes') ?? 0;
  if (bytes <= 0) return DEFAULT_HEADER_BYTES;
  if (bytes >= MIN_HEADER_BYTES && bytes <= MAX_HEADER_BYTES) return bytes;
  throw wrong(
    'http_config.max_header_bytes',
    `must be from ${MIN_HEADER_BYTES} to ${MAX_HEADER_BYTES}, found ${bytes}`,
  );
}

/** Owner and mode of socket files. */
export function unixSockets(values: RawValues): AgentConfig['unixSockets'] {
  const mode = values.get<string>('unix_sockets.mode') ?? '';
  if (!/^(0?[0-7]{3})?$/.test(mode)) {
    throw wrong('unix_sockets.mode', `${JSON.stringify(mode)} must be three octal digits, such as "660" or "0770"`);
  }
  return {
    user: values.get<string>('unix_sockets.user') ?? '',
    group: values.get<string>('unix_sockets.group') ?? '',
    mode: mode === '' ? undefined : Number.parseInt(mode, 8),
  };
}

/** The networks of a list in CIDR notation. @throws AppError `config`. */
export function blockListOf(cidrs: readonly string[], key: string): BlockList {
  const list = new BlockList();
  for (const cidr of cidrs) {
    const [address = '', bits = '', ...rest] = cidr.split('/');
    const family = isIP(address);
    const most = family === 4 ? 32 : 128;
    if (family === 0 || rest.length > 0 || !/^\d{1,3}$/.test(bits) || Number(bits) > most) {
      throw wrong(key, `${JSON.stringify(cidr)} must be a network in CIDR notation, such as "10.0.0.0/8" or "::1/128"`);
    }
    list.addSubnet(address, Number(bits), family === 4 ? 'ipv4' : 'ipv6');
  }
  return list;
}

function networks(cidrs: readonly string[]): readonly string[] {
  blockListOf(cidrs, 'http_config.allow_write_http_from');
  return cidrs;
}

function blockEndpoints(prefixes: readonly string[]): readonly string[] {
  for (const prefix of prefixes) {
    if (prefix.startsWith('/v1/')) continue;
    throw wrong(
      'http_config.block_endpoints',
      `${JSON.stringify(prefix)} blocks nothing: write the beginning of a path, such as "/v1/acl"`,
    );
  }
  return prefixes;
}

function responseHeaders(headers: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  for (const [name, value] of Object.entries(headers)) {
    try {
      validateHeaderName(name);
      validateHeaderValue(name, value);
    } catch (error) {
      throw wrong(`http_config.response_headers.${name}`, `cannot be sent: ${errorText(error)}`);
    }
    if (/^(content-length|transfer-encoding|connection)$/i.test(name)) {
      throw wrong(`http_config.response_headers.${name}`, 'is set by the agent for each answer; leave it out');
    }
  }
  return headers;
}

function queryTime(values: RawValues, key: string, byDefault: number): number {
  const ms = values.get<number>(key) || byDefault;
  if (ms <= LONGEST_QUERY_MS) return ms;
  throw wrong(key, `must be at most 24h, found ${ms} ms`);
}

function wrong(key: string, text: string): AppError {
  return new AppError('config', `${key}: ${text}`, { facts: { field: key } });
}
