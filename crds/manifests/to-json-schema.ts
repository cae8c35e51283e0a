import type { StructuralSchema } from '../structural-schema.ts';

/** A JSON Schema (draft 7) as ajv takes it. */
export type JsonSchema = Record<string, unknown>;

const PLAIN_KEYWORDS = [
  'description',
  'enum',
  'required',
  'minimum',
  'maximum',
  'minLength',
  'maxLength',
  'minItems',
  'maxItems',
  'minProperties',
  'maxProperties',
] as const;

/** Longest text that a pattern without a maxLength beside it is matched against. */
const UNBOUNDED_CHARS = 4096;

/** Beside a pattern: whether a number would do as well, for the texts. */
export const OR_NUMBER = 'x-or-number';

/**
 * The JSON Schema with the same verdicts as the API server's structural schema under strict field validation: fields
 * that the schema does not have are refused. List uniqueness and CEL rules are checked elsewhere.
 */
export function toJsonSchema(schema: StructuralSchema): JsonSchema {
  const out: JsonSchema = { type: schema['x-kubernetes-int-or-string'] ? ['integer', 'string'] : schema.type };
  for (const keyword of PLAIN_KEYWORDS) if (schema[keyword] !== undefined) out[keyword] = schema[keyword];
  // A pattern is matched against texts of permitted length only, so that a hostile one cannot make it slow.
  if (schema.pattern !== undefined) {
    const { pattern, minLength = 0, maxLength = UNBOUNDED_CHARS } = schema;
    out.if = { minLength, maxLength };
    // biome-ignore lint/suspicious/noThenProperty: JSON Schema's own keyword, in an object that nobody awaits
    out.then = { pattern, [OR_NUMBER]: schema['x-kubernetes-int-or-string'] };
  }
  if (schema.items) out.items = toJsonSchema(schema.items);
  if (schema.type === 'object') {
    if (schema.properties) out.properties = mapValues(schema.properties, toJsonSchema);
    out.additionalProperties = schema.additionalProperties ? toJsonSchema(schema.additionalProperties) : false;
  }
  return out;
}

function mapValues<A, B>(record: Record<string, A>, map: (value: A) => B): Record<string, B> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value)]));
}
