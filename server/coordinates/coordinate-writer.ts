import type { CoordinateEntry } from '../../api/shapes/coordinate.ts';
import type { Clock, Timer } from '../../core/clock.ts';
import { AppError } from '../../core/errors.ts';
import { type Plan, PlanBuilder } from '../catalog/plan.ts';
import type { CatalogState } from '../catalog/state.ts';
import type { StateWriter } from '../catalog/state-writer.ts';
import { type CoordinateTable, coordinateRest } from './coordinate-table.ts';

export interface CoordinateWriterDeps {
  readonly state: CatalogState;
  readonly writer: Pick<StateWriter, 'write' | 'maxOps'>;
  readonly table: CoordinateTable;
  readonly clock: Clock;
}

export interface CoordinateWriterOptions {
  /** The least time between two transactions. */
  readonly intervalMs: number;
  /** Coordinates of one transaction. */
  readonly maxBatch: number;
  /** Nodes whose coordinates wait; more are refused. */
  readonly maxWaiting: number;
}

interface Waiting {
  entry: CoordinateEntry;
  readonly settle: { resolve(): void; reject(error: unknown): void }[];
}

/**
 * Writes coordinates in batches at a bounded rate: every node sends its own again and again, and none of them is worth a
 * transaction. A later coordinate of a node replaces one that still waits.
 */
export class CoordinateWriter {
  readonly #deps: CoordinateWriterDeps;
  readonly #options: CoordinateWriterOptions;
  readonly #waiting = new Map<string, Waiting>();
  #timer: Timer | undefined;
  #nextAt = Number.NEGATIVE_INFINITY;
  #writing = false;

  constructor(deps: CoordinateWriterDeps, options: CoordinateWriterOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /** Resolves when it is stored. @throws AppError `queueFull`, `notSynced`, what the store throws. */
  update(entry: CoordinateEntry): Promise<void> {
    this.#deps.state.assertLoaded();
    const key = coordinateRest(entry.Node, entry.Segment);
    let waiting = this.#waiting.get(key);
    if (!waiting && this.#waiting.size >= this.#options.maxWaiting) {
      throw new AppError(
        'queueFull',
        `too many coordinates at once (${this.#options.maxWaiting}); send them less often`,
      );
    }
    waiting ??= { entry, settle: [] };
    waiting.entry = entry;
    this.#waiting.set(key, waiting);
    const { settle } = waiting;
    const done = new Promise<void>((resolve, reject) => settle.push({ resolve, reject }));
    this.#schedule();
    return done;
  }

  #schedule(): void {
    if (this.#writing || this.#timer || this.#waiting.size === 0) return;
    const wait = this.#nextAt - this.#deps.clock.monotonic();
    if (wait <= 0) {
      // What comes in the same turn still joins.
      this.#writing = true;
      queueMicrotask(() => void this.#flush());
      return;
    }
    this.#timer = this.#deps.clock.after(wait, () => {
      this.#timer = undefined;
      void this.#flush();
    });
  }

  async #flush(): Promise<void> {
    const { writer, clock } = this.#deps;
    // Each is one operation that relies on two entries, its node and itself: half of the operations is far within both limits.
    const most = Math.max(1, Math.min(this.#options.maxBatch, Math.floor(writer.maxOps / 2)));
    const batch = [...this.#waiting].slice(0, most);
    for (const [key] of batch) this.#waiting.delete(key);
    this.#writing = true;
    this.#nextAt = clock.monotonic() + this.#options.intervalMs;
    try {
      await writer.write(() => this.#plan(batch.map(([, { entry }]) => entry)));
      for (const [, { settle }] of batch) for (const one of settle) one.resolve();
    } catch (error) {
      for (const [, { settle }] of batch) for (const one of settle) one.reject(error);
    } finally {
      this.#writing = false;
      this.#schedule();
    }
  }

  #plan(entries: readonly CoordinateEntry[]): Plan {
    const { state, table } = this.#deps;
    const plan = new PlanBuilder();
    for (const entry of entries) {
      const node = state.node(entry.Node);
      // Nothing is kept of a node that is not in the catalog: it may just have left.
      if (!node) continue;
      plan.rely(state.keys.node(node.key), node.stored);
      const key = state.keys.table(table.segment, coordinateRest(entry.Node, entry.Segment));
      const record = { node: node.name, segment: entry.Segment, coordinate: entry.Coord };
      plan.putChanged(key, table.stored(entry.Node, entry.Segment), record);
    }
    return plan.build();
  }
}
