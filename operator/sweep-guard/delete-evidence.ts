import type { Clock } from '../../core/clock.ts';

/** How long something seen counts, and how much is remembered. */
const KEPT_MS = 10 * 60_000;
const MAX_KEPT = 50_000;

/**
 * What was seen happening that makes instances go: a pod deleted or relabelled, a Service changed or deleted. Deletes
 * without such evidence are inferred ones. Bounded: what is forgotten only makes a delete count as inferred.
 */
export class DeleteEvidence {
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #seen = new Map<string, number>();

  constructor(deps: { clock: Pick<Clock, 'monotonic'> }) {
    this.#clock = deps.clock;
  }

  get size(): number {
    return this.#seen.size;
  }

  /** Something about this instance (by id) or declaring object (by ref) was seen happening. */
  note(subject: string): void {
    this.#seen.delete(subject);
    this.#seen.set(subject, this.#clock.monotonic() + KEPT_MS);
    for (const [oldest, until] of this.#seen) {
      if (this.#seen.size <= MAX_KEPT && until > this.#clock.monotonic()) break;
      this.#seen.delete(oldest);
    }
  }

  has(subject: string): boolean {
    const until = this.#seen.get(subject);
    return until !== undefined && until > this.#clock.monotonic();
  }

  /** To be called when what was seen has been carried out. */
  forget(subject: string): void {
    this.#seen.delete(subject);
  }
}
