import type { Clock } from '../../core/clock.ts';
import { SetMap } from '../../core/set-map.ts';

/** A write of ours whose echo has not come yet counts as done for so long. */
const EXPECTED_MS = 15_000;
/** An entry that was written may come so late: a stream that is dead is noticed after 30 s, and another one brings everything. */
const COMING_MS = 90_000;

/** What a write makes of an entry. */
export interface WriteOutcome {
  /** The declaring object that writes. */
  readonly ref: string;
  /** The digest of what it declares; undefined: the entry is removed. */
  readonly hash: string | undefined;
}

interface Expectation extends WriteOutcome {
  readonly until: number;
}

/** A write that was sent and not answered yet. */
interface UnderWay {
  /** The catalog told something of the entry meanwhile, or another write of it was under way. */
  overlapped: boolean;
}

/** Our own writes to entries that the catalog still has to show. */
export class OwnWrites {
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #underWay = new SetMap<string, UnderWay>();
  readonly #expected = new Map<string, Expectation>();
  /** By declaring object: the entries that it wrote and that may still come, and until when. */
  readonly #coming = new Map<string, Map<string, number>>();

  constructor(deps: { clock: Pick<Clock, 'monotonic'> }) {
    this.#clock = deps.clock;
  }

  /** What the catalog is about to show of an entry, as far as known. */
  expected(key: string): WriteOutcome | undefined {
    const expected = this.#expected.get(key);
    if (!expected || expected.until > this.#clock.monotonic()) return expected;
    this.#expected.delete(key);
    return undefined;
  }

  /** The entries that a declaring object wrote, or tried to, and that the catalog has not shown as its own since. */
  coming(ref: string): Iterable<string> {
    const coming = this.#coming.get(ref);
    if (!coming) return [];
    for (const [key, until] of coming) if (until <= this.#clock.monotonic()) this.#came(ref, key);
    return coming.keys();
  }

  /**
   * Sends a write. Once it is acknowledged, its outcome is expected until it shows. But not when the catalog told of the entry
   * meanwhile, or another write of it was under way: which came last is not known then, and what the catalog tells counts.
   * Rejects as the write does, whose outcome is not known then.
   */
  async send(key: string, outcome: WriteOutcome, write: () => Promise<void>): Promise<void> {
    const own: UnderWay = { overlapped: this.#underWay.has(key) };
    this.#overlap(key);
    this.#expected.delete(key);
    this.#underWay.add(key, own);
    if (outcome.hash !== undefined) this.#comes(outcome.ref, key, Number.POSITIVE_INFINITY);
    try {
      await write();
    } finally {
      this.#underWay.delete(key, own);
      // One that failed may have been carried out all the same.
      if (this.#coming.get(outcome.ref)?.has(key)) this.#comes(outcome.ref, key, this.#clock.monotonic() + COMING_MS);
    }
    if (outcome.hash === undefined) this.#came(outcome.ref, key);
    if (!own.overlapped) this.#expected.set(key, { ...outcome, until: this.#clock.monotonic() + EXPECTED_MS });
  }

  /** To be called with what the catalog shows of an entry now; undefined: it is gone. */
  shown(key: string, entry: { readonly ref: string; readonly hash: string } | undefined): void {
    this.#overlap(key);
    if (entry) this.#came(entry.ref, key);
    const expected = this.#expected.get(key);
    if (expected?.hash === entry?.hash && (!entry || expected?.ref === entry.ref)) this.#expected.delete(key);
  }

  /** Forgets what is expected: a complete snapshot shows it, or it was lost with an old server. */
  clear(): void {
    this.#expected.clear();
  }

  #comes(ref: string, key: string, until: number): void {
    const coming = this.#coming.get(ref);
    if (coming) coming.set(key, until);
    else this.#coming.set(ref, new Map([[key, until]]));
  }

  #came(ref: string, key: string): void {
    const coming = this.#coming.get(ref);
    if (coming?.delete(key) && coming.size === 0) this.#coming.delete(ref);
  }

  #overlap(key: string): void {
    for (const own of this.#underWay.get(key)) own.overlapped = true;
  }
}
