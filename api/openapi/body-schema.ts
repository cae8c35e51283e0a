import type { Schema } from '../decode.ts';
import type { FieldType } from '../shapes/config-entry/field-type.ts';
import { type JsonSchema, orNull } from './schema.ts';

/** Durations of bodies: Go's spelling, or nanoseconds. */
const DURATION: JsonSchema = { type: ['string', 'integer'], examples: ['10s', '1m30s'] };
const SAFE = { minimum: Number.MIN_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER };

/**
 * What a decoder takes, as JSON Schema: the two cannot say different things. null means "not given" everywhere; fields that
 * are accepted without effect are left out. `required` names fields without which the body is refused.
 */
export function bodySchema(schema: Schema, required: readonly string[] = []): JsonSchema {
  switch (schema.kind) {
    case 'string':
      return { type: 'string' };
    case 'int':
      return { type: 'integer', ...SAFE };
    case 'number':
      return { type: 'number' };
    case 'bool':
      return { type: 'boolean' };
    case 'any':
      return {};
    case 'duration':
      return DURATION;
    case 'list':
      return { type: 'array', items: orNull(bodySchema(schema.of)) };
    case 'map':
      return { type: 'object', additionalProperties: orNull(bodySchema(schema.of)) };
    case 'object': {
      const fields = [...schema.fields.values()].filter((field) => field.schema !== undefined);
      return {
        type: 'object',
        properties: Object.fromEntries(
          fields.map(({ name, schema: of }) => {
            const found = bodySchema(of!);
            return [name, required.includes(name) ? found : orNull(found)];
          }),
        ),
        ...(required.length > 0 ? { required } : {}),
      };
    }
  }
}

/** How a field of a configuration entry is shown; a body may spell durations in nanoseconds too. */
export function shownField(type: FieldType): JsonSchema | undefined {
  switch (type.kind) {
    case 'string':
      return { type: 'string' };
    case 'int':
    case 'optionalInt':
    case 'shownInt':
      return { type: 'integer', ...SAFE };
    case 'nanoseconds':
      return { type: ['integer', 'string'], description: 'Nanoseconds; a body may hold a Go duration.' };
    case 'float':
      return { type: 'number' };
    case 'bool':
    case 'optionalBool':
    case 'shownBool':
      return { type: 'boolean' };
    case 'duration':
      return DURATION;
    case 'object':
      return { type: 'object', additionalProperties: true };
    case 'any':
      return {};
    case 'ignored':
      return { description: 'In answers; without effect in a body.' };
    case 'tenancy':
      return undefined;
    case 'list':
      return { type: 'array', items: shownField(type.of) ?? {} };
    case 'map':
      return { type: 'object', additionalProperties: shownField(type.of) ?? {} };
    case 'struct':
      return {
        type: 'object',
        properties: shownFields(Object.fromEntries([...type.fields.values()].map((field) => [field.name, field.type]))),
      };
  }
}

/** The fields of an entry that are shown. */
export function shownFields(fields: Readonly<Record<string, FieldType>>): Readonly<Record<string, JsonSchema>> {
  return Object.fromEntries(
    Object.entries(fields).flatMap(([name, type]) => {
      const schema = shownField(type);
      return schema ? [[name, schema]] : [];
    }),
  );
}
