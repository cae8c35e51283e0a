import { kvKeyProblem } from '../../api/shapes/kv-key.ts';
import { parseGoDuration } from '../../core/duration.ts';
import { nearest } from '../../core/nearest.ts';
import type { WatchConfig, WatchHttp } from './agent-config.ts';
import { configError } from './config-text.ts';
import type { Declared, DeclaredReader } from './declared.ts';

interface WatchRules {
  readonly needs: readonly string[];
  readonly takes: readonly string[];
  /** Those of `needs` that name keys of the key-value store. */
  readonly keys?: readonly string[];
}

/** Parameters by watch type (those of Consul), and which of them must be given. */
export const WATCH_TYPES: Readonly<Record<string, WatchRules>> = {
  key: { needs: ['key'], takes: [], keys: ['key'] },
  keyprefix: { needs: ['prefix'], takes: [], keys: ['prefix'] },
  services: { needs: [], takes: ['filter'] },
  nodes: { needs: [], takes: ['filter'] },
  service: { needs: ['service'], takes: ['tag', 'passingonly', 'filter'] },
  checks: { needs: [], takes: ['service', 'state', 'filter'] },
  event: { needs: [], takes: ['name'] },
  connect_roots: { needs: [], takes: [] },
  connect_leaf: { needs: ['service'], takes: [] },
  agent_service: { needs: ['service_id'], takes: [] },
};

const COMMON = [
  'type',
  'datacenter',
  'token',
  'token_file',
  'stale',
  'handler',
  'args',
  'handler_type',
  'http_handler_config',
];

/** The `watches` of a configuration. `reader` keeps what is wrong, naming file, watch, key and what would be right. */
export function declaredWatches(reader: DeclaredReader, definitions: readonly Declared[]): WatchConfig[] {
  return reader.each(definitions, (one) => {
    const fields = one.value as Readonly<Record<string, unknown>>;
    const fail = (key: string, text: string) => configError(one.file, `${one.key}.${key}`, text);
    const { type } = fields;
    const rules = typeof type === 'string' && Object.hasOwn(WATCH_TYPES, type) ? WATCH_TYPES[type] : undefined;
    if (!rules) throw fail('type', `must be one of ${Object.keys(WATCH_TYPES).join(', ')}`);
    const known = [...COMMON, ...rules.needs, ...rules.takes];
    for (const key of Object.keys(fields)) {
      if (known.includes(key)) continue;
      const guess = nearest(key, known);
      throw fail(key, `is not a key of a ${String(type)} watch${guess ? `; did you mean "${guess}"?` : ''}`);
    }
    for (const key of rules.needs) {
      if (typeof fields[key] !== 'string' || fields[key] === '') throw fail(key, 'must be given, as a string');
    }
    for (const key of rules.keys ?? []) {
      const problem = kvKeyProblem(fields[key] as string);
      if (problem !== undefined) throw fail(key, problem);
    }
    const params = Object.fromEntries(
      Object.entries(fields).filter(([key]) => [...rules.needs, ...rules.takes, ...PARAMS].includes(key)),
    );
    return { type: type as string, params, handler: handlerOf(fields, fail) };
  });
}

const PARAMS = ['datacenter', 'token', 'token_file', 'stale'];

type Fail = (key: string, text: string) => Error;

function handlerOf(fields: Readonly<Record<string, unknown>>, fail: Fail): WatchConfig['handler'] {
  const kind = fields.handler_type ?? 'script';
  if (kind === 'http') return { kind, http: httpHandler(fields.http_handler_config, fail) };
  if (kind !== 'script') throw fail('handler_type', 'must be script or http');
  const { args, handler } = fields;
  if ((args === undefined) === (handler === undefined)) throw fail('args', 'give either args or handler');
  if (args === undefined) {
    if (typeof handler === 'string' && handler !== '') return { kind: 'shell', line: handler };
    throw fail('handler', 'must be a command line');
  }
  if (Array.isArray(args) && args.length > 0 && args.every((one) => typeof one === 'string')) return { kind, args };
  throw fail('args', 'must be a list of strings: the command and its arguments');
}

function httpHandler(given: unknown, fail: Fail): WatchHttp {
  const where = 'http_handler_config';
  const block: unknown = Array.isArray(given) && given.length === 1 ? given[0] : given;
  if (typeof block !== 'object' || block === null || Array.isArray(block)) throw fail(where, 'must be an object');
  const { path, method = 'POST', timeout = '10s', header = {}, tls_skip_verify } = block as Record<string, unknown>;
  if (typeof path !== 'string' || !/^https?:\/\//.test(path) || !URL.canParse(path)) {
    throw fail(`${where}.path`, 'must be an http:// or https:// URL');
  }
  if (typeof method !== 'string' || !/^[A-Z]{1,16}$/.test(method))
    throw fail(`${where}.method`, 'must be an HTTP method');
  const timeoutMs = typeof timeout === 'string' ? parseGoDuration(timeout) : undefined;
  if (!timeoutMs || timeoutMs < 0) throw fail(`${where}.timeout`, 'must be a duration such as "10s"');
  if (tls_skip_verify === true)
    throw fail(`${where}.tls_skip_verify`, 'is not supported; give a certificate that is trusted');
  return { path, method, timeoutMs, header: headers(header, where, fail) };
}

function headers(given: unknown, where: string, fail: Fail): Record<string, string[]> {
  const block: unknown = Array.isArray(given) && given.length === 1 ? given[0] : given;
  if (typeof block !== 'object' || block === null)
    throw fail(`${where}.header`, 'must be an object of lists of strings');
  return Object.fromEntries(
    Object.entries(block).map(([name, values]) => {
      const list = Array.isArray(values) ? (values as unknown[]) : [values];
      if (!list.every((one) => typeof one === 'string'))
        throw fail(`${where}.header.${name}`, 'must be a list of strings');
      return [name, list as string[]];
    }),
  );
}
