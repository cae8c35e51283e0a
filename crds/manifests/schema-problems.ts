import type { ErrorObject } from 'ajv';
import type { FieldPath, FieldProblem } from './field-path.ts';
import { nearestName } from './nearest-name.ts';
import { patternText } from './pattern-texts.ts';
import { OR_NUMBER } from './to-json-schema.ts';

/** Longest part of a wrong value that is repeated to the user. */
const SHOWN_CHARS = 60;

/** What of a schema the texts make use of. */
interface ShownSchema {
  readonly description?: string;
  readonly properties?: Readonly<Record<string, ShownSchema>>;
  readonly then?: { readonly pattern?: string };
  readonly [OR_NUMBER]?: boolean;
}

/** ajv's findings as problems that name the field and say what would be right. */
export function toProblems(errors: readonly ErrorObject[], object: unknown): FieldProblem[] {
  const problems: FieldProblem[] = [];
  for (const error of errors) {
    if (error.keyword === 'if') continue; // its `then` reports the cause
    problems.push(toProblem(error, pathOf(error.instancePath, object)));
  }
  return problems;
}

function toProblem(error: ErrorObject, path: FieldPath): FieldProblem {
  const { params, data } = error;
  const schema = (error.parentSchema ?? {}) as ShownSchema;
  const limit = params.limit as number;
  switch (error.keyword) {
    case 'additionalProperties':
      return unknownField([...path, params.additionalProperty as string], Object.keys(schema.properties ?? {}));
    case 'required': {
      const field = params.missingProperty as string;
      return { path: [...path, field], text: `is required${firstSentence(schema.properties?.[field])}` };
    }
    case 'type':
      return { path, text: typeText(params.type as string | string[], data, schema) };
    case 'enum':
      return { path, text: `must be one of ${(params.allowedValues as string[]).join(', ')}, not ${show(data)}` };
    case 'pattern': {
      const wanted = `${schema[OR_NUMBER] ? 'a number or ' : ''}${patternText(params.pattern as string)}`;
      return { path, text: `must be ${wanted}; not ${show(data)}` };
    }
    case 'minimum':
      return { path, text: `must be at least ${limit}, not ${show(data)}` };
    case 'maximum':
      return { path, text: `must be at most ${limit}, not ${show(data)}` };
    case 'minLength':
      return { path, text: data === '' ? 'must not be empty' : `must be at least ${limit} characters long` };
    case 'maxLength':
      return { path, text: `must be at most ${limit} characters long, not ${[...String(data)].length}` };
    case 'minItems':
    case 'minProperties':
      return { path, text: limit === 1 ? 'must not be empty' : `needs at least ${limit} entries` };
    case 'maxItems':
      return { path, text: `must have at most ${limit} entries, not ${(data as unknown[]).length}` };
    case 'maxProperties':
      return { path, text: `must have at most ${limit} entries, not ${Object.keys(data as object).length}` };
    default:
      return { path, text: error.message ?? 'is wrong' };
  }
}

function unknownField(path: FieldPath, known: readonly string[]): FieldProblem {
  const nearest = nearestName(String(path.at(-1)), known);
  const advice = nearest ? `did you mean ${nearest}?` : `the fields here are ${known.join(', ')}`;
  return { path, text: `unknown field; ${advice}` };
}

/** What a missing field is for, in brackets. */
function firstSentence(schema: ShownSchema | undefined): string {
  const sentence = schema?.description?.split(/[.:;] |[.]$/)[0];
  return sentence === undefined ? '' : ` (${sentence})`;
}

const TYPE_NAMES: Readonly<Record<string, string>> = {
  object: 'a mapping',
  array: 'a list',
  string: 'a string',
  integer: 'a whole number',
  boolean: 'true or false',
};

/** What YAML took for a number or a boolean was often meant as text, or lacks its unit. */
function typeText(type: string | string[], data: unknown, schema: ShownSchema): string {
  const pattern = schema.then?.pattern;
  const wanted = [type]
    .flat()
    .map((each) => TYPE_NAMES[each] ?? each)
    .join(' or ');
  const scalar = typeof data === 'number' || typeof data === 'boolean';
  if (type !== 'string' || !scalar) return `must be ${wanted}, not ${show(data)}`;
  if (pattern === undefined || new RegExp(pattern).test(String(data))) {
    return `must be a string, not ${show(data)}; put it in quotes`;
  }
  return `must be ${patternText(pattern)}; not ${show(data)}`;
}

function show(data: unknown): string {
  if (Array.isArray(data)) return 'a list';
  if (typeof data === 'object' && data !== null) return 'a mapping';
  const text = JSON.stringify(data) ?? String(data);
  return text.length > SHOWN_CHARS ? `${text.slice(0, SHOWN_CHARS)}…` : text;
}

/** A JSON pointer as a path; parts that index a list of `object` become numbers. */
function pathOf(pointer: string, object: unknown): FieldPath {
  const path: (string | number)[] = [];
  let at = object;
  for (const raw of pointer.split('/').slice(1)) {
    const part = raw.replaceAll('~1', '/').replaceAll('~0', '~');
    path.push(Array.isArray(at) ? Number(part) : part);
    at = (at as Record<string, unknown> | undefined)?.[part];
  }
  return path;
}
