import type { Key, Revision } from '../store.ts';

/** When an entry was made and last put, by the store's revisions. */
export interface KeyRevisions {
  readonly createRevision: Revision;
  readonly modRevision: Revision;
}

/** What all entries of a generation come to. */
export interface ContentSum {
  /** How many there are. */
  readonly entries: number;
  /** The sum of their hashes, as 16 hexadecimal digits. */
  readonly digest: string;
}

/** Two FNV-1a hashes of 32 bits that begin apart and go on by different primes. */
const HIGH_BASIS = 0x811c9dc5;
const HIGH_PRIME = 0x01000193;
const LOW_BASIS = 0x2f0b4a47;
const LOW_PRIME = 0x85ebca6b;
/** Revisions are taken in two parts, as bit operations take 32 bits. */
const PART = 2 ** 24;

/**
 * Sums up entries in any order: each counts by a hash of its key and revisions, which is added when it comes and
 * subtracted when it goes. No two transactions give a key the same revisions, so they stand for its value. It shows
 * accidents; whoever means to deceive may write the sum as well.
 */
export class ContentDigest {
  #entries = 0;
  #high = 0;
  #low = 0;

  copy(): ContentDigest {
    const copy = new ContentDigest();
    copy.#entries = this.#entries;
    copy.#high = this.#high;
    copy.#low = this.#low;
    return copy;
  }

  /** Counts an entry that comes, goes, or takes the place of the one `before` it with the same key. */
  change(key: Key, before: KeyRevisions | undefined, after: KeyRevisions | undefined): void {
    let high = HIGH_BASIS;
    let low = LOW_BASIS;
    for (let at = 0; at < key.length; at++) {
      const unit = key.charCodeAt(at);
      high = Math.imul(high ^ unit, HIGH_PRIME);
      low = Math.imul(low ^ unit, LOW_PRIME);
    }
    if (before) {
      this.#entries--;
      this.#high = (this.#high - hashed(high, HIGH_PRIME, before)) | 0;
      this.#low = (this.#low - hashed(low, LOW_PRIME, before)) | 0;
    }
    if (after) {
      this.#entries++;
      this.#high = (this.#high + hashed(high, HIGH_PRIME, after)) | 0;
      this.#low = (this.#low + hashed(low, LOW_PRIME, after)) | 0;
    }
  }

  sum(): ContentSum {
    return { entries: this.#entries, digest: hex(this.#high) + hex(this.#low) };
  }

  equals(sum: ContentSum): boolean {
    return this.#entries === sum.entries && hex(this.#high) + hex(this.#low) === sum.digest;
  }
}

/** Of a key's hash and the revisions. At the end as MurmurHash3: each bit of what goes in changes about half of the result's. */
function hashed(ofKey: number, prime: number, { createRevision, modRevision }: KeyRevisions): number {
  let hash = Math.imul(ofKey ^ (createRevision / PART), prime);
  hash = Math.imul(hash ^ (createRevision % PART), prime);
  hash = Math.imul(hash ^ (modRevision / PART), prime);
  hash = Math.imul(hash ^ (modRevision % PART), prime);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}

function hex(bits: number): string {
  return (bits >>> 0).toString(16).padStart(8, '0');
}
