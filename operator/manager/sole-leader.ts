import { Backoff } from '../../core/backoff.ts';
import type { Clock } from '../../core/clock.ts';
import { AppError, errorText } from '../../core/errors.ts';
import type { RunContext, Runnable } from '../../core/lifecycle.ts';
import type { Logger } from '../../core/log.ts';
import type { Random } from '../../core/random.ts';
import type { CatalogClient } from '../catalog-client/catalog-client.ts';
import type { Leadership } from './leadership.ts';

/**
 * Leads without a lease, where there is only one operator of an owner: it claims an epoch above the last, and ends with
 * an error when another does the same.
 */
export class SoleLeader implements Runnable {
  readonly name = 'leadership';
  readonly #deps: {
    catalog: Pick<CatalogClient, 'ownerState' | 'claimEpoch'>;
    lead: (leadership: Leadership, signal: AbortSignal) => Promise<void>;
    clock: Clock;
    random: Pick<Random, 'next'>;
    log: Logger;
  };
  readonly #owner: string;

  constructor(
    deps: {
      catalog: Pick<CatalogClient, 'ownerState' | 'claimEpoch'>;
      lead: (leadership: Leadership, signal: AbortSignal) => Promise<void>;
      clock: Clock;
      random: Pick<Random, 'next'>;
      log: Logger;
    },
    options: { owner: string },
  ) {
    this.#deps = deps;
    this.#owner = options.owner;
  }

  async run(ctx: RunContext): Promise<void> {
    ctx.ready();
    const epoch = await this.#claim(ctx.signal);
    if (epoch === undefined) return;
    let lostReason: string | undefined;
    const term = new AbortController();
    const onAbort = () => term.abort();
    ctx.signal.addEventListener('abort', onAbort, { once: true });
    if (ctx.signal.aborted) term.abort();
    const leadership: Leadership = {
      epoch,
      check: () => {
        if (lostReason !== undefined) throw new AppError('staleEpoch', lostReason);
      },
      lost: (reason) => {
        lostReason ??= `another operator writes as ${this.#owner} (${reason}); give each its own --owner, then restart`;
        term.abort();
      },
    };
    await this.#deps.lead(leadership, term.signal).finally(() => ctx.signal.removeEventListener('abort', onAbort));
    if (lostReason !== undefined) throw new AppError('staleEpoch', lostReason);
  }

  /** The claimed epoch, however long the servers take to come up; undefined when told to stop before. */
  async #claim(signal: AbortSignal): Promise<number | undefined> {
    const { catalog, clock, random, log } = this.#deps;
    const backoff = new Backoff({ random }, { baseMs: 50, maxMs: 2_000, jitter: 0.5 });
    while (!signal.aborted) {
      try {
        const { Epoch } = await catalog.ownerState(this.#owner);
        await catalog.claimEpoch({ Owner: this.#owner, Epoch: Epoch + 1 });
        return Epoch + 1;
      } catch (error) {
        if (backoff.failures === 3) log.warn('the servers cannot be reached yet', { text: errorText(error) });
        await clock.sleep(backoff.next(), signal);
      }
    }
    return undefined;
  }
}
