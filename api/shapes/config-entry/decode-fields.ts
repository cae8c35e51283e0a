import { formatGoDuration, parseGoDuration } from '../../../core/duration.ts';
import { nearest } from '../../../core/nearest.ts';
import { saysNothing } from '../../decode.ts';
import { type FieldType, foldName, type NamedField } from './field-type.ts';

/** Problems are counted up to this many; a body full of them must not make an answer of its size. */
const MAX_PROBLEMS = 20;
/** Deeper free-form values are refused: later recursion over them must not exhaust the stack. */
const MAX_DEPTH = 64;
/** Go's range of a duration in nanoseconds. */
const MAX_NANOSECONDS = 2 ** 63;

export interface ProblemOptions {
  readonly guesses?: boolean;
  readonly allowsUnknown?: boolean;
}

/** What is wrong with a body, in the order in which it was found. */
export class Problems {
  readonly texts: string[] = [];
  readonly #guesses: boolean;
  readonly #allowsUnknown: boolean;

  /**
   * With `guesses` an unknown key is answered with the one that was meant; Consul's texts have none. With `allowsUnknown` it
   * is left out.
   */
  constructor(options: ProblemOptions = {}) {
    this.#guesses = options.guesses ?? false;
    this.#allowsUnknown = options.allowsUnknown ?? false;
  }

  add(text: string): undefined {
    if (this.texts.length < MAX_PROBLEMS) this.texts.push(text);
    return undefined;
  }

  unknownKey(path: string, key: string, fields: ReadonlyMap<string, NamedField>): void {
    if (this.#allowsUnknown) return;
    const near = this.#guesses ? nearest(foldName(key), fields.keys()) : undefined;
    const guess = near === undefined ? '' : `, did you mean ${JSON.stringify(fields.get(near)!.name)}?`;
    this.add(`invalid config key ${JSON.stringify(path)}${guess}`);
  }
}

/**
 * Reads a value as a field holds it, as tolerantly as Consul: numbers for texts, texts for numbers, one value for a
 * list of one, a list of one object for an object, of several for a map (what HCL blocks become). undefined: nothing that would be shown.
 * What does not fit is told to `problems`.
 */
export function decodeField(type: FieldType, given: unknown, path: string, problems: Problems): unknown {
  if (given === null || given === undefined) {
    // An object that is always there holds the objects that are always in it.
    if (type.kind === 'struct' && type.as === 'value') return decodeStruct(type.fields, {}, path, problems);
    if (type.kind === 'shownInt') return 0;
    return type.kind === 'shownBool' ? false : undefined;
  }
  switch (type.kind) {
    case 'struct':
      return decodeStruct(type.fields, asObject(given, path, problems), path, problems);
    case 'list':
      return decodeList(type.of, given, path, problems);
    case 'map':
      return decodeMap(type.of, given, path, problems);
    case 'object':
      return nonEmpty(copy(asMap(given, path, problems), path, problems, 0));
    case 'any':
      return copy(given, path, problems, 0);
    case 'ignored':
      return undefined;
    default:
      return decodeScalar(type, given, path, problems);
  }
}

function decodeScalar(type: { kind: string }, given: unknown, path: string, problems: Problems): unknown {
  switch (type.kind) {
    case 'string':
      return toText(given, path, problems) || undefined;
    case 'tenancy':
      return decodeTenancy(toText(given, path, problems), path, problems);
    case 'int':
      return toNumber(given, path, problems, true) || undefined;
    case 'optionalInt':
      return toNumber(given, path, problems, true);
    case 'float':
      return toNumber(given, path, problems, false) || undefined;
    case 'bool':
      return toBool(given, path, problems) || undefined;
    case 'optionalBool':
      return toBool(given, path, problems);
    case 'shownBool':
      return toBool(given, path, problems) ?? false;
    case 'shownInt':
      return toNumber(given, path, problems, true) ?? 0;
    default:
      return decodeDuration(type.kind === 'nanoseconds', given, path, problems);
  }
}

function decodeStruct(
  fields: ReadonlyMap<string, NamedField>,
  given: Record<string, unknown>,
  path: string,
  problems: Problems,
): Record<string, unknown> {
  const values = new Map<string, unknown>();
  for (const [key, item] of Object.entries(given)) {
    const field = fields.get(foldName(key));
    if (field) values.set(field.name, item);
    // Newer clients send zero values of fields too that are not known here.
    else if (!saysNothing(item)) problems.unknownKey(join(path, key), key, fields);
  }
  const out: Record<string, unknown> = {};
  for (const { name, type } of fields.values()) {
    const decoded = decodeField(type, values.get(name), join(path, name), problems);
    if (decoded !== undefined) out[name] = decoded;
  }
  return out;
}

function decodeList(of: FieldType, given: unknown, path: string, problems: Problems): unknown[] | undefined {
  const items = Array.isArray(given) ? given : [given];
  const out = items.map((item, at) => decodeField(of, item ?? blankOf(of), `${path}[${at}]`, problems) ?? zeroOf(of));
  return out.length > 0 ? out : undefined;
}

function decodeMap(of: FieldType, given: unknown, path: string, problems: Problems): object | undefined {
  const entries = Object.entries(asMap(given, path, problems)).map(
    ([key, item]) =>
      [key.toWellFormed(), decodeField(of, item ?? blankOf(of), `${path}[${key}]`, problems) ?? zeroOf(of)] as const,
  );
  return nonEmpty(Object.fromEntries(entries));
}

function decodeTenancy(name: string | undefined, path: string, problems: Problems): undefined {
  if (name === undefined || name === '' || name.toLowerCase() === 'default') return undefined;
  return problems.add(`invalid value for ${path}: ${JSON.stringify(name)}; configuration entries have only "default"`);
}

function decodeDuration(asNumber: boolean, given: unknown, path: string, problems: Problems): unknown {
  const ms = typeof given === 'string' && given !== '' ? parseGoDuration(given) : toNanoseconds(given);
  if (ms === undefined) {
    return problems.add(`invalid duration ${JSON.stringify(given)} in ${path}, want for example "10s" or "1m30s"`);
  }
  if (ms === 0) return undefined;
  return asNumber ? Math.round(ms * 1e6) : formatGoDuration(ms);
}

function toNanoseconds(given: unknown): number | undefined {
  if (given === '') return 0;
  if (typeof given !== 'number' || !Number.isInteger(given) || Math.abs(given) >= MAX_NANOSECONDS) return undefined;
  return given / 1e6;
}

function toText(given: unknown, path: string, problems: Problems): string | undefined {
  if (typeof given === 'string') return given.toWellFormed();
  if (typeof given === 'number') return String(given);
  if (typeof given === 'boolean') return given ? '1' : '0';
  return problems.add(`'${path}' expected type 'string', got ${nameOf(given)}`);
}

function toNumber(given: unknown, path: string, problems: Problems, whole: boolean): number | undefined {
  if (typeof given === 'boolean') return Number(given);
  const number = typeof given === 'string' && given.trim() !== '' ? Number(given) : given;
  if (typeof number === 'number' && (whole ? Number.isSafeInteger(number) : Number.isFinite(number))) return number;
  return problems.add(`'${path}' expected type '${whole ? 'int' : 'float32'}', got ${nameOf(given)}`);
}

function toBool(given: unknown, path: string, problems: Problems): boolean | undefined {
  if (typeof given === 'boolean') return given;
  if (typeof given === 'number') return given !== 0;
  if (typeof given === 'string') {
    if (/^(1|t|true)$/i.test(given)) return true;
    if (/^(|0|f|false)$/i.test(given)) return false;
  }
  return problems.add(`'${path}' expected type 'bool', got ${nameOf(given)}`);
}

function asObject(given: unknown, path: string, problems: Problems): Record<string, unknown> {
  if (Array.isArray(given) && given.length <= 1) return asObject(given[0] ?? {}, path, problems);
  if (typeof given === 'object' && given !== null && !Array.isArray(given)) return given as Record<string, unknown>;
  problems.add(`'${path}' expected a map, got ${nameOf(given)}`);
  return {};
}

/** A list of objects is their union: what HCL makes of `Subsets "v1" {…}` and `Subsets "v2" {…}`. */
function asMap(given: unknown, path: string, problems: Problems): Record<string, unknown> {
  if (!Array.isArray(given) || given.length < 2) return asObject(given, path, problems);
  return Object.fromEntries(given.flatMap((one) => Object.entries(asObject(one, path, problems))));
}

function copy<T>(given: T, path: string, problems: Problems, depth: number): unknown {
  if (depth > MAX_DEPTH) return problems.add(`'${path}' is nested more than ${MAX_DEPTH} levels deep`);
  if (typeof given === 'string') return given.toWellFormed();
  if (Array.isArray(given)) return given.map((item) => copy(item, path, problems, depth + 1));
  if (typeof given !== 'object' || given === null) return given;
  const entries = Object.entries(given).map(([key, item]) => [
    key.toWellFormed(),
    copy(item, path, problems, depth + 1),
  ]);
  return Object.fromEntries(entries) as object;
}

/** What null stands for in a list or map. */
function blankOf(type: FieldType): object | undefined {
  return type.kind === 'struct' ? {} : undefined;
}

/** What stands in a list for a value that a field would omit. */
function zeroOf(type: FieldType): unknown {
  const { kind } = type;
  if (kind === 'int' || kind === 'float' || kind === 'optionalInt' || kind === 'shownInt' || kind === 'nanoseconds')
    return 0;
  if (kind === 'bool' || kind === 'optionalBool') return false;
  return kind === 'string' || kind === 'tenancy' ? '' : kind === 'duration' ? '0s' : kind === 'list' ? [] : {};
}

function nonEmpty(value: unknown): object | undefined {
  return Object.keys(value as object).length > 0 ? (value as object) : undefined;
}

function nameOf(given: unknown): string {
  return Array.isArray(given)
    ? 'a list'
    : given === null
      ? 'null'
      : `a ${typeof given === 'object' ? 'map' : typeof given}`;
}

function join(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`;
}
