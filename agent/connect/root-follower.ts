import type { CaRoots } from '../../api/shapes/connect.ts';
import { Backoff } from '../../core/backoff.ts';
import type { Clock } from '../../core/clock.ts';
import { errorText } from '../../core/errors.ts';
import { aborted, type RunContext, type Runnable } from '../../core/lifecycle.ts';
import type { Logger } from '../../core/log.ts';
import type { Random } from '../../core/random.ts';
import type { MeshAuthority } from './mesh-authority.ts';

export interface RootFollowerDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly random: Random;
  readonly authority: Pick<MeshAuthority, 'roots'>;
}

/** The roots as an agent knows them, and since when (monotonic). */
export interface KnownRoots {
  readonly index: number;
  readonly roots: CaRoots;
  readonly atMs: number;
}

const WAIT_MS = 300_000;
/** Between two looks when the servers answer without news. */
const PAUSE_MS = 100;

/** The cluster's roots, followed from the moment when somebody first asked for them. */
export class RootFollower implements Runnable {
  readonly name = 'connect-roots';
  readonly #deps: RootFollowerDeps;
  readonly #listeners = new Set<() => void>();
  #known: KnownRoots | undefined;
  #want: () => void = () => {};
  readonly #wanted: Promise<void>;

  constructor(deps: RootFollowerDeps) {
    this.#deps = deps;
    this.#wanted = new Promise((resolve) => {
      this.#want = resolve;
    });
  }

  /** undefined before the first answer of a server. */
  get known(): KnownRoots | undefined {
    return this.#known;
  }

  /** Calls back after each change. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** What is known, or what a server says now. @throws AppError what the authority throws. */
  async get(): Promise<KnownRoots> {
    this.#want();
    if (this.#known) return this.#known;
    const answer = await this.#deps.authority.roots({ index: 0, waitMs: 0 }, new AbortController().signal);
    // The follower may have been faster.
    return this.#known ?? this.#take(answer);
  }

  async run(ctx: RunContext): Promise<void> {
    const { authority, clock, log } = this.#deps;
    const backoff = new Backoff(this.#deps, { baseMs: 500, maxMs: 30_000, jitter: 0.5 });
    ctx.ready();
    await Promise.race([this.#wanted, aborted(ctx.signal)]);
    while (!ctx.signal.aborted) {
      const index = this.#known?.index ?? 0;
      try {
        const answer = await authority.roots({ index, waitMs: WAIT_MS }, ctx.signal);
        backoff.reset();
        this.#take(answer);
        if (answer.index === index) await clock.sleep(PAUSE_MS, ctx.signal);
      } catch (error) {
        if (ctx.signal.aborted) return;
        log.debug('the root certificates could not be read', { text: errorText(error) });
        await clock.sleep(backoff.next(), ctx.signal);
      }
    }
  }

  #take({ index, roots }: { index: number; roots: CaRoots }): KnownRoots {
    const changed = this.#known?.index !== index;
    this.#known = { index, roots, atMs: this.#deps.clock.monotonic() };
    if (changed) for (const listener of [...this.#listeners]) listener();
    return this.#known;
  }
}
