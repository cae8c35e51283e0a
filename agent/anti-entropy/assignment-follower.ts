import type { AssignedCheck } from '../../api/shapes/agent-sync.ts';
import { Backoff } from '../../core/backoff.ts';
import type { Clock } from '../../core/clock.ts';
import { errorText } from '../../core/errors.ts';
import type { RunContext, Runnable } from '../../core/lifecycle.ts';
import type { Logger } from '../../core/log.ts';
import type { Random } from '../../core/random.ts';
import type { ServerCatalog } from '../server-pool/server-catalog.ts';
import { Wakeup } from './wakeup.ts';

export interface AssignmentFollowerDeps {
  readonly local: { setAssigned(checks: readonly AssignedCheck[]): void };
  readonly catalog: Pick<ServerCatalog, 'definitions'>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly random: Pick<Random, 'next'>;
}

/** How long one question may stay open; the servers answer at once when something changes. */
const WAIT_MS = 60_000;
const RETRY = { baseMs: 250, maxMs: 15_000, jitter: 0.5 };

/** Follows what others declare for this node. While the servers are away the last known definitions go on running. */
export class AssignmentFollower implements Runnable {
  readonly name = 'assignment-follower';
  readonly #deps: AssignmentFollowerDeps;
  readonly #nodeName: string;
  readonly #backoff: Backoff;
  readonly #wakeup: Wakeup;
  #followed = false;

  constructor(deps: AssignmentFollowerDeps, options: { nodeName: string }) {
    this.#deps = deps;
    this.#nodeName = options.nodeName;
    this.#backoff = new Backoff(deps, RETRY);
    this.#wakeup = new Wakeup(deps);
  }

  /** Whether the definitions were read since the start. */
  synced(): boolean {
    return this.#followed;
  }

  /** A server was joined by hand: whoever waits for the next try waits no longer. */
  joined(): void {
    this.#backoff.reset();
    this.#wakeup.wake();
  }

  async run(ctx: RunContext): Promise<void> {
    ctx.ready();
    let index = 0;
    while (!ctx.signal.aborted) {
      try {
        const answer = await this.#deps.catalog.definitions(this.#nodeName, { index, waitMs: WAIT_MS }, ctx.signal);
        if (ctx.signal.aborted) return;
        // A lower index is from a catalog that was begun anew: read it from the start.
        if (answer.index !== index || !this.#followed) this.#deps.local.setAssigned(answer.checks);
        index = answer.index < index ? 0 : answer.index;
        this.#followed = true;
        this.#backoff.reset();
      } catch (error) {
        if (ctx.signal.aborted) return;
        if (this.#backoff.failures === 0) {
          this.#deps.log.warn('the checks of this node could not be read; trying again', { text: errorText(error) });
        }
        // Whatever answers next may be another catalog: ask without an index.
        index = 0;
        await this.#wakeup.sleep(this.#backoff.next(), ctx.signal);
      }
    }
  }
}
