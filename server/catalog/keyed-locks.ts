/** `shared` for what a plan relies on, `exclusive` for what it writes. */
export type LockMode = 'shared' | 'exclusive';

/** How a plan holds a key of the store. */
export interface Hold {
  readonly slot: number;
  mode: LockMode;
}

interface Waiting {
  readonly mode: LockMode;
  readonly grant: () => void;
}

/** A quarter of a million: of a few hundred keys that are held at a time, one in a thousand meets another's slot. */
const SLOTS = 2 ** 18;

/** The slot of a key (FNV-1a). Keys that share one go in turn though they need not. */
export function slotOf(key: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < key.length; at++) hash = Math.imul(hash ^ key.charCodeAt(at), 0x01000193);
  return (hash ^ (hash >>> 15)) & (SLOTS - 1);
}

/**
 * Shared and exclusive locks by key, granted in the order of asking. Who has to wait takes its keys in sorted order, so
 * that two requests never wait for each other. Keys are told apart by their slots alone: what changes with every write is
 * then one number, and nothing is left behind.
 */
export class KeyedLocks {
  /** Of each slot: how many hold it shared, or below 0 how many times its one holder has it. */
  readonly #holders = new Int32Array(SLOTS);
  /** By slot; only slots that are waited for. */
  readonly #waiting = new Map<number, Waiting[]>();

  /**
   * Takes all of them; undefined when they were free at once, so that nothing can have happened meanwhile.
   * The caller gives them back with `release` and the same holds, unchanged.
   */
  acquire(wanted: readonly Hold[]): Promise<void> | undefined {
    for (const { slot, mode } of wanted) if (!this.#isFree(slot, mode)) return this.#acquireInTurn(wanted);
    for (const { slot, mode } of wanted) if (mode === 'exclusive') this.#take(slot, mode);
    for (const { slot, mode } of wanted) if (mode === 'shared') this.#take(slot, mode);
    return undefined;
  }

  release(held: readonly Hold[]): void {
    for (const { slot } of held) {
      this.#holders[slot]! += this.#holders[slot]! < 0 ? 1 : -1;
      if (this.#holders[slot] === 0 && this.#waiting.size > 0) this.#next(slot);
    }
  }

  async #acquireInTurn(wanted: readonly Hold[]): Promise<void> {
    const sorted = [...wanted].sort((a, b) => a.slot - b.slot || (a.mode < b.mode ? -1 : 1));
    let before = -1;
    for (const { slot, mode } of sorted) {
      // Another key of the same request in this slot: it has it, and as strongly as it is needed.
      if (slot === before || this.#isFree(slot, mode)) this.#take(slot, mode);
      else await this.#turn(slot, mode);
      before = slot;
    }
  }

  #isFree(slot: number, mode: LockMode): boolean {
    const holders = this.#holders[slot]!;
    // Who came later must not overtake those who wait.
    return holders === 0 || (holders > 0 && mode === 'shared' && !this.#waiting.has(slot));
  }

  /** Takes a slot that is free, or once more what the same request has. */
  #take(slot: number, mode: LockMode): void {
    const isExclusive = this.#holders[slot]! < 0 || mode === 'exclusive';
    this.#holders[slot]! += isExclusive ? -1 : 1;
  }

  #turn(slot: number, mode: LockMode): Promise<void> {
    let waiting = this.#waiting.get(slot);
    if (!waiting) {
      waiting = [];
      this.#waiting.set(slot, waiting);
    }
    const queue = waiting;
    return new Promise((grant) => queue.push({ mode, grant }));
  }

  #next(slot: number): void {
    const waiting = this.#waiting.get(slot);
    if (!waiting) return;
    const first = waiting.shift()!;
    this.#grant(slot, first);
    while (first.mode === 'shared' && waiting[0]?.mode === 'shared') this.#grant(slot, waiting.shift()!);
    if (waiting.length === 0) this.#waiting.delete(slot);
  }

  #grant(slot: number, { mode, grant }: Waiting): void {
    this.#take(slot, mode);
    grant();
  }
}
