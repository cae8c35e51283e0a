import type { Clock } from '../../core/clock.ts';
import { AppError } from '../../core/errors.ts';
import { aborted, type RunContext, type Runnable } from '../../core/lifecycle.ts';
import type { Logger } from '../../core/log.ts';
import type { Metrics } from '../../core/metrics.ts';
import { Trouble } from '../../core/trouble.ts';
import type { Store } from '../../store/store.ts';
import { CATALOG_RANGE } from './keys.ts';
import type { RevisionGate } from './revision-gate.ts';
import type { CatalogState } from './state.ts';

export interface FollowerDeps {
  readonly store: Pick<Store, 'view' | 'watch'>;
  readonly state: CatalogState;
  readonly gate: RevisionGate;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
}

const RETRY_MS = 1000;
const REFUSED = 'a stored entry cannot be read and is not served: write it anew, delete it, or restore a snapshot';
/** Entries that cannot be read are named up to so many at a time. */
const MAX_SAID = 100;
/** What keeps the store from being read for a while. */
const PASSING: ReadonlySet<string> = new Set(['compacted', 'deadline', 'queueFull', 'storeMismatch', 'unavailable']);

/**
 * Loads the catalog and keeps the state at the newest revision of the store. When the store's history has a gap (it was
 * compacted, or restored from a snapshot) everything is loaded anew; until that succeeds, and for good when the store has
 * failed, what is known is shown. Ready when the state is loaded.
 */
export class CatalogFollower implements Runnable {
  readonly name = 'catalog';
  readonly #deps: FollowerDeps;
  readonly #trouble: Trouble;

  constructor(deps: FollowerDeps) {
    this.#deps = deps;
    this.#trouble = new Trouble(deps);
    deps.metrics.observedGauge(
      { name: 'lictor_catalog_index', help: 'Catalog index that this server shows' },
      () => deps.state.applied,
    );
    deps.metrics.observedGauge(
      { name: 'lictor_catalog_watchers', help: 'Blocking queries and followers that wait for a change' },
      () => deps.state.topics.watchers,
    );
    deps.metrics.observedGauge(
      { name: 'lictor_catalog_refused_entries', help: 'Stored entries that cannot be read and are not served' },
      () => deps.state.refused.size,
    );
  }

  async run(ctx: RunContext): Promise<void> {
    try {
      await this.#load();
      ctx.ready();
      await this.#followOn(ctx);
    } finally {
      this.#deps.gate.close();
    }
  }

  async #followOn(ctx: RunContext): Promise<void> {
    let missing = false;
    while (!ctx.signal.aborted) {
      try {
        if (missing) await this.#load();
        this.#trouble.over('the catalog is followed again');
        missing = true;
        // It ends by itself when the store is being closed, or another generation became the catalog.
        await this.#follow(ctx.signal);
      } catch (error) {
        if (ctx.signal.aborted) return;
        if (await this.#isOver(error)) {
          // There is nothing to follow until we are told to stop too.
          await aborted(ctx.signal);
          return;
        }
        if (!(error instanceof AppError && PASSING.has(error.code))) throw error;
        if (error.code === 'compacted') {
          this.#deps.log.warn('the catalog is loaded anew: history is missing', { text: error.message });
        } else {
          this.#trouble.say('the catalog cannot be loaded anew yet', error);
          await this.#deps.clock.sleep(RETRY_MS, ctx.signal);
        }
      }
    }
  }

  /** Whether the store went first, or has failed for good: then it takes no writes either, and only stale reads go on. */
  async #isOver(error: unknown): Promise<boolean> {
    if (!(error instanceof AppError)) return false;
    if (error.code === 'shuttingDown') return true;
    if (error.code !== 'storeCorrupt') return false;
    try {
      (await this.#deps.store.view()).release();
      return false;
    } catch {
      this.#deps.log.error('the catalog stays as it is: the store has failed', { text: error.message });
      return true;
    }
  }

  async #load(): Promise<void> {
    const { store, state, gate, clock, log } = this.#deps;
    const start = clock.monotonic();
    const view = await store.view();
    try {
      await state.load(view);
    } finally {
      view.release();
    }
    this.#sayRefused();
    gate.advance(state.revision);
    log.info('catalog loaded', { revision: state.revision, ms: Math.round(clock.monotonic() - start) });
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const { store, state, gate } = this.#deps;
    for await (const events of store.watch(CATALOG_RANGE, state.revision, signal)) {
      if (!state.apply(events)) return;
      this.#sayRefused();
      gate.advance(events.revision);
    }
  }

  /** Each once, with what to do. */
  #sayRefused(): void {
    const { log, state } = this.#deps;
    const fresh = state.refused.takeNew();
    for (const { key, why } of fresh.slice(0, MAX_SAID)) log.error(REFUSED, { key, text: why });
    const left = fresh.length - MAX_SAID;
    if (left > 0) log.error('more stored entries cannot be read and are not served', { count: left });
  }
}
