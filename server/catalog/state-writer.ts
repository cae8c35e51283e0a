import type { Clock } from '../../core/clock.ts';
import { AppError } from '../../core/errors.ts';
import type { Metrics } from '../../core/metrics.ts';
import type { Compare, Revision, Store } from '../../store/store.ts';
import type { Leadership } from '../leadership/leadership.ts';
import { type Hold, KeyedLocks, type LockMode } from './keyed-locks.ts';
import { GENERATION_KEY } from './keys.ts';
import { loadedAnew } from './loaded-anew.ts';
import { overRefused } from './over-refused.ts';
import type { Plan, PlanSize } from './plan.ts';
import type { RevisionGate } from './revision-gate.ts';
import type { CatalogState } from './state.ts';

export interface StateWriterDeps {
  readonly store: Pick<Store, 'commit' | 'traits'>;
  readonly state: CatalogState;
  readonly gate: RevisionGate;
  readonly leadership: Pick<Leadership, 'fence' | 'confirmed' | 'deposed'>;
  readonly clock: Clock;
  readonly metrics: Metrics;
}

export interface StateWriterOptions {
  /** Writes under way or waiting for their turn; further ones are refused with `queueFull`. */
  readonly maxPending: number;
}

/**
 * Plans of one write: another when its locks had to grow, or when a compare failed, which only another process can cause.
 * More than this means a quarrel.
 */
const MAX_ATTEMPTS = 16;
/** How long the state may take to show a commit, or the catalog that a restore has put in place of its own. */
const APPLY_DEADLINE_MS = 10_000;

/**
 * The revision that has what was planned; undefined: a compare failed and the state has moved on; or the catalog of this
 * revision, for which it was planned, was replaced.
 */
type Outcome = Revision | undefined | { readonly replaced: Revision };

/**
 * Commits plans: made from the state, with compares on everything they rely on, acknowledged when the own state shows
 * the commit. Writers of one entry go in turn; others go side by side and share the store's batches.
 */
export class StateWriter {
  readonly #deps: StateWriterDeps;
  readonly #options: StateWriterOptions;
  readonly #locks = new KeyedLocks();
  readonly #count: Readonly<Record<'committed' | 'unchanged' | 'conflict', () => void>>;
  #pending = 0;
  /** While the catalog that a restore has put in place of the one of a revision is being loaded: for all writers one wait. */
  #reload: { readonly replaced: Revision; readonly loaded: Promise<boolean> } | undefined;

  constructor(deps: StateWriterDeps, options: StateWriterOptions) {
    this.#deps = deps;
    this.#options = options;
    const commits = deps.metrics.counter({
      name: 'lictor_catalog_writes_total',
      help: 'Catalog writes by outcome: committed, unchanged, conflict (planned again)',
      labels: ['outcome'],
    });
    this.#count = {
      committed: commits.bound({ outcome: 'committed' }),
      unchanged: commits.bound({ outcome: 'unchanged' }),
      conflict: commits.bound({ outcome: 'conflict' }),
    };
    deps.metrics.observedGauge(
      { name: 'lictor_catalog_pending_writes', help: 'Catalog writes under way or waiting for their turn' },
      () => this.#pending,
    );
  }

  /** Operations of one plan at most. */
  get maxOps(): number {
    return this.#deps.store.traits.maxTxnOps;
  }

  /** What one plan may have, beside the writer's own compares: those of the fence, and the catalog's generation. @throws AppError `noLeader`. */
  get maxSize(): PlanSize {
    const { store, leadership } = this.#deps;
    return { ops: this.maxOps, compares: store.traits.maxTxnCompares - leadership.fence().length - 1 };
  }

  /** Bytes of one plan's keys and values at most. */
  get maxBytes(): number {
    return this.#deps.store.traits.maxTxnBytes;
  }

  /**
   * Makes the plan, perhaps several times, and commits it; resolves with the revision of the outcome when the state shows it.
   * What `plan` decides besides (an answer to give) it keeps for its caller; the last time counts.
   * @throws AppError what `plan` throws, `storeCorrupt` where it relies on an entry that cannot be read, `notSynced`, `noLeader`, `queueFull`, `conflict`, `deadline`, what the store throws.
   */
  async write(plan: () => Plan): Promise<Revision> {
    this.#deps.state.assertLoaded();
    if (this.#pending >= this.#options.maxPending) {
      throw new AppError('queueFull', `too many catalog writes at once (${this.#options.maxPending}); try again later`);
    }
    this.#pending++;
    try {
      for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
        const revision = await this.#attempt(plan);
        if (revision !== undefined) return revision;
      }
    } finally {
      this.#pending--;
    }
    throw new AppError(
      'conflict',
      `the same catalog entries are written elsewhere; gave up after ${MAX_ATTEMPTS} tries`,
    );
  }

  /** The revision that has what was planned; undefined: it has to be planned again. */
  async #attempt(makePlan: () => Plan): Promise<Revision | undefined> {
    let plan = makePlan();
    const held = plan.locks;
    let outcome: Outcome;
    const waiting = this.#locks.acquire(held);
    try {
      if (waiting !== undefined) {
        await waiting;
        plan = makePlan();
        // What it needs has grown meanwhile: begin again with all of it.
        if (!covers(held, plan.locks)) return undefined;
      }
      outcome = await this.#commit(plan);
    } finally {
      this.#locks.release(held);
    }
    if (typeof outcome !== 'object') return outcome;
    // Loading takes a while, in which others must not wait for this one's locks.
    await this.#loadedAfter(outcome.replaced);
    return undefined;
  }

  async #commit(plan: Plan): Promise<Outcome> {
    const { compares, ops } = overRefused(plan, this.#deps.state.refused);
    if (ops.length === 0) {
      this.#count.unchanged();
      return this.#deps.state.revision;
    }
    const { store, gate, clock, leadership } = this.#deps;
    const fence = leadership.fence();
    const begun = clock.monotonic();
    // Not into a catalog that a restore has replaced meanwhile: nobody would see it.
    const { generationRevision, revision: asOf } = this.#deps.state;
    const catalog: Compare = { kind: 'key', key: GENERATION_KEY, modRevision: generationRevision };
    // What the fence compares is followed elsewhere.
    const known = plan.asStored && fence.length === 0 ? { asOf } : {};
    const result = await store.commit({ compares: [...fence, catalog, ...compares], ops, ...known });
    if (result.ok) {
      leadership.confirmed(begun);
      if (!(await gate.reached(result.revision, { clock, withinMs: APPLY_DEADLINE_MS }))) {
        throw new AppError(
          'deadline',
          'the write is stored, but this server does not show it yet; read before retrying',
        );
      }
      this.#count.committed();
      return result.revision;
    }
    if (result.failedCompare < fence.length) {
      leadership.deposed();
      throw new AppError('noLeader', 'No cluster leader');
    }
    this.#count.conflict();
    if (result.failedCompare === fence.length) return { replaced: generationRevision };
    // The store's revision may stand for something outside the catalog, which the state never shows: wait a little.
    await gate.reached(result.revision, { clock, withinMs: 100 });
    return undefined;
  }

  /**
   * Resolves when the state shows another catalog than that of this revision: a large one takes seconds to be loaded, in
   * which no plan can succeed. @throws AppError `deadline`, at once where it was waited for already.
   */
  async #loadedAfter(replaced: Revision): Promise<void> {
    const { state, clock } = this.#deps;
    if (state.generationRevision !== replaced) return;
    if (this.#reload?.replaced !== replaced) {
      const isLoaded = () => state.generationRevision !== replaced;
      this.#reload = { replaced, loaded: loadedAnew(state, isLoaded, { clock, withinMs: APPLY_DEADLINE_MS }) };
    }
    if (await this.#reload.loaded) return;
    throw new AppError(
      'deadline',
      'the catalog was restored, but this server does not show it yet; nothing was written, retry',
    );
  }
}

/** Whether all of `needed` is held. */
function covers(held: readonly Hold[], needed: readonly Hold[]): boolean {
  const modes = new Map<number, LockMode>();
  for (const { slot, mode } of held) if (modes.get(slot) !== 'exclusive') modes.set(slot, mode);
  return needed.every(({ slot, mode }) => {
    const has = modes.get(slot);
    return has === 'exclusive' || has === mode;
  });
}
