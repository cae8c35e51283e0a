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
  /** Told, for people, of each sweep that is held back, and with undefined when it no longer is. */
  readonly onHeld?: (subject: SweepSubject, text: string | undefined) => void;
}

/**
 * Holds back deletes that nobody was seen to ask for. At start, or after a gap in a watch, objects that are missing from
 * a list are taken to be deleted; when the list is wrong, so would be the sweep. So these deletes wait until every
 * object concerned was looked at, and then go all or none: none when they are more than `minSweep` and more than the
 * set share of all entries. Deletes that were seen happening are not counted. What was let through stays so until it is
 * carried out, however the entries grow fewer meanwhile; only what is wanted beyond it is judged anew, against what will be left.
 */
export class SweepGuard {
  readonly #total: () => number;
  readonly #log: Logger;
  readonly #subject: SweepSubject;
  readonly #heldEntries: GaugeMetric;
  readonly #maxSweepShare: number;
  readonly #minSweep: number;
  readonly #onHeld: NonNullable<SweepGuardOptions['onHeld']>;
  /** Declaring objects that still have to be looked at. */
  readonly #toVisit = new Set<string>();
  /** How many inferred deletes each declaring object wants. */
  readonly #wanted = new Map<string, number>();
  /** How many of them were let through and are still wanted. */
  readonly #permitted = new Map<string, number>();
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
    this.#onHeld = options.onHeld ?? (() => {});
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
    this.#permit(ref, Math.min(wanted, this.#permitted.get(ref) ?? 0));
    // What is held may be less now, or nothing.
    if (!last && this.#held && this.#toVisit.size === 0) this.#judge();
    if (!last) return;
    this.#judge();
    const refs = [...this.#wanted.keys()];
    if (refs.length > 0) for (const handler of this.#settled) handler(refs);
  }

  /** Whether the inferred deletes of an object may go now: `wait` until all was looked at, `held` when they are too many. */
  verdict(ref: string): 'go' | 'wait' | 'held' {
    if (this.#toVisit.size > 0) return 'wait';
    if ((this.#wanted.get(ref) ?? 0) <= (this.#permitted.get(ref) ?? 0)) return 'go';
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
    const { wanted, total } = this.#counted();
    return `${wanted} of ${total} ${this.#subject.entries} would be removed at once, more than ${share}`;
  }

  #judge(): boolean {
    const { wanted, permitted, total } = this.#counted();
    const held = wanted + permitted > this.#minSweep && wanted > this.#maxSweepShare * total;
    if (!held) for (const [ref, each] of this.#wanted) this.#permit(ref, each);
    if (held && !this.#held) {
      const { entries, objects } = this.#subject;
      this.#log.error('a sweep is held back', {
        entries,
        wanted,
        total,
        maxSweepShare: this.#maxSweepShare,
        advice:
          `if it is right, set the annotation lictor.dev/allow-sweep=true on the ${objects} or restart with ` +
          '--max-sweep-share=1',
      });
    } else if (!held && this.#held) this.#log.info('the sweep is no longer held back', {});
    if (held || this.#held) this.#onHeld(this.#subject, held ? this.describe() : undefined);
    this.#held = held;
    this.#heldEntries.set(held ? wanted : 0);
    return held;
  }

  /** What is wanted beyond what was let through, and how many entries there are besides that. */
  #counted(): { wanted: number; permitted: number; total: number } {
    let [wanted, permitted] = [0, 0];
    for (const [ref, each] of this.#wanted) {
      const through = this.#permitted.get(ref) ?? 0;
      wanted += each - through;
      permitted += through;
    }
    return { wanted, permitted, total: Math.max(wanted, this.#total() - permitted) };
  }

  #permit(ref: string, count: number): void {
    if (count > 0) this.#permitted.set(ref, count);
    else this.#permitted.delete(ref);
  }
}
