import type { Hold, LockMode } from './plan.ts';

interface Waiting {
  readonly mode: LockMode;
  readonly grant: () => void;
}

interface Lock {
  holders: number;
  mode: LockMode;
  /** Made when somebody has to wait. */
  waiting?: Waiting[];
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
  acquire(wanted: ReadonlyMap<string, Hold>): Promise<void> | undefined {
    for (const [key, { mode }] of wanted) if (!this.#isFree(key, mode)) return this.#acquireInTurn(wanted);
    for (const [key, { mode }] of wanted) this.#take(key, mode);
    return undefined;
  }

  release(held: ReadonlyMap<string, Hold>): void {
    for (const key of held.keys()) {
      const lock = this.#locks.get(key);
      if (!lock) continue;
      lock.holders--;
      if (lock.holders === 0) this.#next(key, lock);
    }
  }

  async #acquireInTurn(wanted: ReadonlyMap<string, Hold>): Promise<void> {
    const keys = [...wanted.keys()].sort();
    for (const key of keys) {
      const { mode } = wanted.get(key)!;
      if (this.#isFree(key, mode)) this.#take(key, mode);
      else await this.#turn(this.#locks.get(key)!, mode);
    }
  }

  #isFree(key: string, mode: LockMode): boolean {
    const lock = this.#locks.get(key);
    // Who came later must not overtake those who wait.
    return lock === undefined || (!lock.waiting?.length && mode === 'shared' && lock.mode === 'shared');
  }

  /** Takes a lock that is free. */
  #take(key: string, mode: LockMode): void {
    const lock = this.#locks.get(key);
    if (lock) lock.holders++;
    else this.#locks.set(key, { holders: 1, mode });
  }

  #turn(lock: Lock, mode: LockMode): Promise<void> {
    lock.waiting ??= [];
    const { waiting } = lock;
    return new Promise((grant) => waiting.push({ mode, grant }));
  }

  #next(key: string, lock: Lock): void {
    const { waiting } = lock;
    const first = waiting?.shift();
    if (!waiting || !first) {
      this.#locks.delete(key);
      return;
    }
    lock.holders = 1;
    lock.mode = first.mode;
    first.grant();
    while (lock.mode === 'shared' && waiting[0]?.mode === 'shared') {
      lock.holders++;
      waiting.shift()!.grant();
    }
  }
}
