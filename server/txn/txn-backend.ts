import type { TxnBackend, TxnOutcome } from '../../api/routes/txn-routes.ts';
import type { TxnError, TxnOp } from '../../api/shapes/txn.ts';
import type { Clock } from '../../core/clock.ts';
import { type BoundEnds, writeWithEnds } from '../catalog/bound-ends.ts';
import { PlanBuilder } from '../catalog/plan.ts';
import type { CatalogState } from '../catalog/state.ts';
import type { StateWriter } from '../catalog/state-writer.ts';
import type { SessionTable } from '../sessions/session-table.ts';
import type { SessionWriter } from '../sessions/session-writer.ts';
import { CatalogOperations, catalogProblem } from './catalog-ops.ts';
import { Draft } from './draft.ts';
import { endingBefore, type KvOpDeps, KvOperation, kvProblem } from './kv-ops.ts';
import { type TxnContext, TxnRefusal } from './txn-context.ts';

export interface TxnBackendDeps extends KvOpDeps {
  readonly clock: Clock;
  readonly state: CatalogState;
  readonly writer: Pick<StateWriter, 'write' | 'maxSize' | 'maxBytes'>;
  readonly sessionTable: SessionTable;
  readonly sessionWriter: Pick<SessionWriter, 'planEnd'>;
  readonly boundEnds: BoundEnds;
}

type Ops = readonly (TxnOp | undefined)[];

/** A transaction that was tried out on a draft. */
interface Trial {
  readonly results: ((index: number) => Record<string, unknown>)[];
  readonly errors: TxnError[];
  readonly plan: PlanBuilder;
}

/** Transactions over keys, catalog and sessions: all or nothing, each operation sees what those before it did. */
export class StateTxnBackend implements TxnBackend {
  readonly #deps: TxnBackendDeps;
  readonly #datacenter: string;

  constructor(deps: TxnBackendDeps, options: { datacenter: string }) {
    this.#deps = deps;
    this.#datacenter = options.datacenter;
  }

  read(namespace: string, ops: Ops): TxnOutcome {
    this.#deps.state.assertLoaded();
    return problems(ops) ?? outcome(this.#try(namespace, ops), this.#deps.state.applied);
  }

  async write(namespace: string, ops: Ops): Promise<TxnOutcome> {
    const wrong = problems(ops);
    if (wrong) return wrong;
    await this.#endings(namespace, ops);
    let trial: Trial | undefined;
    const { writer, boundEnds } = this.#deps;
    const revision = await writeWithEnds(writer, boundEnds, () => {
      trial = this.#try(namespace, ops);
      return trial.errors.length > 0 ? new PlanBuilder() : trial.plan;
    });
    // A session's end may have become certain only meanwhile: whoever is told of it is told so for good.
    if (trial!.errors.length > 0) await this.#endings(namespace, ops);
    return outcome(trial!, this.#deps.state.base + revision);
  }

  async #endings(namespace: string, ops: Ops): Promise<void> {
    for (const op of ops) if (op?.kind === 'KV') await endingBefore(this.#deps, namespace, op);
  }

  #try(namespace: string, ops: Ops): Trial {
    const trial: Trial = { results: [], errors: [], plan: new PlanBuilder() };
    const draft = new Draft();
    const context: TxnContext = {
      state: this.#deps.state,
      draft,
      namespace,
      datacenter: this.#datacenter,
      nowMs: this.#deps.clock.now(),
      loses: (loss) => trial.plan.loses(loss),
      result: (make) => trial.results.push(make),
    };
    const ended = new Set<string>();
    ops.forEach((op, at) => {
      try {
        if (op?.kind === 'Session') ended.add(op.id);
        else if (op) this.#run(context, op);
      } catch (error) {
        if (!(error instanceof TxnRefusal)) throw error;
        trial.errors.push({ OpIndex: at, What: error.message });
      }
    });
    if (trial.errors.length === 0) {
      draft.compile(trial.plan);
      this.#endSessions(trial.plan, ended);
    }
    return trial;
  }

  #run(context: TxnContext, op: Exclude<TxnOp, { kind: 'Session' }>): void {
    const catalog = new CatalogOperations(context);
    if (op.kind === 'KV') new KvOperation(this.#deps, context, op).run();
    else if (op.kind === 'Node') catalog.node(op);
    else if (op.kind === 'Service') catalog.service(op);
    else catalog.check(op);
  }

  /** Sessions end after everything else, with what they held before the transaction. */
  #endSessions(plan: PlanBuilder, ended: ReadonlySet<string>): void {
    for (const id of ended) {
      const entry = this.#deps.sessionTable.stored(id);
      if (entry) this.#deps.sessionWriter.planEnd(plan, entry);
    }
  }
}

/** What can be said without a look at the state. */
function problems(ops: Ops): TxnOutcome | undefined {
  const errors: TxnError[] = [];
  ops.forEach((op, OpIndex) => {
    const What = op && problem(op);
    if (What !== undefined) errors.push({ OpIndex, What });
  });
  return errors.length === 0 ? undefined : { results: null, errors, index: 0, unread: true };
}

function problem(op: TxnOp): string | undefined {
  if (op.kind === 'KV') return kvProblem(op);
  if (op.kind !== 'Session') return catalogProblem(op);
  return op.verb === 'delete' ? undefined : `unknown Session operation: ${op.verb}`;
}

function outcome({ results, errors }: Trial, index: number): TxnOutcome {
  if (errors.length > 0) return { results: null, errors, index, unread: false };
  return { results: results.map((make) => make(index)), errors: null, index, unread: false };
}
