import type { Clock } from '../../core/clock.ts';
import type { CatalogState } from '../catalog/state.ts';
import { CA_ROOTS_TOPIC, type CaTable } from './ca-table.ts';

export interface CaDemandDeps {
  readonly clock: Clock;
  readonly state: Pick<CatalogState, 'topics'>;
  readonly table: Pick<CaTable, 'state'>;
}

/** How long one who asks waits for the first root. */
const FIRST_ROOT_WITHIN_MS = 10_000;

/**
 * Whether the authority is wanted: from the start, or from when somebody first asks for it. What makes certificates takes
 * ten megabytes of memory, which a process without a mesh saves.
 */
export class CaDemand {
  readonly #deps: CaDemandDeps;
  readonly #onDemand: boolean;
  #ask: () => void = () => {};
  /** Resolves when the authority is wanted. */
  readonly wanted: Promise<void>;

  constructor(deps: CaDemandDeps, options: { onDemand: boolean }) {
    this.#deps = deps;
    this.#onDemand = options.onDemand;
    this.wanted = new Promise((resolve) => {
      this.#ask = resolve;
    });
    if (!options.onDemand) this.#ask();
  }

  /** Wants the authority; resolves when it has a root, or cannot be waited for any longer. */
  async ready(): Promise<void> {
    const { clock, state, table } = this.#deps;
    if (!this.#onDemand || table.state) return;
    this.#ask();
    const over = new AbortController();
    let unwatch = () => {};
    const there = new Promise<void>((resolve) => {
      unwatch = state.topics.watch([CA_ROOTS_TOPIC], resolve);
    });
    await Promise.race([there, clock.sleep(FIRST_ROOT_WITHIN_MS, over.signal)]);
    over.abort();
    unwatch();
  }
}
