import type { RouteRequest } from '../../api/http/route.ts';
import { MAX_HANDED_WRITES } from './handed-writes.ts';

/** Requests under way at a time: while they are, further writes gather. */
const MAX_UNDER_WAY = 2;

interface Waiting<T> {
  readonly request: RouteRequest;
  readonly resolve: (outcome: T) => void;
  readonly reject: (error: unknown) => void;
}

export interface WriteBatchesDeps<T> {
  /** Sends some writes, at least one, and gives what becomes of each. */
  readonly send: (requests: readonly RouteRequest[]) => readonly Promise<T>[];
  /** What becomes of those that wait when nothing is known of all that were sent before them. */
  readonly notSent: () => T;
}

/** Gathers the writes of a turn of the event loop, so that they are sent together. Who calls bounds how many wait. */
export class WriteBatches<T> {
  readonly #deps: WriteBatchesDeps<T>;
  #waiting: Waiting<T>[] = [];
  #underWay = 0;
  #scheduled = false;

  constructor(deps: WriteBatchesDeps<T>) {
    this.#deps = deps;
  }

  add(request: RouteRequest): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ request, resolve, reject });
      this.#schedule();
    });
  }

  #schedule(): void {
    if (this.#scheduled || this.#underWay >= MAX_UNDER_WAY || this.#waiting.length === 0) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      void this.#sendSome();
    });
  }

  async #sendSome(): Promise<void> {
    const batch = this.#waiting.splice(0, MAX_HANDED_WRITES);
    this.#underWay++;
    // Others may go side by side with these.
    this.#schedule();
    const outcomes = this.#deps.send(batch.map(({ request }) => request));
    batch.forEach(({ resolve, reject }, at) => void outcomes[at]!.then(resolve, reject));
    const settled = await Promise.allSettled(outcomes);
    this.#underWay--;
    // They must not wait for one deadline after another.
    if (settled.every(({ status }) => status === 'rejected')) this.#letGo();
    this.#schedule();
  }

  #letGo(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { resolve } of waiting) resolve(this.#deps.notSent());
  }
}
