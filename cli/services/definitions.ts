import { AGENT_SERVICE, type AgentService, decodeAgentService } from '../../api/shapes/agent-service.ts';
import { AppError, errorText } from '../../core/errors.ts';
import { nearest } from '../../core/nearest.ts';
import type { DefinitionFile } from '../definition-file.ts';

/** A service definition as it is sent, and what was read from it. */
export interface ServiceDefinition {
  readonly id: string;
  readonly name: string;
  /** Undefined: that of the command. */
  readonly namespace: string | undefined;
  readonly body: object;
}

export interface ServiceFile {
  readonly services: readonly ServiceDefinition[];
  /** Keys at the top of the file that are about something else. */
  readonly others: readonly string[];
}

/**
 * The services of a file, from its `service` and `services`, each checked by the rules of the API.
 * @throws AppError `config` naming the file, the service and the field.
 */
export function servicesOf({ name: file, value }: DefinitionFile): ServiceFile {
  const given = [...blocks(value, 'service'), ...blocks(value, 'services')];
  const others = Object.keys(value).filter((key) => !/^services?$/i.test(key));
  if (given.length === 0) throw new AppError('config', `${file} defines no service${hint(others)}`);
  return { services: given.map(({ key, definition }) => checked(`${file}: ${key}`, definition)), others };
}

/** @throws AppError `config` that begins with `where`. */
export function checked(where: string, definition: unknown): ServiceDefinition {
  if (!isObject(definition)) throw new AppError('config', `${where} must be an object`);
  const body = fitted(definition);
  let service: AgentService;
  try {
    // Whether scripts may run is the agent's to say.
    service = decodeAgentService(Buffer.from(JSON.stringify(body)), { scripts: true });
  } catch (cause) {
    const text = errorText(cause).replace(/^Request decode failed: (json: )?/, '');
    throw new AppError('config', `${where}: ${text}${guess(text)}`, { cause });
  }
  const { ID: id, Service: name } = service.instance;
  return { id, name, namespace: service.namespace, body };
}

function blocks(value: DefinitionFile['value'], wanted: string): { key: string; definition: unknown }[] {
  return Object.entries(value)
    .filter(([key]) => key.toLowerCase() === wanted)
    .flatMap(([key, found]) =>
      Array.isArray(found)
        ? found.map((definition: unknown, at) => ({ key: `${key}[${at}]`, definition }))
        : [{ key, definition: found as unknown }],
    );
}

function hint(others: readonly string[]): string {
  const misspelt = others.find((key) => nearest(key.toLowerCase(), ['service', 'services']));
  if (misspelt) return `; did you mean service where it says ${JSON.stringify(misspelt)}?`;
  if (others.some((key) => /^(name|id)$/i.test(key))) return '; put the definition into service { … }';
  return '; write service { name = "…" }';
}

const FIELDS = AGENT_SERVICE.kind === 'object' ? [...AGENT_SERVICE.fields.values()].map(({ name }) => name) : [];

function guess(text: string): string {
  const unknown = /^unknown field "([^"]+)"$/.exec(text)?.[1];
  if (unknown === undefined) return '';
  const found = nearest(
    fold(unknown),
    FIELDS.map((field) => field.toLowerCase()),
  );
  return found ? `; did you mean ${JSON.stringify(found)}?` : '';
}

/** Fields that hold lists of objects, without regard to case and underscores. */
const LISTS: ReadonlySet<string> = new Set(['checks', 'ports', 'upstreams', 'envoyextensions', 'paths']);
/** Fields that hold one object. */
const OBJECTS: ReadonlySet<string> = new Set([
  'check',
  'connect',
  'sidecarservice',
  'proxy',
  'weights',
  'meta',
  'taggedaddresses',
  'expose',
  'meshgateway',
  'transparentproxy',
]);

/** What HCL makes of blocks, as JSON has it: one block where a list is wanted is a list, several `check` are `checks`. */
function fitted(definition: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  const checks: unknown[] = [];
  for (const [key, value] of Object.entries(definition)) {
    const name = fold(key);
    if (name === 'checks' || (name === 'check' && Array.isArray(value) && value.length !== 1)) {
      checks.push(...(Array.isArray(value) ? value : [value]));
    } else out[key] = fittedField(name, value);
  }
  return checks.length > 0 ? { ...out, checks } : out;
}

function fittedField(name: string, value: unknown): unknown {
  if (LISTS.has(name)) return Array.isArray(value) || !isObject(value) ? value : [value];
  if (!OBJECTS.has(name)) return value;
  const only: unknown = Array.isArray(value) && value.length === 1 ? value[0] : value;
  return isObject(only) && name !== 'meta' ? fitted(only) : only;
}

function fold(key: string): string {
  return key.toLowerCase().replaceAll('_', '');
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
