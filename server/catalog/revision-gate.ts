import type { Clock, Timer } from '../../core/clock.ts';
import type { Revision } from '../../store/store.ts';

interface Waiting {
  readonly revision: Revision;
  /** By the clock that it came with, monotonic. */
  readonly until: number;
  readonly settle: (reached: boolean) => void;
}

/** Lets writers wait until the state shows a revision. */
export class RevisionGate {
  #revision: Revision = 0;
  #closed = false;
  #settling = false;
  /** A list, not a set: all of a batch come and go together, and a set's table would be made anew each time. */
  #waiting: Waiting[] = [];
  /** For the one who waits least long; writers that come and go together share it. */
  #timer: { readonly at: number; readonly timer: Timer } | undefined;

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
    this.#settle(() => true);
  }

  /** Whether the revision was reached within the time. */
  reached(revision: Revision, { clock, withinMs }: { clock: Clock; withinMs: number }): Promise<boolean> {
    if (revision <= this.#revision) return Promise.resolve(true);
    if (this.#closed) return Promise.resolve(false);
    const until = clock.monotonic() + withinMs;
    return new Promise((settle) => {
      this.#waiting.push({ revision, until, settle });
      this.#wakeAt(until, clock);
    });
  }

  #wakeAt(at: number, clock: Clock): void {
    if (this.#timer && this.#timer.at <= at) return;
    this.#timer?.timer.cancel();
    const timer = clock.after(at - clock.monotonic(), () => this.#settleLate(clock), { keepAlive: true });
    this.#timer = { at, timer };
  }

  #settleLate(clock: Clock): void {
    this.#timer = undefined;
    const now = clock.monotonic();
    this.#settle(({ until }) => until <= now);
    const next = Math.min(...[...this.#waiting].map(({ until }) => until));
    if (next < Infinity) this.#wakeAt(next, clock);
  }

  #settleReached(): void {
    this.#settling = false;
    this.#settle(() => false);
  }

  /** Those whose revision is shown, and those who are to wait no longer. */
  #settle(isOver: (waiting: Waiting) => boolean): void {
    let kept = 0;
    for (const waiting of this.#waiting) {
      const reached = waiting.revision <= this.#revision;
      if (reached || isOver(waiting)) waiting.settle(reached);
      else this.#waiting[kept++] = waiting;
    }
    this.#waiting.length = kept;
    if (kept > 0) return;
    this.#timer?.timer.cancel();
    this.#timer = undefined;
  }
}
