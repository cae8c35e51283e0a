import { type KeyState, NO_KEY, stateText, step } from './key-model.ts';
import type { Operation } from './operations.ts';

/** `undecided`: the search was given up at its limits. */
export type Verdict = 'linearizable' | 'broken' | 'undecided';

export interface CheckLimits {
  /** Default 20 s. */
  readonly withinMs?: number;
  /** How many configurations are remembered at most; default a million. */
  readonly configurations?: number;
}

interface Frame {
  readonly state: KeyState;
  readonly candidates: readonly number[];
  next: number;
  /** The operation that led here. */
  readonly taken: number;
  /** The latest beginning of those that are in the order. */
  readonly latest: number;
}

/**
 * Whether one order of a key's operations explains all answers and keeps the order of those that did not overlap.
 * The search of Wing and Gong ("Testing and Verifying Concurrent Objects", 1993), remembering configurations as
 * Lowe ("Testing for linearizability", 2017). Operations with an unknown outcome may stay out of the order.
 */
export function checkKey(operations: readonly Operation[], limits: CheckLimits = {}): Verdict {
  return new Search(operations, limits).run();
}

class Search {
  readonly #operations: readonly Operation[];
  readonly #deadline: number;
  readonly #configurations: number;
  readonly #taken: Uint8Array;
  readonly #bits: Uint16Array;
  readonly #seen = new Set<string>();
  /** Answered operations that are not in the order yet. */
  #open: number;
  /** All before it are in the order, or unknown. */
  #from = 0;

  constructor(operations: readonly Operation[], limits: CheckLimits) {
    this.#operations = operations.toSorted((a, b) => a.start - b.start);
    this.#deadline = performance.now() + (limits.withinMs ?? 20_000);
    this.#configurations = limits.configurations ?? 1_000_000;
    this.#taken = new Uint8Array(operations.length);
    this.#bits = new Uint16Array(Math.ceil(operations.length / 16));
    this.#open = operations.filter(({ end }) => end !== Infinity).length;
  }

  run(): Verdict {
    const stack: Frame[] = [this.#frame(NO_KEY, -1, -1)];
    while (this.#open > 0) {
      const frame = stack.at(-1);
      if (!frame) return 'broken';
      if (this.#seen.size > this.#configurations || performance.now() > this.#deadline) return 'undecided';
      const next = this.#advance(frame);
      if (next) stack.push(next);
      else {
        stack.pop();
        if (frame.taken >= 0) this.#mark(frame.taken, false);
      }
    }
    return 'linearizable';
  }

  /** Takes the next candidate that fits and leads to something new. */
  #advance(frame: Frame): Frame | undefined {
    while (frame.next < frame.candidates.length) {
      const candidate = frame.candidates[frame.next++]!;
      const operation = this.#operations[candidate]!;
      if (operation.by !== undefined && frame.latest > operation.by) continue;
      const state = step(frame.state, operation);
      // An unknown one without an effect is as good as left out.
      if (state === undefined || (state === frame.state && operation.end === Infinity)) continue;
      this.#mark(candidate, true);
      const configuration = String.fromCharCode(...this.#bits) + stateText(state);
      if (!this.#seen.has(configuration)) {
        this.#seen.add(configuration);
        return this.#frame(state, candidate, Math.max(frame.latest, operation.start));
      }
      this.#mark(candidate, false);
    }
    return undefined;
  }

  /** What may come next: what began before the first end of those that are still open. Unknown ones come last. */
  #frame(state: KeyState, taken: number, latest: number): Frame {
    const answered: number[] = [];
    const unknown: number[] = [];
    let firstEnd = Infinity;
    for (let i = this.#from; i < this.#operations.length; i++) {
      const { start, end } = this.#operations[i]!;
      if (start > firstEnd) break;
      if (this.#taken[i]) continue;
      (end === Infinity ? unknown : answered).push(i);
      firstEnd = Math.min(firstEnd, end);
    }
    answered.sort((a, b) => this.#operations[a]!.end - this.#operations[b]!.end);
    return { state, candidates: [...answered, ...unknown], next: 0, taken, latest };
  }

  #mark(index: number, taken: boolean): void {
    this.#taken[index] = taken ? 1 : 0;
    this.#bits[index >> 4]! ^= 1 << (index & 15);
    if (this.#operations[index]!.end !== Infinity) this.#open += taken ? -1 : 1;
    if (!taken) this.#from = Math.min(this.#from, index);
    else while (this.#from < this.#taken.length && this.#taken[this.#from]) this.#from++;
  }
}
