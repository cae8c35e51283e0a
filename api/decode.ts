import { formatGoDuration, parseGoDuration } from '../core/duration.ts';
import { AppError } from '../core/errors.ts';

/**
 * How one JSON value is to be read. The rules are those of Consul's request bodies: field names match without regard to
 * case and underscores (so snake_case works), null means "not given", an unknown field is an error that names it.
 */
export type Schema =
  | { readonly kind: 'string' | 'int' | 'number' | 'bool' | 'any' | 'duration' }
  | { readonly kind: 'list' | 'map'; readonly of: Schema }
  | {
      readonly kind: 'object';
      /** By folded name. */
      readonly fields: ReadonlyMap<string, ObjectField>;
      /** The same by the name as it is documented, which need not be folded. */
      readonly named: ReadonlyMap<string, ObjectField>;
    };

interface ObjectField {
  readonly name: string;
  /** undefined: accepted and left out (what Consul's answers contain and clients send back). */
  readonly schema: Schema | undefined;
}

export const STRING: Schema = { kind: 'string' };
export const INT: Schema = { kind: 'int' };
/** Any finite number. */
export const NUMBER: Schema = { kind: 'number' };
export const BOOL: Schema = { kind: 'bool' };
/** Any JSON value, at most 64 levels deep. */
export const ANY: Schema = { kind: 'any' };
/** A Go duration as a string, or nanoseconds as an integer; given back in Go's own spelling ("1m0s"). */
export const DURATION: Schema = { kind: 'duration' };

export function list(of: Schema): Schema {
  return { kind: 'list', of };
}

export function map(of: Schema): Schema {
  return { kind: 'map', of };
}

/** An object with these fields; `ignored` fields are accepted without effect. */
export function object(fields: Readonly<Record<string, Schema>>, ignored: readonly string[] = []): Schema {
  const byKey = new Map<string, ObjectField>();
  for (const [name, schema] of Object.entries(fields)) byKey.set(foldName(name), { name, schema });
  for (const name of ignored) byKey.set(foldName(name), { name, schema: undefined });
  return objectOf(byKey);
}

/** An object whose fields are given by their folded names. */
export function objectOf(fields: ReadonlyMap<string, ObjectField>): Schema {
  return { kind: 'object', fields, named: new Map([...fields.values()].map((field) => [field.name, field])) };
}

/** Deeper free-form values than this are refused: later recursion over them must not exhaust the stack. */
const MAX_DEPTH = 64;

/** Consul's prefix of every decoding error. */
const PREFIX = 'Request decode failed: ';

/**
 * Decodes a request body. `null` gives undefined.
 * @throws AppError `badRequest` naming the field and what would be right, and nothing else.
 */
export function decodeBody(schema: Schema, body: Buffer): unknown {
  const text = body.toString('utf8');
  if (text.trim() === '') throw failure('EOF: a JSON body is required', '');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw failure(`invalid character or end of input: ${(error as Error).message}`, '');
  }
  try {
    return read(schema, value, undefined);
  } catch {
    // Once more with the path of each field, for the error: almost every body is right.
    return read(schema, value, '');
  }
}

/** Where a value stands in the body; undefined while nobody needs to know. */
type Path = string | undefined;

function read(schema: Schema, value: unknown, path: Path): unknown {
  if (value === null || value === undefined) return undefined;
  switch (schema.kind) {
    case 'string':
      // A lone surrogate cannot be stored as UTF-8 and would come back as another string.
      if (typeof value === 'string') return value.toWellFormed();
      throw mismatch(value, path, 'string');
    case 'int':
      if (Number.isSafeInteger(value)) return value;
      throw mismatch(value, path, 'int');
    case 'number':
      if (Number.isFinite(value)) return value;
      throw mismatch(value, path, 'float64');
    case 'bool':
      if (typeof value === 'boolean') return value;
      throw mismatch(value, path, 'bool');
    case 'duration':
      return readDuration(value, path);
    case 'any':
      return readAny(value, path, 0);
    case 'list':
      if (!Array.isArray(value)) throw mismatch(value, path, 'list');
      return value.map(
        (item, at) => read(schema.of, item, path === undefined ? path : `${path}[${at}]`) ?? zeroOf(schema.of),
      );
    case 'map':
      if (!isObject(value)) throw mismatch(value, path, 'object');
      return Object.fromEntries(
        Object.entries(value).map(([key, item]) => [
          key.toWellFormed(),
          read(schema.of, item, join(path, key)) ?? zeroOf(schema.of),
        ]),
      );
    case 'object':
      return readObject(schema, value, path);
  }
}

function readObject({ fields, named }: Schema & { kind: 'object' }, value: unknown, path: Path): unknown {
  if (!isObject(value)) throw mismatch(value, path, 'object');
  const out: Record<string, unknown> = {};
  for (const key of Object.keys(value)) {
    const item = value[key];
    const field = named.get(key) ?? fields.get(foldName(key));
    if (!field) throw failure(`json: unknown field ${JSON.stringify(key)}`, join(path, key));
    if (!field.schema) continue;
    const decoded = read(field.schema, item, join(path, field.name));
    if (decoded !== undefined) out[field.name] = decoded;
  }
  return out;
}

function readDuration(value: unknown, path: Path): string {
  if (typeof value === 'number' && Number.isInteger(value) && Math.abs(value) < 2 ** 63)
    return formatGoDuration(value / 1e6);
  if (typeof value !== 'string') throw mismatch(value, path, 'duration');
  if (value === '') return '0s';
  const ms = parseGoDuration(value);
  if (ms === undefined) {
    throw failure(
      `time: invalid duration ${JSON.stringify(value)} in field ${path}, want for example "10s" or "1m30s"`,
      path,
    );
  }
  return formatGoDuration(ms);
}

function readAny(value: unknown, path: Path, depth: number): unknown {
  if (depth > MAX_DEPTH) throw failure(`json: field ${path} is nested more than ${MAX_DEPTH} levels deep`, path);
  if (typeof value === 'string') return value.toWellFormed();
  // Such as 1e999: JSON has no way to give it again.
  if (typeof value === 'number' && !Number.isFinite(value)) throw mismatch(value, path, 'float64');
  if (Array.isArray(value)) return value.map((item) => readAny(item, path, depth + 1));
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key.toWellFormed(), readAny(item, path, depth + 1)]),
  );
}

/** What Go leaves in a list or map for null. */
function zeroOf(schema: Schema): unknown {
  const zeros = {
    string: '',
    int: 0,
    number: 0,
    bool: false,
    duration: '0s',
    any: null,
    list: [],
    map: {},
    object: {},
  };
  return zeros[schema.kind];
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function foldName(name: string): string {
  return name.toLowerCase().replaceAll('_', '');
}

function join(path: Path, name: string): Path {
  return path ? `${path}.${name}` : path === undefined ? path : name;
}

function mismatch(value: unknown, path: Path, wanted: string): AppError {
  const found = Array.isArray(value) ? 'list' : value === null ? 'null' : typeof value;
  const where = path === '' ? 'the body' : `field ${path}`;
  return failure(`json: cannot unmarshal ${found} into ${where} of type ${wanted}`, path);
}

function failure(text: string, field: Path): AppError {
  return new AppError('badRequest', `${PREFIX}${text}`, { facts: { field: field ?? '' } });
}

/** Whether a value, or every field of an object, is what Go sends for one that was not given. */
export function saysNothing(value: unknown): boolean {
  return isBlank(value) || (typeof value === 'object' && Object.values(value as object).every(isBlank));
}

function isBlank(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return !value || value === '0s';
  return Object.keys(value).length === 0;
}
