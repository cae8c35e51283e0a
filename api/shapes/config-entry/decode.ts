import { AppError, errorText } from '../../../core/errors.ts';
import { EXPORTED_SERVICES, JWT_PROVIDER, SERVICE_INTENTIONS } from './access-kinds.ts';
import { decodeField, type ProblemOptions, Problems } from './decode-fields.ts';
import { MESH, PROXY_DEFAULTS, SERVICE_DEFAULTS } from './defaults-kinds.ts';
import type { ConfigEntry, ConfigKind } from './entry.ts';
import { type Fields, foldName, IGNORED, STRING, STRING_MAP, TENANCY, value } from './field-type.ts';
import {
  API_GATEWAY,
  FILE_SYSTEM_CERTIFICATE,
  HTTP_ROUTE,
  INGRESS_GATEWAY,
  INLINE_CERTIFICATE,
  TCP_ROUTE,
  TERMINATING_GATEWAY,
} from './gateway-kinds.ts';
import { collected, type KindSpec, refuse } from './kind-spec.ts';
import { SERVICE_RESOLVER, SERVICE_ROUTER, SERVICE_SPLITTER } from './routing-kinds.ts';

/** The description of each kind. */
export const SPECS: Readonly<Record<ConfigKind, KindSpec>> = {
  'service-defaults': SERVICE_DEFAULTS,
  'proxy-defaults': PROXY_DEFAULTS,
  'service-router': SERVICE_ROUTER,
  'service-splitter': SERVICE_SPLITTER,
  'service-resolver': SERVICE_RESOLVER,
  'service-intentions': SERVICE_INTENTIONS,
  'ingress-gateway': INGRESS_GATEWAY,
  'terminating-gateway': TERMINATING_GATEWAY,
  'api-gateway': API_GATEWAY,
  'http-route': HTTP_ROUTE,
  'tcp-route': TCP_ROUTE,
  'inline-certificate': INLINE_CERTIFICATE,
  'file-system-certificate': FILE_SYSTEM_CERTIFICATE,
  mesh: MESH,
  'exported-services': EXPORTED_SERVICES,
  'jwt-provider': JWT_PROVIDER,
};

export const CONFIG_KINDS = Object.keys(SPECS) as ConfigKind[];

const COMMON: Fields = {
  Kind: STRING,
  Name: STRING,
  Meta: STRING_MAP,
  Namespace: TENANCY,
  Partition: TENANCY,
  Hash: IGNORED,
  Status: IGNORED,
  CreateIndex: IGNORED,
  ModifyIndex: IGNORED,
};
const DECODERS = new Map(CONFIG_KINDS.map((kind) => [kind, value({ ...COMMON, ...SPECS[kind].fields })]));

const PREFIX = 'Request decoding failed: ';
const MAX_META_PAIRS = 64;
const MAX_META_KEY = 128;
const MAX_META_VALUE = 512;
/** With its kind a name has to fit into a key of the store. */
const MAX_NAME = 512;

export function isConfigKind(kind: string): kind is ConfigKind {
  return Object.hasOwn(SPECS, kind);
}

/**
 * The entry in a request body.
 * @throws AppError `badRequest` with Consul's text, which begins with "Request decoding failed".
 */
export function decodeConfigBody(body: Buffer): ConfigEntry {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body.toString('utf8'));
  } catch (error) {
    throw undecodable(errorText(error));
  }
  return decodeConfigEntry(parsed);
}

/** An entry as it was stored, without the fields that only a newer version knows. @throws AppError `badRequest`. */
export function readConfigEntry(stored: unknown): ConfigEntry {
  return decodeConfigEntry(stored, { allowsUnknown: true });
}

/** @throws AppError `badRequest` as of a request body, with `guesses` at what was meant where those are wanted. */
export function decodeConfigEntry(given: unknown, options: ProblemOptions = {}): ConfigEntry {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) throw undecodable('want an object');
  const kind = Object.entries(given).find(([key]) => foldName(key) === 'kind')?.[1];
  if (kind === undefined) throw undecodable('Payload does not contain a kind/Kind key at the top level');
  if (typeof kind !== 'string') throw undecodable('Kind value in payload is not a string');
  if (!isConfigKind(kind)) throw undecodable(`invalid config entry kind: ${kind}`);
  const problems = new Problems(options);
  const decoded = decodeField(DECODERS.get(kind)!, given, '', problems) as ConfigEntry;
  if (problems.texts.length > 0) throw undecodable(collected(problems.texts));
  const entry = { ...decoded, Name: decoded.Name ?? SPECS[kind].only ?? '' };
  return SPECS[kind].normalize?.(entry) ?? entry;
}

/** The rules that an entry obeys on its own. @throws AppError `badRequest` with Consul's text. */
export function checkConfigEntry(entry: ConfigEntry): void {
  const spec = SPECS[entry.Kind];
  if (entry.Name === '') refuse('Name is required');
  if (Buffer.byteLength(entry.Name) > MAX_NAME) refuse(`Name exceeds maximum length ${MAX_NAME}`);
  if (spec.only !== undefined && entry.Name !== spec.only) {
    refuse(`invalid name (${JSON.stringify(entry.Name)}), only ${JSON.stringify(spec.only)} is supported`);
  }
  checkMeta(entry.Meta);
  spec.check?.(entry);
}

/** The entry as it is shown, without indexes and hash. */
export function shownEntry(entry: ConfigEntry): object {
  if (!SPECS[entry.Kind].nameless) return entry;
  const { Name: _, ...rest } = entry;
  return rest;
}

function checkMeta(meta: Readonly<Record<string, string>> = {}): void {
  const pairs = Object.entries(meta);
  if (pairs.length > MAX_META_PAIRS) refuse(`Meta contains more than the maximum of ${MAX_META_PAIRS} key/value pairs`);
  for (const [key, text] of pairs) {
    if (key === '') refuse('Meta key cannot be blank');
    if (key.length > MAX_META_KEY) refuse(`Meta key ${JSON.stringify(key)} is longer than ${MAX_META_KEY} characters`);
    if (text.length > MAX_META_VALUE) {
      refuse(`Meta value for key ${JSON.stringify(key)} is longer than ${MAX_META_VALUE} characters`);
    }
  }
}

function undecodable(text: string): AppError {
  return new AppError('badRequest', `${PREFIX}${text}`);
}
