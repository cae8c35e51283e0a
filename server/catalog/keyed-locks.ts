import type { LockMode } from './plan.ts';

interface Waiting {
  readonly mode: LockMode;
  readonly grant: () => void;
}

interface Lock {
  holders: number;
  mode: LockMode;
  readonly queue: Waiting[];
}

/**
 * Shared and exclusive locks by key, granted in the order of asking. Keys of one request are taken in sorted order, so
 * that two requests never wait for each other.
 */
export class KeyedLocks {
  readonly #locks = new Map<string, Lock>();

  /**
   * Takes all of them; undefined when they were free at once, so that nothing can have happened meanwhile.
   * The caller gives them back with `release` and the same map.
   */
  acquire(wanted: ReadonlyMap<string, LockMode>): Promise<void> | undefined {
    const keys = [...wanted.keys()].sort();
    for (let at = 0; at < keys.length; at++) {
      if (!this.#take(keys[at]!, wanted.get(keys[at]!)!)) return this.#acquireRest(keys, at, wanted);
    }
    return undefined;
  }

  release(held: ReadonlyMap<string, LockMode>): void {
    for (const key of held.keys()) {
      const lock = this.#locks.get(key);
      if (!lock) continue;
      lock.holders--;
      if (lock.holders === 0) this.#next(key, lock);
    }
  }

  async #acquireRest(keys: readonly string[], from: number, wanted: ReadonlyMap<string, LockMode>): Promise<void> {
    for (let at = from; at < keys.length; at++) {
      const key = keys[at]!;
      const mode = wanted.get(key)!;
      if (this.#take(key, mode)) continue;
      const lock = this.#locks.get(key)!;
      await new Promise<void>((grant) => lock.queue.push({ mode, grant }));
    }
  }

  #take(key: string, mode: LockMode): boolean {
    const lock = this.#locks.get(key);
    if (!lock) {
      this.#locks.set(key, { holders: 1, mode, queue: [] });
      return true;
    }
    // Who came later must not overtake those who wait.
    if (lock.queue.length > 0 || mode === 'exclusive' || lock.mode === 'exclusive') return false;
    lock.holders++;
    return true;
  }

  #next(key: string, lock: Lock): void {
    const first = lock.queue.shift();
    if (!first) {
      this.#locks.delete(key);
      return;
    }
    lock.holders = 1;
    lock.mode = first.mode;
    first.grant();
    while (lock.mode === 'shared' && lock.queue[0]?.mode === 'shared') {
      lock.holders++;
      lock.queue.shift()!.grant();
    }
  }
}
