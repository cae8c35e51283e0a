import { namespaceRoutes } from '../../api/routes/namespace-routes.ts';
import type { PartDeps, ServerPart } from '../parts.ts';
import { NamespaceTable } from './namespace-table.ts';
import { Namespaces } from './namespaces.ts';

/** Namespaces: those that somebody has described, and those in use. */
export function namespacesPart({ reads, state, writer }: PartDeps): ServerPart {
  const table = new NamespaceTable();
  return { tables: [table], routes: namespaceRoutes(reads, new Namespaces({ state, writer, table })) };
}
