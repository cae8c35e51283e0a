import type { Clock } from '../../core/clock.ts';

/** What an object wants an entry to be. */
interface Planned {
  readonly key: string;
  /** Of all that it is to be. */
  readonly hash: string;
}

/** An entry is left to another object for so long: that one's reconcile has ended within it, and been tried again. */
const LEFT_MS = 2 * 60_000;
const MAX_REFUSED = 50_000;
/** Whether an entry that is left to another object has to go after all is looked at again after so long. */
export const LEFT_AGAIN_MS = 2_000;

/**
 * How long an entry that has to go is left to another object that is about to write over it: not once the servers have refused
 * what that one wants to write, and at most for a bounded time. Bounded: of a refusal that is forgotten the time alone counts.
 */
export class Handovers {
  readonly #clock: Pick<Clock, 'monotonic'>;
  /** By entry: who was refused last, and the digest of what it wanted to write. */
  readonly #refused = new Map<string, string>();
  /** Since when each declaring object leaves which entries. */
  readonly #left = new Map<string, ReadonlyMap<string, number>>();

  constructor(deps: { clock: Pick<Clock, 'monotonic'> }) {
    this.#clock = deps.clock;
  }

  /** The servers refused for good what an object declares. */
  refused(ref: string, { key, hash }: Planned): void {
    this.#refused.delete(key);
    this.#refused.set(key, writeOf(ref, hash));
    for (const oldest of this.#refused.keys()) {
      if (this.#refused.size <= MAX_REFUSED) break;
      this.#refused.delete(oldest);
    }
  }

  /** The servers took what an object declares. */
  taken({ key }: Pick<Planned, 'key'>): void {
    this.#refused.delete(key);
  }

  /** Whether what an object declares may still be written: it was not refused as it is. */
  mayWrite(ref: string, { key, hash }: Planned): boolean {
    return this.#refused.get(key) !== writeOf(ref, hash);
  }

  /** Of the entries that an object would leave to others now, those that it has not left for too long. */
  leave(ref: string, entries: readonly { readonly key: string }[]): ReadonlySet<string> {
    const now = this.#clock.monotonic();
    const before = this.#left.get(ref);
    const since = new Map(entries.map(({ key }) => [key, before?.get(key) ?? now]));
    if (since.size > 0) this.#left.set(ref, since);
    else this.#left.delete(ref);
    return new Set([...since.keys()].filter((key) => now - since.get(key)! < LEFT_MS));
  }
}

function writeOf(ref: string, hash: string): string {
  return `${ref}\0${hash}`;
}
