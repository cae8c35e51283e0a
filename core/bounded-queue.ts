import { AppError } from './errors.ts';

/**
 * A first-in first-out queue with a fixed capacity. `push` refuses when full (nothing is dropped silently); one or more
 * consumers wait in `take`.
 */
export class BoundedQueue<T> {
  readonly #items: T[] = [];
  readonly #waiting: ((item: T | undefined) => void)[] = [];
  readonly #capacity: number;
  readonly #name: string;
  #closed = false;

  constructor(name: string, capacity: number) {
    this.#name = name;
    this.#capacity = capacity;
  }

  get size(): number {
    return this.#items.length;
  }

  /** @throws AppError `queueFull` when the capacity is reached, `shuttingDown` after `close`. */
  push(item: T): void {
    if (this.#closed) throw new AppError('shuttingDown', `queue ${this.#name} is closed`);
    const consumer = this.#waiting.shift();
    if (consumer) {
      consumer(item);
      return;
    }
    if (this.#items.length >= this.#capacity) {
      throw new AppError('queueFull', `queue ${this.#name} is full (${this.#capacity}); try again later`);
    }
    this.#items.push(item);
  }

  /** The next item, or undefined once the queue is closed and empty, or the signal aborted. */
  take(signal?: AbortSignal): Promise<T | undefined> {
    if (this.#items.length > 0) return Promise.resolve(this.#items.shift());
    if (this.#closed || signal?.aborted) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      const settle = (item: T | undefined) => {
        signal?.removeEventListener('abort', onAbort);
        resolve(item);
      };
      const onAbort = () => {
        const at = this.#waiting.indexOf(settle);
        if (at >= 0) this.#waiting.splice(at, 1);
        resolve(undefined);
      };
      this.#waiting.push(settle);
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  }

  /** Refuses further items; consumers drain what is left. */
  close(): void {
    this.#closed = true;
    for (const settle of this.#waiting.splice(0)) settle(undefined);
  }
}
