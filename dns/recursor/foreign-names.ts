import type { Clock } from '../../core/clock.ts';
import type { CounterMetric, Metrics } from '../../core/metrics.ts';
import { encodeQuery } from '../wire/encode-query.ts';
import type { ResourceRecord } from '../wire/record.ts';
import { foreignAddresses } from './foreign-addresses.ts';
import type { Recursor } from './recursor.ts';

export interface ForeignNamesDeps {
  readonly clock: Pick<Clock, 'monotonic'>;
  readonly metrics: Metrics;
  readonly recursor: Pick<Recursor, 'find'>;
}

/** Names that are asked about at a time. */
const MAX_ASKED = 256;
/** Targets of answers that wait at a time: a fourth of the UDP questions that may be in work, so that there is room for others. */
const MAX_WAITING = 1024;
/** A name that nobody knew is not asked about again for so long (RFC 9520 wants a second at least). */
const UNKNOWN_MS = 5_000;
/** So many of those are kept in mind; the oldest goes first. */
const MAX_UNKNOWN = 1024;

const NOTHING: readonly ResourceRecord[] = [];

/**
 * What recursors say of the names outside the zones that instances have for addresses. Nothing when they do not know in time, or
 * there is too much to ask: the answer that such a name is part of is right without.
 */
export class ForeignNames {
  readonly #deps: ForeignNamesDeps;
  readonly #budgetMs: number;
  readonly #outcomes: CounterMetric;
  readonly #asked = new Map<string, Promise<readonly ResourceRecord[]>>();
  /** Until when, the oldest first. */
  readonly #unknown = new Map<string, number>();
  #waiting = 0;

  constructor(deps: ForeignNamesDeps, options: { readonly budgetMs: number }) {
    this.#deps = deps;
    this.#budgetMs = options.budgetMs;
    this.#outcomes = deps.metrics.counter({
      name: 'lictor_dns_foreign_targets_total',
      help: 'Targets outside the zones by outcome: found, unknown (no answer too), overload (not asked about).',
      labels: ['outcome'],
    });
  }

  /** Its aliases and addresses, the same list for all who ask meanwhile. Never rejects. */
  async records(name: string, type: 'A' | 'AAAA' | 'ANY'): Promise<readonly ResourceRecord[]> {
    const key = `${type} ${name.toLowerCase()}`;
    if (this.#isUnknown(key)) return this.#count('unknown');
    const isNew = !this.#asked.has(key);
    if (this.#waiting >= MAX_WAITING || (isNew && this.#asked.size >= MAX_ASKED)) return this.#count('overload');
    if (isNew) {
      const asking = this.#find(key, name, type).finally(() => this.#asked.delete(key));
      this.#asked.set(key, asking);
    }
    this.#waiting++;
    const found = await this.#asked.get(key)!;
    this.#waiting--;
    return this.#count(found.length > 0 ? 'found' : 'unknown', found);
  }

  #count(outcome: 'found' | 'unknown' | 'overload', records = NOTHING): readonly ResourceRecord[] {
    this.#outcomes.add(1, { outcome });
    return records;
  }

  async #find(key: string, name: string, type: 'A' | 'AAAA' | 'ANY'): Promise<readonly ResourceRecord[]> {
    const { recursor } = this.#deps;
    try {
      const found = await recursor.find(encodeQuery(name, type), this.#budgetMs, (message) => {
        const records = foreignAddresses(message);
        return records.length > 0 ? records : undefined;
      });
      if (!found) this.#remember(key);
      return found ?? NOTHING;
    } catch {
      return NOTHING; // too many questions are under way: that says nothing of this one
    }
  }

  #isUnknown(key: string): boolean {
    const until = this.#unknown.get(key);
    if (until === undefined) return false;
    if (this.#deps.clock.monotonic() < until) return true;
    this.#unknown.delete(key);
    return false;
  }

  #remember(key: string): void {
    this.#unknown.delete(key);
    if (this.#unknown.size >= MAX_UNKNOWN) this.#unknown.delete(this.#unknown.keys().next().value!);
    this.#unknown.set(key, this.#deps.clock.monotonic() + UNKNOWN_MS);
  }
}
