import type { Clock } from '../../core/clock.ts';
import { errorText } from '../../core/errors.ts';
import type { Logger } from '../../core/log.ts';

export interface EndQueueDeps {
  readonly clock: Clock;
  readonly log: Logger;
}

export interface EndQueueOptions {
  /** Under way at a time; the others wait in the order in which they came. */
  readonly atATime: number;
  /** Stores something of a session. */
  readonly work: (id: string) => Promise<void>;
  /** Whether that is still to be done. */
  readonly wanted: (id: string) => boolean;
}

const RETRY_MS = 1000;

/** Sessions of which something is to be stored, the first come first; what fails is tried again. */
export class EndQueue {
  readonly #deps: EndQueueDeps;
  readonly #options: EndQueueOptions;
  readonly #waiting = new Set<string>();
  #underWay = 0;

  constructor(deps: EndQueueDeps, options: EndQueueOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  get size(): number {
    return this.#waiting.size + this.#underWay;
  }

  add(id: string): void {
    this.#waiting.add(id);
    this.#start();
  }

  /** It is not to be done any more. */
  delete(id: string): void {
    this.#waiting.delete(id);
  }

  clear(): void {
    this.#waiting.clear();
  }

  #start(): void {
    while (this.#underWay < this.#options.atATime) {
      const [id] = this.#waiting;
      if (id === undefined) return;
      this.#waiting.delete(id);
      this.#underWay++;
      void this.#one(id);
    }
  }

  async #one(id: string): Promise<void> {
    const { clock, log } = this.#deps;
    const { work, wanted } = this.#options;
    try {
      if (wanted(id)) await work(id);
    } catch (error) {
      if (wanted(id)) {
        log.warn('the end of a session could not be stored yet', { session: id, text: errorText(error) });
        clock.after(RETRY_MS, () => {
          if (wanted(id)) this.add(id);
        });
      }
    } finally {
      this.#underWay--;
      this.#start();
    }
  }
}
