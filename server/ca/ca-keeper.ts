import type { Clock } from '../../core/clock.ts';
import { AppError, errorText } from '../../core/errors.ts';
import { aborted, type RunContext, type Runnable } from '../../core/lifecycle.ts';
import type { Logger } from '../../core/log.ts';
import type { CatalogState } from '../catalog/state.ts';
import { CA_ROOTS_TOPIC, type CaTable } from './ca-table.ts';
import type { CaWriter } from './ca-writer.ts';
import { rootProblem } from './root-validity.ts';

export interface CaKeeperDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly state: CatalogState;
  readonly table: Pick<CaTable, 'state' | 'active' | 'settings' | 'rootGiven' | 'isBroken'>;
  readonly writer: Pick<CaWriter, 'initialize' | 'prune'>;
  /** Until it resolves there need not be an authority. */
  readonly wanted: Promise<void>;
}

const RETRY_MS = 500;
const PRUNE_EVERY_MS = 3_600_000;

const SAY_EVERY_MS = 24 * 3_600_000;

/**
 * Makes the authority of a new cluster (also of one that was restored without), forgets old roots, and says once a day when the
 * active one has ended or will soon. It makes no other one: a clock that is wrong must not change whom the mesh trusts.
 */
export class CaKeeper implements Runnable {
  readonly name = 'certificate-authority';
  readonly #deps: CaKeeperDeps;
  #said: { readonly text: string; readonly atMs: number } | undefined;

  constructor(deps: CaKeeperDeps) {
    this.#deps = deps;
  }

  /** @throws AppError `config` when the authority cannot be made as it is configured. */
  async run(ctx: RunContext): Promise<void> {
    const { clock, state, wanted } = this.#deps;
    ctx.ready();
    await Promise.race([wanted, aborted(ctx.signal)]);
    let wake = () => {};
    const unwatch = state.topics.watch([CA_ROOTS_TOPIC], () => wake());
    let looking: Promise<boolean> = Promise.resolve(true);
    try {
      while (!ctx.signal.aborted) {
        const changed = new Promise<void>((resolve) => {
          wake = resolve;
        });
        looking = this.#look();
        const done = await Promise.race([looking, aborted(ctx.signal).then(() => true)]);
        // An abort that was before tells no listener any more.
        if (ctx.signal.aborted) break;
        const sleep = new AbortController();
        const stop = () => sleep.abort();
        ctx.signal.addEventListener('abort', stop, { once: true });
        await Promise.race([clock.sleep(done ? PRUNE_EVERY_MS : RETRY_MS, sleep.signal), changed]);
        stop();
        ctx.signal.removeEventListener('abort', stop);
      }
    } finally {
      unwatch();
      // Nothing goes on after the end, and what it might say of itself no longer matters.
      await looking.catch(() => false);
    }
  }

  async #look(): Promise<boolean> {
    const { table, writer, log } = this.#deps;
    // What cannot be read is no reason to make another authority, nor to forget a root.
    if (table.isBroken) return true;
    try {
      if (!table.state) await writer.initialize();
      else await writer.prune();
      this.#sayTime();
      return true;
    } catch (error) {
      if (error instanceof AppError && error.code === 'config') throw error;
      log.warn('the certificate authority could not be written; tried again soon', { text: errorText(error) });
      return false;
    }
  }

  #sayTime(): void {
    const { table, clock, log } = this.#deps;
    if (!table.active) return;
    const { leafTtlMs } = table.settings;
    const text = rootProblem(table.active, { leafTtlMs, given: table.rootGiven }, clock.now());
    const atMs = clock.monotonic();
    if (text === this.#said?.text && atMs - (this.#said?.atMs ?? 0) < SAY_EVERY_MS) return;
    this.#said = text === undefined ? undefined : { text, atMs };
    if (text !== undefined) log.warn('certificate authority', { text });
  }
}
