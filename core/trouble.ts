import type { Clock } from './clock.ts';
import { errorText } from './errors.ts';
import type { Logger } from './log.ts';

/** The same is said again after so long. */
const REPEAT_MS = 60_000;
/** Different texts that are kept in mind. */
const MAX_SAID = 32;

/** Says what is wrong at once, and each minute while it stays so. */
export class Trouble {
  readonly #deps: { readonly clock: Pick<Clock, 'monotonic'>; readonly log: Logger };
  readonly #said = new Map<string, number>();

  constructor(deps: { readonly clock: Pick<Clock, 'monotonic'>; readonly log: Logger }) {
    this.#deps = deps;
  }

  say(what: string, error: unknown, level: 'warn' | 'error' = 'warn'): void {
    const text = errorText(error);
    const now = this.#deps.clock.monotonic();
    if (now - (this.#said.get(text) ?? Number.NEGATIVE_INFINITY) < REPEAT_MS) return;
    if (this.#said.size > MAX_SAID) this.#said.clear();
    this.#said.set(text, now);
    this.#deps.log[level](what, { text });
  }

  /** All is well again, which is said where something was wrong. */
  over(what: string): void {
    if (this.#said.size > 0) this.#deps.log.info(what);
    this.#said.clear();
  }
}
