import type { Clock } from '../../core/clock.ts';
import { AppError, errorText } from '../../core/errors.ts';
import { aborted, type RunContext, type Runnable } from '../../core/lifecycle.ts';
import type { Logger } from '../../core/log.ts';
import type { ServerCatalog } from '../server-pool/server-catalog.ts';

export interface DepartureDeps {
  readonly catalog: Pick<ServerCatalog, 'deregister'>;
  readonly clock: Clock;
  readonly log: Logger;
  /** Makes the process stop. */
  readonly stop: () => void;
  /** Asked before that, when the agent is told to leave. @throws AppError when it must not. */
  readonly mayLeave?: (() => Promise<void>) | undefined;
}

export interface DepartureOptions {
  readonly nodeName: string;
  /** Whether the node goes out of the catalog: a server's own node stays, its data are there. */
  readonly deregisters: boolean;
  /** Asked when the agent stops without having been told to leave. */
  readonly leavesOnStop: () => boolean;
}

/** Servers that hang must not hold up a stop. */
const LIMIT_MS = 5_000;

/**
 * The end of an agent that leaves: its node goes out of the catalog with all that is on it. To be started before the
 * parts that write into the catalog, so that it stops after them and nothing comes back.
 */
export class Departure implements Runnable {
  readonly name = 'departure';
  readonly #deps: DepartureDeps;
  readonly #options: DepartureOptions;
  readonly #left = Promise.withResolvers<void>();
  #asked = false;

  constructor(deps: DepartureDeps, options: DepartureOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /** Stops the process; resolves when the catalog is told, or cannot be. @throws AppError `deadline`, what forbids it. */
  async leave(): Promise<void> {
    await this.#deps.mayLeave?.();
    this.#asked = true;
    this.#deps.stop();
    await this.#within(this.#left.promise, 2 * LIMIT_MS);
  }

  async run(ctx: RunContext): Promise<void> {
    ctx.ready();
    await aborted(ctx.signal);
    if (this.#options.deregisters && (this.#asked || this.#options.leavesOnStop())) await this.#deregister();
    this.#left.resolve();
  }

  async #deregister(): Promise<void> {
    const { nodeName } = this.#options;
    try {
      await this.#within(this.#deps.catalog.deregister({ Node: nodeName }, { owner: '', epoch: 0 }), LIMIT_MS);
      this.#deps.log.info('this node has left', { node: nodeName });
    } catch (error) {
      const text = errorText(error);
      this.#deps.log.warn('the servers could not be told that this node leaves', { node: nodeName, text });
    }
  }

  async #within(work: Promise<void>, limitMs: number): Promise<void> {
    const timer = new AbortController();
    const late = this.#deps.clock.sleep(limitMs, timer.signal).then(() => {
      if (!timer.signal.aborted) throw new AppError('deadline', `not done within ${limitMs / 1000} s`);
    });
    await Promise.race([work, late]).finally(() => timer.abort());
  }
}
