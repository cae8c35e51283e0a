import type { StructuralSchema } from '../structural-schema.ts';
import type { FieldPath, FieldProblem } from './field-path.ts';

/** Duplicates in lists that are sets, or maps by some of their fields (Kubernetes docs, "x-kubernetes-list-type"). */
export function checkUniqueness(value: unknown, schema: StructuralSchema, path: FieldPath = []): FieldProblem[] {
  const problems: FieldProblem[] = [];
  walk(value, schema, path, problems);
  return problems;
}

function walk(value: unknown, schema: StructuralSchema, path: FieldPath, into: FieldProblem[]): void {
  if (Array.isArray(value)) {
    if (schema['x-kubernetes-list-type'] === 'set') checkList(value, [], path, into);
    if (schema['x-kubernetes-list-type'] === 'map') {
      checkList(value, schema['x-kubernetes-list-map-keys'] ?? [], path, into);
    }
    const { items } = schema;
    if (items) for (const [index, item] of value.entries()) walk(item, items, [...path, index], into);
    return;
  }
  if (typeof value !== 'object' || value === null) return;
  for (const [field, each] of Object.entries(value)) {
    const fieldSchema = schema.properties?.[field] ?? schema.additionalProperties;
    if (fieldSchema) walk(each, fieldSchema, [...path, field], into);
  }
}

function checkList(list: readonly unknown[], keys: readonly string[], path: FieldPath, into: FieldProblem[]): void {
  const seen = new Map<string, number>();
  list.forEach((item, index) => {
    const identity = JSON.stringify(
      keys.length === 0 ? item : keys.map((key) => (item as Record<string, unknown> | null)?.[key]),
    );
    const first = seen.get(identity);
    if (first === undefined) seen.set(identity, index);
    else {
      const what = keys.length === 0 ? 'is' : `has the same ${keys.join(' and ')} as`;
      const where = keys.length === 0 ? `the same as entry ${first}` : `entry ${first}`;
      into.push({ path: [...path, index, ...keys.slice(0, 1)], text: `${what} ${where}; each may come once` });
    }
  });
}
