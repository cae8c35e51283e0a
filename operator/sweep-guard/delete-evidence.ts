import type { Clock } from '../../core/clock.ts';

/** How long something seen counts, and how much is remembered. */
const KEPT_MS = 10 * 60_000;
const MAX_KEPT = 50_000;

/** Something seen, as long as it counts. Another sight of the same subject is another one. */
export interface Sight {
  readonly until: number;
}

/**
 * What was seen happening that makes instances go: a pod deleted or relabelled, a Service changed or deleted. Deletes
 * without such evidence are inferred ones. Bounded: what is forgotten only makes a delete count as inferred.
 */
export class DeleteEvidence {
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #seen = new Map<string, Sight>();

  constructor(deps: { clock: Pick<Clock, 'monotonic'> }) {
    this.#clock = deps.clock;
  }

  get size(): number {
    return this.#seen.size;
  }

  /** Something about this instance (by id) or declaring object (by ref) was seen happening. */
  note(subject: string): void {
    this.#seen.delete(subject);
    this.#seen.set(subject, { until: this.#clock.monotonic() + KEPT_MS });
    for (const [oldest, { until }] of this.#seen) {
      if (this.#seen.size <= MAX_KEPT && until > this.#clock.monotonic()) break;
      this.#seen.delete(oldest);
    }
  }

  has(subject: string): boolean {
    return this.latest(subject) !== undefined;
  }

  /** What was seen last of this subject. */
  latest(subject: string): Sight | undefined {
    const sight = this.#seen.get(subject);
    return sight && sight.until > this.#clock.monotonic() ? sight : undefined;
  }

  /** What was seen of this subject counts no longer. */
  forget(subject: string): void {
    this.#seen.delete(subject);
  }

  /** To be called when what was seen has been carried out; what came after `sight`, the latest then, still counts. */
  carriedOut(subject: string, sight: Sight | undefined): void {
    if (this.#seen.get(subject) === sight) this.#seen.delete(subject);
  }
}
