/** A JSON Schema (draft 2020-12), as a plain value. */
export type JsonSchema = { readonly [keyword: string]: unknown };

/**
 * The fields of a record type: each of its keys with a schema, optional ones with a `?` behind their name. A key that the
 * type has and the description has not, or the other way round, is a type error.
 */
export type Described<T> = {
  readonly [K in keyof T & string as undefined extends T[K] ? `${K}?` : K]-?: JsonSchema;
};

/** The object that a record type of `api/shapes` becomes in JSON. */
export function record<T>(fields: Described<T>, description?: string): JsonSchema {
  return object(fields as Readonly<Record<string, JsonSchema>>, description);
}

/** An object with these fields; a `?` behind a name says that the field may be missing. */
export function object(fields: Readonly<Record<string, JsonSchema>>, description?: string): JsonSchema {
  const names = Object.keys(fields);
  const required = names.filter((name) => !name.endsWith('?'));
  return described(
    {
      type: 'object',
      properties: Object.fromEntries(names.map((name) => [name.replace(/\?$/, ''), fields[name]])),
      ...(required.length > 0 ? { required } : {}),
    },
    description,
  );
}

export function text(description?: string): JsonSchema {
  return described({ type: 'string' }, description);
}

/** A whole number; from `minimum`, when given. */
export function int(description?: string, minimum?: number): JsonSchema {
  return described({ type: 'integer', ...(minimum === undefined ? {} : { minimum }) }, description);
}

/** A catalog index, a count: a whole number from 0. */
export function count(description?: string): JsonSchema {
  return int(description, 0);
}

export function number(description?: string): JsonSchema {
  return described({ type: 'number' }, description);
}

export function bool(description?: string): JsonSchema {
  return described({ type: 'boolean' }, description);
}

/** A date and time of RFC 3339. */
export function time(description?: string): JsonSchema {
  return described({ type: 'string', format: 'date-time' }, description);
}

/** Exactly this value. */
export function always(value: string | number | boolean | null, description?: string): JsonSchema {
  return described({ const: value }, description);
}

/** One of these texts. */
export function choice(values: readonly string[], description?: string): JsonSchema {
  return described({ type: 'string', enum: values }, description);
}

/** A Go duration. */
export function duration(description?: string): JsonSchema {
  return described({ type: 'string', examples: ['10s', '1m30s'] }, description);
}

export function listOf(items: JsonSchema, description?: string): JsonSchema {
  return described({ type: 'array', items }, description);
}

/** An object with any keys. */
export function mapOf(values: JsonSchema, description?: string): JsonSchema {
  return described({ type: 'object', additionalProperties: values }, description);
}

/** Any JSON value. */
export function anything(description?: string): JsonSchema {
  return described({}, description);
}

/** An object of which no more is promised. */
export function anyObject(description?: string): JsonSchema {
  return described({ type: 'object', additionalProperties: true }, description);
}

export function orNull(schema: JsonSchema): JsonSchema {
  const { type, description, ...rest } = schema;
  if (typeof type === 'string' && !('enum' in rest)) return { ...schema, type: [type, 'null'] };
  return { anyOf: [schema, { type: 'null' }] };
}

export function oneOf(schemas: readonly JsonSchema[], description?: string): JsonSchema {
  return described({ oneOf: schemas }, description);
}

/** A schema of the document's components. */
export function ref(name: string): JsonSchema {
  return { $ref: `#/components/schemas/${name}` };
}

function described(schema: JsonSchema, description: string | undefined): JsonSchema {
  return description === undefined ? schema : { ...schema, description };
}
