import type { Logger } from '../../core/log.ts';
import type { GaugeMetric, Metrics } from '../../core/metrics.ts';

/** What a guard counts, in its metric and for people. */
export interface SweepSubject {
  readonly metric: string;
  readonly entries: string;
  readonly objects: string;
}

export const INSTANCES: SweepSubject = {
  metric: 'lictor_operator_sweep_held_entries',
  entries: 'instances',
  objects: 'Services',
};

export const INTENTION_ENTRIES: SweepSubject = {
  metric: 'lictor_operator_sweep_held_intentions',
  entries: 'service-intentions entries',
  objects: 'Intentions',
};

export interface SweepGuardOptions {
  /** Largest share (0..1) of the owner's entries that may go at once because they were not found. @default 0.5 */
  readonly maxSweepShare?: number;
  /** So many may always go. @default 10 */
  readonly minSweep?: number;
}

/**
 * Holds back deletes that nobody was seen to ask for. At start, or after a gap in a watch, objects that are missing from
 * a list are taken to be deleted; when the list is wrong, so would be the sweep. So these deletes wait until every
 * object concerned was looked at, and then go all or none: none when they are more than `minSweep` and more than the
 * set share of all entries. Deletes that were seen happening are not counted.
 */
export class SweepGuard {
  readonly #total: () => number;
  readonly #log: Logger;
  readonly #subject: SweepSubject;
  readonly #heldEntries: GaugeMetric;
  readonly #maxSweepShare: number;
  readonly #minSweep: number;
  /** Declaring objects that still have to be looked at. */
  readonly #toVisit = new Set<string>();
  /** How many inferred deletes each declaring object wants. */
  readonly #wanted = new Map<string, number>();
  readonly #settled = new Set<(refs: readonly string[]) => void>();
  #held = false;

  constructor(
    deps: { total: () => number; log: Logger; metrics: Metrics },
    options: SweepGuardOptions = {},
    subject: SweepSubject = INSTANCES,
  ) {
    this.#subject = subject;
    this.#total = deps.total;
    this.#log = deps.log;
    this.#maxSweepShare = options.maxSweepShare ?? 0.5;
    this.#minSweep = options.minSweep ?? 10;
    this.#heldEntries = deps.metrics.gauge({
      name: subject.metric,
      help: `The ${subject.entries} whose inferred delete is held back because too many would go at once.`,
    });
    this.#heldEntries.set(0);
  }

  /** This object's entries may be missing something because of a gap; nothing goes before `visit` was called for it. */
  expectVisit(ref: string): void {
    this.#toVisit.add(ref);
  }

  /** The object was looked at and wants so many inferred deletes now. */
  visit(ref: string, wanted: number): void {
    const last = this.#toVisit.delete(ref) && this.#toVisit.size === 0;
    if (wanted > 0) this.#wanted.set(ref, wanted);
    else this.#wanted.delete(ref);
    if (!last) return;
    this.#judge();
    const refs = [...this.#wanted.keys()];
    if (refs.length > 0) for (const handler of this.#settled) handler(refs);
  }

  /** Whether inferred deletes may go now: `wait` until all was looked at, `held` when they are too many. */
  verdict(): 'go' | 'wait' | 'held' {
    if (this.#toVisit.size > 0) return 'wait';
    return this.#judge() ? 'held' : 'go';
  }

  /** Told of those that want inferred deletes, each time that everything has been looked at. */
  onSettled(handler: (refs: readonly string[]) => void): () => void {
    this.#settled.add(handler);
    return () => this.#settled.delete(handler);
  }

  /** For people: how many of how many, and the limit. */
  describe(): string {
    const share = `${Math.round(this.#maxSweepShare * 100)} %`;
    return `${this.#sum()} of ${this.#total()} ${this.#subject.entries} would be removed at once, more than ${share}`;
  }

  #judge(): boolean {
    const wanted = this.#sum();
    const held = wanted > this.#minSweep && wanted > this.#maxSweepShare * this.#total();
    if (held && !this.#held) {
      const { entries, objects } = this.#subject;
      this.#log.error('a sweep is held back', {
        entries,
        wanted,
        total: this.#total(),
        maxSweepShare: this.#maxSweepShare,
        advice:
          `if it is right, set the annotation lictor.dev/allow-sweep=true on the ${objects} or restart with ` +
          '--max-sweep-share=1',
      });
    } else if (!held && this.#held) this.#log.info('the sweep is no longer held back', {});
    this.#held = held;
    this.#heldEntries.set(held ? wanted : 0);
    return held;
  }

  #sum(): number {
    let sum = 0;
    for (const wanted of this.#wanted.values()) sum += wanted;
    return sum;
  }
}
