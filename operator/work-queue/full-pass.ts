import { Backoff } from '../../core/backoff.ts';
import type { Clock, Timer } from '../../core/clock.ts';
import type { Random } from '../../core/random.ts';

export interface FullPassOptions {
  /** Every key there is; read while the pass goes on. Undefined stands for a step that found none. */
  readonly allKeys: () => Iterable<string | undefined>;
  /** Called when a pass begins. */
  readonly begun: () => void;
}

/** The wait before a pass. A burst is over after a second; what goes on for longer, as a server that is away, is no reason to hurry. */
const WAIT = { baseMs: 1_000, maxMs: 30_000, jitter: 0.5 };

/**
 * Goes through every key there is after some had to be refused. Passes are apart by a wait that grows until one was
 * enough. Its keys are asked for one at a time, so it needs no room of its own, however many they are.
 */
export class FullPass {
  readonly #clock: Clock;
  readonly #options: FullPassOptions;
  readonly #wait: Backoff;
  /** Whether something was refused since the last pass began. */
  #needed = false;
  #keys: Iterator<string | undefined> | undefined;
  #timer: Timer | undefined;

  constructor(deps: { clock: Clock; random: Pick<Random, 'next'> }, options: FullPassOptions) {
    this.#clock = deps.clock;
    this.#options = options;
    this.#wait = new Backoff(deps, WAIT);
  }

  /** A key was refused: a pass that begins later will give it. */
  need(): void {
    this.#needed = true;
    if (!this.#keys) this.#timer ??= this.#clock.after(this.#wait.next(), () => this.#begin());
  }

  /** The next step of the pass that goes on, with its key if it has one; undefined when it is at its end, or there is none. */
  next(): { readonly value: string | undefined } | undefined {
    const next = this.#keys?.next();
    if (!next) return undefined;
    if (!next.done) return next;
    this.#keys = undefined;
    if (this.#needed) this.need();
    else this.#wait.reset();
    return undefined;
  }

  /** Ends it for good. */
  close(): void {
    this.#timer?.cancel();
    this.#keys = undefined;
  }

  #begin(): void {
    this.#timer = undefined;
    this.#needed = false;
    this.#keys = this.#options.allKeys()[Symbol.iterator]();
    this.#options.begun();
  }
}
