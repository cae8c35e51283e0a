import { AppError, errorText } from '../../core/errors.ts';
import { nextTurn } from '../../core/next-turn.ts';
import { Pause } from '../../core/pause.ts';
import type { CommitResult, Op, Txn } from '../store.ts';
import { BatchGathering } from './batch-gathering.ts';
import { EtcdError } from './etcd-error.ts';
import type { Head } from './layout.ts';
import { afterHead, OutcomeSearch, type OutcomeSearchDeps } from './outcome-search.ts';
import type { Content } from './replica.ts';
import { type BatchLimits, TxnBatch } from './txn-batch.ts';

/** Commits that wait for the one under way. */
const MAX_WAITING = 8192;
/** A batch takes no more once it has so many bytes: half of what etcd takes leaves room for one large transaction. */
const FULL_BATCH_BYTES = 1024 * 1024;
const MAX_BATCH_TXNS = 64;
const RETRY_MS = 100;
/** An outcome is looked for so long at least, however long its commit has waited. */
const MIN_RESOLVE_MS = 2000;

interface Waiting {
  readonly txn: Txn;
  /** Monotonic; when it is refused if it has not been sent. */
  readonly until: number;
  readonly resolve: (result: CommitResult) => void;
  readonly reject: (error: unknown) => void;
}

export interface CommitQueueDeps extends OutcomeSearchDeps {
  readonly onSync?: (seconds: number, txns: number) => void;
  /** Called when etcd refuses a write for its quota. */
  readonly onNoSpace?: () => void;
}

export interface CommitQueueOptions {
  /** Operations of one transaction beside the head's. */
  readonly maxOps: number;
  /** How long a commit may wait for etcd. */
  readonly commitMs: number;
  /** How long etcd may take for one transaction. What was on its way to a leader that died it may never answer. */
  readonly attemptMs: number;
}

/**
 * Commits one batch after another: evaluated on the replica, and sent as one transaction that etcd does only if the head
 * is the one that the replica knows. So whatever the batch relies on holds, in etcd, at the moment of the commit; and
 * whoever writes with an older view is refused. No answer is given before etcd has confirmed the view it came from.
 */
export class CommitQueue {
  /** What became of transactions that etcd has not answered. */
  readonly outcomes: OutcomeSearch;
  readonly #deps: CommitQueueDeps;
  readonly #options: CommitQueueOptions;
  readonly #gathering = new BatchGathering({ maxTxns: MAX_BATCH_TXNS });
  /** While more commits are waited for. */
  readonly #pause: Pause;
  #waiting: Waiting[] = [];
  /** Tasks that need the writer for themselves. */
  readonly #tasks: (() => Promise<void>)[] = [];
  #writer: Promise<void> | undefined;
  #maxTxns = MAX_BATCH_TXNS;
  /** Why the last attempt came to nothing. */
  #lastError: unknown;
  /** Whether that was the last thing that etcd was asked for. */
  #failing = false;
  /** Of the last transaction that etcd has taken from here. */
  #lastId = '';

  constructor(deps: CommitQueueDeps, options: CommitQueueOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#pause = new Pause(deps.clock);
    this.outcomes = new OutcomeSearch(deps, options);
  }

  /** Takes the transaction, whose values it copies. @throws AppError `queueFull`. */
  commit(txn: Txn): Promise<CommitResult> {
    if (this.#waiting.length >= MAX_WAITING) {
      throw new AppError('queueFull', `${MAX_WAITING} commits already wait for etcd; retry with back-off`);
    }
    const copied = { compares: txn.compares, ops: txn.ops.map(copyOp) };
    const until = this.#deps.clock.monotonic() + this.#options.commitMs;
    return new Promise((resolve, reject) => {
      this.#waiting.push({ txn: copied, until, resolve, reject });
      if (this.#gathering.enough(this.#waiting.length)) this.#pause.resume();
      this.#wake();
    });
  }

  /** Runs `task` while no commit is under way; those that come meanwhile wait. */
  exclusively<T>(task: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#tasks.push(() => task().then(resolve, reject));
      this.#pause.resume();
      this.#wake();
    });
  }

  /** Whether the newest transaction of the store is one of this process. */
  get wroteLast(): boolean {
    return this.#deps.replica.content.head.id === this.#lastId;
  }

  /** Resolves when nothing waits any more. */
  async settled(): Promise<void> {
    await this.#writer;
  }

  #wake(): void {
    this.#writer ??= this.#write();
  }

  async #write(): Promise<void> {
    while (this.#waiting.length > 0 || this.#tasks.length > 0) {
      // Whoever was answered just now gets the chance to join the next batch.
      await nextTurn();
      if (this.#tasks.length === 0) await this.#gather();
      await this.#tasks.shift()?.();
      this.#refuseLate();
      if (this.#waiting.length > 0) await this.#step();
    }
    // Still in the turn in which nothing was left: a commit that comes now starts the writer again.
    this.#writer = undefined;
  }

  /** Waits a little for more commits where they are to be expected. */
  async #gather(): Promise<void> {
    const before = this.#waiting.length;
    const ms = this.#gathering.pauseMs(before);
    if (ms === 0) return;
    await this.#pause.wait(ms);
    this.#gathering.paused(this.#waiting.length - before);
  }

  /** Takes a batch, and either answers it or puts it back for another try. */
  async #step(): Promise<void> {
    const { replica, clock } = this.#deps;
    if (replica.failure) return this.#reject(this.#waiting.splice(0), replica.failure);
    const { content } = replica;
    const base = { index: content.index, revision: content.head.revision, layout: content.layout };
    const batch = new TxnBatch(base, this.#batchLimits());
    let count = 0;
    while (count < this.#waiting.length && batch.add(this.#waiting[count]!.txn)) count++;
    const full = count < this.#waiting.length;
    const taken = this.#waiting.splice(0, count);
    const begun = clock.monotonic();
    try {
      const done = batch.ops.length === 0 ? await this.#confirm(content) : await this.#send(batch, content, taken);
      this.#failing = false;
      if (done) {
        this.#gathering.sent(count, { full, tookMs: clock.monotonic() - begun });
        // One that was too large by itself must not keep the later batches small.
        this.#maxTxns = Math.min(this.#maxTxns + 1, MAX_BATCH_TXNS);
        taken.forEach((one, i) => {
          one.resolve(batch.results[i]!);
        });
      } else {
        this.#waiting.unshift(...taken);
      }
    } catch (error) {
      this.#lastError = error;
      this.#failing = true;
      if (!this.#mayHelp(error, taken)) return this.#reject(taken, error);
      this.#waiting.unshift(...taken);
      await clock.sleep(RETRY_MS);
    }
  }

  /** Whether the view that the answers come from is the newest. */
  async #confirm(content: Content): Promise<boolean> {
    const { kv, at } = await this.#deps.loader.head(content.generation);
    if (kv?.modRevision === content.headRevision) return true;
    await this.#meet(kv?.modRevision ?? at, content, this.#deps.clock.monotonic() + this.#options.commitMs);
    return false;
  }

  /** Goes on when this process knows the head that etcd has in the place of the one of `content`. */
  async #meet(etcdRevision: number, content: Content, until: number): Promise<void> {
    if (etcdRevision >= content.headRevision) {
      await this.outcomes.catchUp(etcdRevision, content, until);
      return;
    }
    // A quorum knows less than it has told: loading says what has become of the store.
    this.#deps.follower.restart('gap');
    await this.#deps.clock.sleep(RETRY_MS);
  }

  /** Whether etcd has taken the batch. @throws EtcdError when it certainly has not; AppError `outcomeUnknown`. */
  async #send(batch: TxnBatch, content: Content, taken: readonly Waiting[]): Promise<boolean> {
    const { client, replica, clock } = this.#deps;
    const head: Head = {
      id: this.#deps.random.uuid(),
      revision: batch.revision,
      base: content.head.base,
      previous: content.headRevision,
      changes: batch.events.map((events) => events.changes.length),
      content: batch.content,
    };
    const started = clock.monotonic();
    const until = Math.max(taken[0]!.until, started + MIN_RESOLVE_MS);
    const sought = this.outcomes.begin(head.id);
    try {
      const response = await client.txn(afterHead(content, head, batch.ops), this.#options.attemptMs);
      if (response.succeeded) {
        this.#deps.onSync?.((clock.monotonic() - started) / 1000, batch.events.length);
        this.#lastId = head.id;
        replica.applied(batch.events, head, response.header.revision);
        return true;
      }
      await this.#meet(response.ranges[0]?.kvs[0]?.modRevision ?? response.header.revision, content, until);
      return false;
    } catch (error) {
      if (!(error instanceof EtcdError)) throw error;
      const full = error.reason === 'noSpace';
      if (full) this.#deps.onNoSpace?.();
      if (!full && !error.sent) throw error;
      const failed = (later: unknown): void => {
        this.#lastError = later;
      };
      const { outcome, kv } = full
        ? await this.outcomes.crossed(sought, content, until)
        : await this.outcomes.resolve(sought, content, { until, failed });
      if (outcome === 'refused' && full) throw error;
      if (outcome === 'refused') return false;
      if (outcome === 'unknown') throw outcomeUnknown(error);
      this.#lastId = head.id;
      if (kv) replica.applied(batch.events, head, kv.modRevision);
      return true;
    }
  }

  /** Whether a failed batch is worth another try: members may be away for a moment, a batch may be cut. */
  #mayHelp(error: unknown, taken: readonly Waiting[]): boolean {
    if (!(error instanceof EtcdError)) return false;
    if (error.reason === 'tooLarge' && taken.length > 1) {
      this.#maxTxns = Math.max(1, taken.length >> 1);
      return true;
    }
    return error.mayPass;
  }

  #batchLimits(): BatchLimits {
    return { maxOps: this.#options.maxOps, fullBytes: FULL_BATCH_BYTES, maxTxns: this.#maxTxns };
  }

  /** Those whose time is over; also those that would only be sent to end in doubt, while etcd does not answer. */
  #refuseLate(): void {
    const { commitMs, attemptMs } = this.#options;
    const now = this.#deps.clock.monotonic();
    const needMs = this.#failing ? Math.min(attemptMs, commitMs / 4) : 0;
    let late = 0;
    while (late < this.#waiting.length && this.#waiting[late]!.until - needMs <= now) late++;
    if (late === 0) return;
    const why = this.#lastError === undefined ? 'others wrote all the time' : errorText(this.#lastError);
    const seconds = ((now - this.#waiting[0]!.until + commitMs) / 1000).toFixed(1);
    const error = new AppError('unavailable', `etcd took no write for ${seconds} s (${why})`, {
      cause: this.#lastError,
    });
    this.#reject(this.#waiting.splice(0, late), error);
  }

  #reject(waiting: readonly Waiting[], error: unknown): void {
    for (const one of waiting) one.reject(error);
  }
}

function outcomeUnknown(cause: EtcdError): AppError {
  return new AppError(
    'outcomeUnknown',
    `whether etcd has taken the write could not be found out (${cause.message}); read before deciding`,
    { cause },
  );
}

function copyOp(op: Op): Op {
  return op.kind === 'put' ? { ...op, value: new Uint8Array(op.value) } : op;
}
