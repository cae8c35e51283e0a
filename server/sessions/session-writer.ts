import type { SessionContent } from '../../api/shapes/session.ts';
import type { Clock } from '../../core/clock.ts';
import type { Random } from '../../core/random.ts';
import { type Plan, PlanBuilder } from '../catalog/plan.ts';
import type { CatalogState } from '../catalog/state.ts';
import type { StateWriter } from '../catalog/state-writer.ts';
import { encodeKv, type KvEntry } from '../kv/kv-record.ts';
import type { KvTable } from '../kv/kv-table.ts';
import type { LockDelays } from './lock-delays.ts';
import { bindingProblem, boundChecks, contentProblem, lockDelayMs } from './session-rules.ts';
import type { SessionEntry, SessionRecord, SessionTable } from './session-table.ts';

/** Adds to a plan the end of whatever else is bound to a session. */
export type PlanBoundEnd = (plan: PlanBuilder, session: string) => void;

export interface SessionWriterDeps {
  readonly state: CatalogState;
  readonly writer: Pick<StateWriter, 'write' | 'maxOps' | 'maxBytes'>;
  readonly table: SessionTable;
  readonly delays: LockDelays;
  readonly keys: Pick<KvTable, 'segment' | 'get' | 'heldBy'>;
  readonly planBoundEnd: PlanBoundEnd;
  readonly clock: Clock;
  readonly random: Pick<Random, 'uuid'>;
}

export interface SessionWriterOptions {
  /** Consul's session_ttl_min. */
  readonly ttlMinMs: number;
}

/** What of a transaction is left for the keys' own bytes: their names and revisions need some. */
const BYTES_FOR_VALUES = 0.75;

/** Creates and ends sessions. */
export class SessionWriter {
  readonly #deps: SessionWriterDeps;
  readonly #options: SessionWriterOptions;

  constructor(deps: SessionWriterDeps, options: SessionWriterOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /** Gives the id, or Consul's text for why there cannot be such a session. */
  async create(namespace: string, content: SessionContent): Promise<{ id: string } | { refused: string }> {
    const problem = contentProblem(content, this.#options);
    if (problem) return { refused: problem };
    const id = this.#deps.random.uuid();
    let refused: string | undefined;
    await this.#deps.writer.write(() => {
      const { plan, problem: found } = this.#planCreation({ id, namespace, content });
      refused = found;
      return plan;
    });
    return refused === undefined ? { id } : { refused: `apply failed: ${refused}` };
  }

  /**
   * Ends a session whole: it goes, and what it holds is released or deleted, in one transaction. When that is more than
   * a transaction takes it is marked dead first, which frees all of it at once, and the rest follows piece by piece.
   */
  async end(id: string): Promise<void> {
    for (let more = true; more; ) {
      await this.#deps.writer.write(() => {
        const planned = this.#planEnd(id);
        ({ more } = planned);
        return planned.plan;
      });
    }
  }

  /** Adds a session's end to a transaction; false when it holds too much for one. */
  planWholeEnd(plan: PlanBuilder, entry: SessionEntry, taken: number): boolean {
    const held = this.#held(entry);
    const batch = this.#batch(entry, held, taken + plan.size + 1);
    if (batch.length < held.length) return false;
    this.#planRelease(plan, entry, batch);
    this.#deps.planBoundEnd(plan, entry.shape.ID);
    plan.delete(this.#key(entry.shape.ID), entry.stored);
    return true;
  }

  /** Removes the records of delays that are over, up to one transaction's worth. Gives how many. */
  async removeOldDelays(): Promise<number> {
    const { writer, delays, state } = this.#deps;
    let count = 0;
    await writer.write(() => {
      const plan = new PlanBuilder();
      const over = delays.over(writer.maxOps);
      for (const rest of over) plan.delete(state.keys.table(delays.segment, rest), delays.stored(rest));
      count = over.length;
      return plan.build();
    });
    return count;
  }

  #planCreation(record: SessionRecord): { plan: Plan; problem: string | undefined } {
    const { state } = this.#deps;
    const { namespace, content } = record;
    const plan = new PlanBuilder();
    const node = state.node(content.Node);
    plan.rely(state.keys.node(content.Node), node?.stored);
    const problem = bindingProblem(content, node, namespace);
    if (problem || !node) return { plan: plan.build(), problem };
    for (const { check } of boundChecks(content, node, namespace)) {
      const { checkId, namespace: inNamespace } = check!.definition!.record;
      plan.rely(state.keys.checkDefinition(node.key, inNamespace, checkId), check!.definition);
      plan.rely(state.keys.checkState(node.key, inNamespace, checkId), check!.state);
    }
    plan.put(this.#key(record.id), undefined, record);
    return { plan: plan.build(), problem };
  }

  #planEnd(id: string): { plan: Plan; more: boolean } {
    const plan = new PlanBuilder();
    const entry = this.#deps.table.stored(id);
    if (!entry) return { plan: plan.build(), more: false };
    if (this.planWholeEnd(plan, entry, 0)) return { plan: plan.build(), more: false };
    const part = new PlanBuilder();
    if (entry.stored.record.deadSinceMs === undefined) {
      const deadSinceMs = this.#deps.table.endingSince(id) ?? this.#deps.clock.now();
      part.put(this.#key(id), entry.stored, { ...entry.stored.record, deadSinceMs });
    } else {
      part.own(this.#key(id), entry.stored);
      this.#planRelease(part, entry, this.#batch(entry, this.#held(entry), 1));
    }
    return { plan: part.build(), more: true };
  }

  #held({ shape }: SessionEntry): KvEntry[] {
    const { keys } = this.#deps;
    return [...keys.heldBy(shape.ID)].map((rest) => keys.get(rest)!);
  }

  /** As many of the keys as fit beside `taken` operations. */
  #batch(entry: SessionEntry, held: readonly KvEntry[], taken: number): KvEntry[] {
    const { maxOps, maxBytes } = this.#deps.writer;
    const perKey = lockDelayMs(entry.shape) > 0 ? 2 : 1;
    let bytes = maxBytes * BYTES_FOR_VALUES;
    const batch: KvEntry[] = [];
    for (const key of held) {
      // Its name shows up to four times: put and compared, and that for its delay.
      bytes -= key.rest.length * 12 + (entry.shape.Behavior === 'delete' ? 0 : key.value.byteLength);
      if (taken + (batch.length + 1) * perKey > maxOps || bytes < 0) break;
      batch.push(key);
    }
    return batch;
  }

  #planRelease(plan: PlanBuilder, { shape, stored }: SessionEntry, batch: readonly KvEntry[]): void {
    const { state, keys, delays, table, clock } = this.#deps;
    const delayMs = lockDelayMs(shape);
    const endedMs = stored.record.deadSinceMs ?? table.endingSince(shape.ID) ?? clock.now();
    for (const key of batch) {
      const place = state.keys.table(keys.segment, key.rest);
      if (shape.Behavior === 'delete') plan.delete(place, key);
      else plan.putBytes(place, key, encodeKv({ ...key, session: '' }));
      if (delayMs === 0) continue;
      const record = { untilMs: endedMs + delayMs, delayMs };
      plan.put(state.keys.table(delays.segment, key.rest), delays.stored(key.rest), record);
    }
  }

  #key(id: string): string {
    return this.#deps.state.keys.table(this.#deps.table.segment, id);
  }
}
