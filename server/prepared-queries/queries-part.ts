import { queryRoutes } from '../../api/routes/query-routes.ts';
import type { PartDeps, ServerPart } from '../parts.ts';
import { StateQueryBackend } from './query-backend.ts';
import { QueryTable } from './query-table.ts';
import { type QuerySessions, QueryWriter } from './query-writer.ts';

/** Prepared queries, and what others of this process need of them. */
export interface QueriesPart extends ServerPart {
  readonly backend: StateQueryBackend;
  readonly writer: QueryWriter;
}

export function queriesPart(deps: PartDeps, sessions: QuerySessions): QueriesPart {
  const table = new QueryTable();
  const writer = new QueryWriter({ ...deps, table, sessions });
  const { lookups } = deps;
  const backend = new StateQueryBackend(
    {
      ...deps,
      table,
      writer,
      distances: deps.reads.distances,
      connect: (namespace, service) => lookups.connect(namespace, service),
      nodeAt: (address) => lookups.nodeAt(address)?.name,
    },
    deps,
  );
  return { tables: [table], routes: queryRoutes(deps.reads, backend, deps), backend, writer };
}
