import { hash } from 'node:crypto';

/** Set by the servers; says nothing about what is declared. */
const VOLATILE = new Set(['CreateIndex', 'ModifyIndex', 'Hash', 'Precedence']);

/**
 * A digest of what a service-intentions entry says: the same for an entry as it is written and as the servers show it,
 * whatever the order of its fields and sources. Zero values count as absent, as the servers leave them out.
 */
export function entryDigest(entry: object): string {
  const { Sources: sources, ...rest } = entry as { Sources?: unknown };
  const rows = Array.isArray(sources) ? sources.map((source) => JSON.stringify(canonical(source))).sort() : [];
  return hash('sha256', JSON.stringify([canonical(rest), rows]), 'hex').slice(0, 32);
}

/** With the fields of each object in the order of their names, without zero values; undefined for a zero value. */
function canonical(value: unknown): unknown {
  if (Array.isArray(value)) return value.length === 0 ? undefined : value.map((item) => canonical(item) ?? null);
  if (typeof value !== 'object' || value === null) return value || undefined;
  const fields = Object.entries(value)
    .filter(([name]) => !VOLATILE.has(name))
    .map(([name, each]) => [name, canonical(each)] as const)
    .filter(([, each]) => each !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return fields.length === 0 ? undefined : fields;
}
