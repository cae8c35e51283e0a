import type { BoundEnds } from '../catalog/bound-ends.ts';
import type { Loss, PlanBuilder } from '../catalog/plan.ts';
import type { CatalogState } from '../catalog/state.ts';
import { boundChecks } from './session-rules.ts';
import type { SessionEntry, SessionTable } from './session-table.ts';
import type { SessionWriter } from './session-writer.ts';

export interface BoundSessionsDeps {
  readonly state: Pick<CatalogState, 'node'>;
  readonly table: Pick<SessionTable, 'onNode' | 'onCheck'>;
  readonly writer: Pick<SessionWriter, 'planEnd' | 'hasRoom'>;
}

/** Ends sessions in the transaction that takes away what they are bound to. */
export class BoundSessions implements BoundEnds {
  readonly #deps: BoundSessionsDeps;

  constructor(deps: BoundSessionsDeps) {
    this.#deps = deps;
  }

  planEnds(plan: PlanBuilder, losses: readonly Loss[], options: { readonly marks: boolean }): boolean {
    const { writer } = this.#deps;
    for (const loss of losses) {
      for (const entry of this.#boundTo(loss)) {
        if (entry.stored.record.deadSinceMs !== undefined) continue;
        if (!writer.hasRoom(plan)) return false;
        writer.planEnd(plan, entry, options);
      }
    }
    return true;
  }

  *#boundTo({ node, check }: Loss): Iterable<SessionEntry> {
    const { table, state } = this.#deps;
    if (check === undefined) {
      yield* table.onNode(node);
      return;
    }
    const found = state.node(node);
    if (!found) return;
    for (const entry of table.onCheck(node, check)) {
      const { content, namespace } = entry.stored.record;
      if (boundChecks(content, found, namespace).some((bound) => bound.check?.key === check)) yield entry;
    }
  }
}
