import type { StructuralSchema } from '../structural-schema.ts';

/**
 * Fills in the schema's defaults in place, as the API server does: a field that is null counts as missing (Kubernetes
 * docs, "Defaulting and Nullable"; none of our fields is nullable), a missing one gets its default, and then the value's
 * own fields are treated likewise. Unknown fields stay as they are.
 */
export function applyDefaults(value: unknown, schema: StructuralSchema): void {
  if (Array.isArray(value)) {
    if (schema.items) for (const item of value) applyDefaults(item, schema.items);
    return;
  }
  if (typeof value !== 'object' || value === null) return;
  const object = value as Record<string, unknown>;
  for (const [field, fieldSchema] of Object.entries(schema.properties ?? {})) {
    if (!Object.hasOwn(object, field) || object[field] === null) {
      delete object[field];
      if (fieldSchema.default === undefined) continue;
      object[field] = structuredClone(fieldSchema.default);
    }
    applyDefaults(object[field], fieldSchema);
  }
  if (schema.additionalProperties) {
    for (const [key, each] of Object.entries(object)) {
      if (each === null) delete object[key];
      else applyDefaults(each, schema.additionalProperties);
    }
  }
}
