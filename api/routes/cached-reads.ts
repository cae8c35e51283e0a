import { hash } from 'node:crypto';

/** How long a read is kept fresh after it was asked for last (Consul keeps its entries for three days). */
const KEPT_MS = 3 * 24 * 3600 * 1000;
const MAX_KEPT = 10_000;
const MAX_KEY_CHARACTERS = 128;
const HIT = { 'x-cache': 'HIT', age: '0' };
const MISS = { 'x-cache': 'MISS' };

/** Which reads have been asked with `?cached` before. */
export class CachedReads {
  readonly #clock: { monotonic(): number };
  /** When each was asked last, the least recent first. */
  readonly #asked = new Map<string, number>();

  constructor(deps: { clock: { monotonic(): number } }) {
    this.#clock = deps.clock;
  }

  /**
   * Notes that a read is asked for; the headers that say whether it was there already (X-Cache, Age). `cacheControl` is the request's header: with
   * `must-revalidate` nothing that was there counts. Ages of 0 satisfy any `max-age` and `stale-if-error`.
   */
  ask(key: string, cacheControl: string | string[] | undefined): Readonly<Record<string, string>> {
    return this.#knows(key, cacheControl) ? HIT : MISS;
  }

  #knows(read: string, cacheControl: string | string[] | undefined): boolean {
    const now = this.#clock.monotonic();
    // A filter may be long; what is kept of a read is not.
    const key = read.length > MAX_KEY_CHARACTERS ? hash('sha256', read, 'base64url') : read;
    const before = this.#asked.get(key);
    this.#asked.delete(key);
    this.#asked.set(key, now);
    if (this.#asked.size > MAX_KEPT) this.#asked.delete(this.#asked.keys().next().value!);
    if (before === undefined || now - before > KEPT_MS) return false;
    return !/(^|,)\s*must-revalidate\s*(,|$)/i.test(String(cacheControl ?? ''));
  }
}
