import type { Clock } from '../../core/clock.ts';
import type { Revision } from '../../store/store.ts';

interface Waiting {
  readonly revision: Revision;
  readonly settle: (reached: boolean) => void;
}

/** Lets writers wait until the state shows a revision. */
export class RevisionGate {
  #revision: Revision = 0;
  #closed = false;
  #settling = false;
  readonly #waiting = new Set<Waiting>();

  /**
   * To be called when the state shows this revision. All that one batch of the store has brought is shown first, then its
   * writers go on together: their answers leave in a row.
   */
  advance(revision: Revision): void {
    if (revision <= this.#revision) return;
    this.#revision = revision;
    if (this.#settling) return;
    this.#settling = true;
    process.nextTick(() => this.#settleReached());
  }

  /** The state goes no further: those who wait, and those who come, are told at once. */
  close(): void {
    this.#closed = true;
    for (const { revision, settle } of this.#waiting) settle(revision <= this.#revision);
  }

  /** Whether the revision was reached within the time. */
  reached(revision: Revision, limit: { clock: Clock; withinMs: number }): Promise<boolean> {
    if (revision <= this.#revision) return Promise.resolve(true);
    if (this.#closed) return Promise.resolve(false);
    return new Promise((resolve) => {
      const settle = (reached: boolean) => {
        timer.cancel();
        this.#waiting.delete(waiting);
        resolve(reached);
      };
      const waiting = { revision, settle };
      const timer = limit.clock.after(limit.withinMs, () => settle(false), { keepAlive: true });
      this.#waiting.add(waiting);
    });
  }

  #settleReached(): void {
    this.#settling = false;
    for (const { revision, settle } of this.#waiting) if (revision <= this.#revision) settle(true);
  }
}
