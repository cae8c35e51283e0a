import { randomUUID } from 'node:crypto';

/** Randomness as a dependency. */
export interface Random {
  /** A number in [0, 1). */
  next(): number;
  /** A version-4 UUID (RFC 9562). */
  uuid(): string;
}

/** The platform's generators: fast for `next`, cryptographic for `uuid`. */
export class SystemRandom implements Random {
  next(): number {
    return Math.random();
  }
  uuid(): string {
    return randomUUID();
  }
}

/** A repeatable generator (mulberry32) for tests; the same seed gives the same sequence. */
export class SeededRandom implements Random {
  #state: number;
  constructor(seed: number) {
    this.#state = seed >>> 0;
  }
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }
  uuid(): string {
    const hex = Array.from({ length: 32 }, () => Math.floor(this.next() * 16).toString(16)).join('');
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
  }
}

/** A uniformly shuffled copy (Fisher-Yates). */
export function shuffled<T>(items: readonly T[], random: Pick<Random, 'next'>): T[] {
  const out = items.slice();
  for (let i = out.length - 1; i > 0; i--) {
    const j = Math.floor(random.next() * (i + 1));
    [out[i], out[j]] = [out[j]!, out[i]!];
  }
  return out;
}

/** The items in uniformly random order, each drawn when it is asked for: the first few of many cost little more than a copy. */
export function* drawn<T>(items: readonly T[], random: Pick<Random, 'next'>): Generator<T, void, undefined> {
  const rest = items.slice();
  for (let left = rest.length; left > 0; left--) {
    const at = Math.floor(random.next() * left);
    const item = rest[at]!;
    rest[at] = rest[left - 1]!;
    yield item;
  }
}
