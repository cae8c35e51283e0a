import type { Clock } from '../core/clock.ts';
import type { CommandIo } from './command.ts';

/** JSON for machines, as every `-format json` prints it. */
export function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

/**
 * Progress of long work as lines on standard error: nothing for what ends within a second, then one line a second at
 * most, so that logs stay short; standard output stays the answer's.
 */
export class ProgressLines {
  readonly #io: CommandIo;
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #everyMs: number;
  #last: number;

  constructor(deps: { io: CommandIo; clock: Pick<Clock, 'monotonic'> }, options: { everyMs?: number } = {}) {
    this.#io = deps.io;
    this.#clock = deps.clock;
    this.#everyMs = options.everyMs ?? 1_000;
    this.#last = deps.clock.monotonic();
  }

  report(text: string): void {
    const now = this.#clock.monotonic();
    if (now - this.#last < this.#everyMs) return;
    this.#last = now;
    this.#io.stderr.write(`${text}\n`);
  }
}
