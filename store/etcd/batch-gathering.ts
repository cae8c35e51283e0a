/** A batch of fewer commits says nothing about those to come: one writer must never wait. */
const MIN_BATCH = 4;
/** Of what etcd took for the last batch; more would be felt by who has already waited for that one. */
const PART_OF_SYNC = 1 / 3;
const MIN_PAUSE_MS = 1;
const MAX_PAUSE_MS = 3;
/** After so many pauses in a row that brought nothing, so many batches go without one. */
const MAX_IDLE = 4;
const REST_BATCHES = 64;

/**
 * When a batch waits for more commits. A transaction costs etcd and every server far more than what is in it; the writers
 * of the last batch, answered just now by way of other servers, come back a moment later, and without a pause half of all
 * writers would always wait for the other half.
 */
export class BatchGathering {
  readonly #maxTxns: number;
  /** A batch with so many commits is not kept waiting; 0: no batch is. */
  #wanted = 0;
  #pauseMs = 0;
  #rest = 0;
  #idle = 0;

  constructor(options: { readonly maxTxns: number }) {
    this.#maxTxns = options.maxTxns;
  }

  /** Whether so many commits are worth no further waiting. */
  enough(waiting: number): boolean {
    return waiting >= this.#wanted;
  }

  /** How long the next batch may wait for more than the `waiting` that are there; 0 for not at all. */
  pauseMs(waiting: number): number {
    if (this.enough(waiting)) return 0;
    if (this.#rest > 0) {
      this.#rest--;
      return 0;
    }
    return this.#pauseMs;
  }

  /** A pause has brought so many. */
  paused(came: number): void {
    this.#idle = came === 0 ? this.#idle + 1 : 0;
    if (this.#idle < MAX_IDLE) return;
    this.#idle = 0;
    this.#rest = REST_BATCHES;
  }

  /** A batch was taken by etcd. `full`: further ones waited that did not fit. */
  sent(commits: number, batch: { readonly full: boolean; readonly tookMs: number }): void {
    this.#wanted = 0;
    if (commits < MIN_BATCH) return;
    this.#wanted = batch.full ? commits : Math.min(Math.ceil(commits * 1.5), this.#maxTxns);
    this.#pauseMs = Math.min(Math.max(batch.tookMs * PART_OF_SYNC, MIN_PAUSE_MS), MAX_PAUSE_MS);
  }
}
