import type { SessionContent } from '../../api/shapes/session.ts';
import type { Clock } from '../../core/clock.ts';
import type { Random } from '../../core/random.ts';
import { type Plan, PlanBuilder, type PlanSize } from '../catalog/plan.ts';
import type { CatalogState } from '../catalog/state.ts';
import type { StateWriter } from '../catalog/state-writer.ts';
import { encodeKv, type KvEntry } from '../kv/kv-record.ts';
import type { KvTable } from '../kv/kv-table.ts';
import type { LockDelays } from './lock-delays.ts';
import { bindingProblem, boundChecks, contentProblem, lockDelayMs } from './session-rules.ts';
import type { SessionEntry, SessionRecord, SessionTable } from './session-table.ts';

/** Adds to a plan of at most this size the end of whatever else is bound to a session; whether all of it fits. */
export type PlanBoundEnd = (plan: PlanBuilder, session: string, max: PlanSize) => boolean;

export interface SessionWriterDeps {
  readonly state: CatalogState;
  readonly writer: Pick<StateWriter, 'write' | 'maxOps' | 'maxSize' | 'maxBytes'>;
  readonly table: SessionTable;
  readonly delays: LockDelays;
  readonly keys: Pick<KvTable, 'segment' | 'get' | 'stored' | 'isOwed' | 'heldBy'>;
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
   * Ends a session whole, in one transaction: it goes, and what it holds is released or deleted. When that is more than a
   * transaction takes, the session is marked as dead: all servers let go of all its keys with that. `cleanUp` is left then.
   */
  async end(id: string): Promise<void> {
    const { writer, table } = this.#deps;
    await writer.write(() => {
      const plan = new PlanBuilder();
      const entry = table.stored(id);
      if (entry) this.planEnd(plan, entry);
      return plan.build();
    });
  }

  /** Whether a session's end can be added to a transaction, at least as a mark. */
  hasRoom(plan: PlanBuilder): boolean {
    const { maxSize, maxBytes } = this.#deps.writer;
    return plan.room(maxSize) > 0 && plan.bytes < maxBytes * BYTES_FOR_VALUES;
  }

  /**
   * Adds a session's end to a transaction. It is a mark, too, where the same transaction locks a key with the session or
   * writes a key that it holds, and with `marks`: then it relies on nothing but the session.
   */
  planEnd(plan: PlanBuilder, entry: SessionEntry, { marks = false }: { readonly marks?: boolean } = {}): void {
    const { table, clock, writer, planBoundEnd } = this.#deps;
    const { shape, stored } = entry;
    if (stored.record.deadSinceMs !== undefined) return;
    const place = this.#key(shape.ID);
    if (plan.owns(place)) return;
    const marked = marks || plan.relies(place);
    plan.own(place, stored);
    const held = marked ? [] : this.#held(shape.ID);
    const unbound = !marked && planBoundEnd(plan, shape.ID, besideSession(writer.maxSize));
    const batch = this.#batch(entry, held, plan);
    const whole = unbound && batch.length === held.length && !held.some(({ rest }) => plan.owns(this.#keyOf(rest)));
    if (whole) {
      this.#planRelease(plan, entry, batch);
      plan.delete(place, stored);
    } else plan.put(place, stored, { ...stored.record, deadSinceMs: table.endingSince(shape.ID) ?? clock.now() });
  }

  /** What the store still has of a session that is marked as dead goes piece by piece; nobody sees that. */
  async cleanUp(id: string): Promise<void> {
    for (let more = true; more; ) {
      await this.#deps.writer.write(() => {
        const plan = new PlanBuilder();
        more = this.#planPiece(plan, id);
        return plan.build();
      });
    }
  }

  /** Does that for one key at once. */
  async letGo(rest: string): Promise<void> {
    const { writer, keys, table } = this.#deps;
    await writer.write(() => {
      const plan = new PlanBuilder();
      const owed = keys.isOwed(rest) ? keys.stored(rest) : undefined;
      const entry = owed && table.stored(owed.session);
      if (entry) this.#planRelease(plan, entry, [owed]);
      return plan.build();
    });
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
      plan.rely(state.keys.checkState(node.key, inNamespace, checkId), check!.ownState);
    }
    plan.put(this.#key(record.id), undefined, record);
    return { plan: plan.build(), problem };
  }

  /** Whether more is left. */
  #planPiece(plan: PlanBuilder, id: string): boolean {
    const { table, writer, planBoundEnd } = this.#deps;
    const entry = table.stored(id);
    if (entry?.stored.record.deadSinceMs === undefined) return false;
    plan.own(this.#key(id), entry.stored);
    const unbound = planBoundEnd(plan, id, besideSession(writer.maxSize));
    const held = this.#held(id);
    const batch = this.#batch(entry, held, plan);
    this.#planRelease(plan, entry, batch);
    if (!unbound || batch.length < held.length) return true;
    plan.delete(this.#key(id), entry.stored);
    return false;
  }

  /** As the store has them. */
  #held(id: string): KvEntry[] {
    const { keys } = this.#deps;
    return [...keys.heldBy(id)].map((rest) => keys.stored(rest)!);
  }

  /** As many of the keys as fit into the plan beside what it has, the session's own compare too, and what is done to it. */
  #batch(entry: SessionEntry, held: readonly KvEntry[], plan: PlanBuilder): KvEntry[] {
    const { maxSize, maxBytes } = this.#deps.writer;
    // Each is written and compared, and so is its delay.
    const perKey = lockDelayMs(entry.shape) > 0 ? 2 : 1;
    const room = plan.room(besideSession(maxSize));
    let bytes = maxBytes * BYTES_FOR_VALUES - plan.bytes;
    const batch: KvEntry[] = [];
    for (const key of held) {
      // Its name shows up to four times: put and compared, and that for its delay.
      bytes -= key.rest.length * 12 + (entry.shape.Behavior === 'delete' ? 0 : key.value.byteLength);
      if ((batch.length + 1) * perKey > room || bytes < 0) break;
      batch.push(key);
    }
    return batch;
  }

  #planRelease(plan: PlanBuilder, { shape, stored }: SessionEntry, batch: readonly KvEntry[]): void {
    const { state, keys, delays, table, clock } = this.#deps;
    const delayMs = lockDelayMs(shape);
    const endedMs = stored.record.deadSinceMs ?? table.endingSince(shape.ID) ?? clock.now();
    for (const key of batch) {
      const place = this.#keyOf(key.rest);
      const shown = keys.isOwed(key.rest) ? keys.get(key.rest) : undefined;
      if (shape.Behavior === 'delete') plan.delete(place, key);
      else if (!shown) plan.putBytes(place, key, encodeKv({ ...key, session: '' }));
      else plan.putCarrying(place, key, encodeKv(shown), { create: shown.createIndex, modify: shown.modifyIndex });
      if (delayMs === 0) continue;
      const record = { untilMs: endedMs + delayMs, delayMs };
      plan.put(state.keys.table(delays.segment, key.rest), delays.stored(key.rest), record);
    }
  }

  #keyOf(rest: string): string {
    return this.#deps.state.keys.table(this.#deps.keys.segment, rest);
  }

  #key(id: string): string {
    return this.#deps.state.keys.table(this.#deps.table.segment, id);
  }
}

/** What is left for others where the plan relies on the session and is still to write it. */
function besideSession({ ops, compares }: PlanSize): PlanSize {
  return { ops: ops - 1, compares };
}
