import type { StructuralSchema } from './structural-schema.ts';

/** A schema within a schema, and where it stands: `spec.ports[].name`, `spec.meta.*` for the values of a map. */
export interface SchemaPlace {
  readonly path: string;
  readonly schema: StructuralSchema;
}

/** Every schema within `root`, itself included, outer ones first. */
export function walkSchema(root: StructuralSchema, path = ''): SchemaPlace[] {
  const places: SchemaPlace[] = [{ path, schema: root }];
  for (const [field, schema] of Object.entries(root.properties ?? {})) {
    places.push(...walkSchema(schema, path === '' ? field : `${path}.${field}`));
  }
  if (root.items) places.push(...walkSchema(root.items, `${path}[]`));
  if (root.additionalProperties) places.push(...walkSchema(root.additionalProperties, `${path}.*`));
  return places;
}
