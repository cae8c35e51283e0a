import type { Clock } from '../../core/clock.ts';
import type { Revision } from '../../store/store.ts';

/** Lets writers wait until the state shows a revision. */
export class RevisionGate {
  #revision: Revision = 0;
  #closed = false;
  readonly #waiting = new Map<Revision, Set<(reached: boolean) => void>>();

  /** To be called when the state shows this revision. */
  advance(revision: Revision): void {
    const from = this.#revision;
    if (revision <= from) return;
    this.#revision = revision;
    // The shorter way: one by one, or all that wait (a first load is a long jump).
    if (revision - from <= this.#waiting.size) {
      for (let at = from + 1; at <= revision; at++) this.#settle(at);
    } else {
      for (const at of [...this.#waiting.keys()]) if (at <= revision) this.#settle(at);
    }
  }

  /** The state goes no further: those who wait, and those who come, are told at once. */
  close(): void {
    this.#closed = true;
    for (const settles of [...this.#waiting.values()]) for (const settle of [...settles]) settle(false);
  }

  /** Whether the revision was reached within the time. */
  reached(revision: Revision, limit: { clock: Clock; withinMs: number }): Promise<boolean> {
    if (revision <= this.#revision) return Promise.resolve(true);
    if (this.#closed) return Promise.resolve(false);
    return new Promise((resolve) => {
      const settles = this.#waiting.get(revision) ?? new Set();
      this.#waiting.set(revision, settles);
      const settle = (reached: boolean) => {
        timer.cancel();
        settles.delete(settle);
        if (settles.size === 0) this.#waiting.delete(revision);
        resolve(reached);
      };
      const timer = limit.clock.after(limit.withinMs, () => settle(false), { keepAlive: true });
      settles.add(settle);
    });
  }

  #settle(revision: Revision): void {
    for (const settle of [...(this.#waiting.get(revision) ?? [])]) settle(true);
  }
}
