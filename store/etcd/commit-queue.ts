import type { Clock } from '../../core/clock.ts';
import { AppError, errorText } from '../../core/errors.ts';
import { nextTurn } from '../../core/next-turn.ts';
import { Pause } from '../../core/pause.ts';
import type { Random } from '../../core/random.ts';
import type { CommitResult, Op, Txn } from '../store.ts';
import { BatchGathering } from './batch-gathering.ts';
import type { EtcdClient } from './etcd-client.ts';
import { EtcdError } from './etcd-error.ts';
import type { Follower } from './follower.ts';
import { decodeHead, encodeHead, type Head } from './layout.ts';
import type { Loader } from './loader.ts';
import type { EtcdKeyValue, TxnRequest } from './messages.ts';
import type { Content, Replica } from './replica.ts';
import { type BatchLimits, TxnBatch } from './txn-batch.ts';

/** Commits that wait for the one under way. */
const MAX_WAITING = 8192;
/** A batch takes no more once it has so many bytes: half of what etcd takes leaves room for one large transaction. */
const FULL_BATCH_BYTES = 1024 * 1024;
const MAX_BATCH_TXNS = 64;
const RETRY_MS = 100;
/** How long the watch may take to bring what etcd says is there before it is opened anew. */
const CATCH_UP_MS = 2000;
/** An outcome is looked for so long at least, however long its commit has waited. */
const MIN_RESOLVE_MS = 2000;
/** The last attempt takes so long, however late it is. */
const MIN_ATTEMPT_MS = 200;

interface Waiting {
  readonly txn: Txn;
  /** Monotonic; when it is refused if it has not been sent. */
  readonly until: number;
  readonly resolve: (result: CommitResult) => void;
  readonly reject: (error: unknown) => void;
}

export interface CommitQueueDeps {
  readonly client: Pick<EtcdClient, 'txn'>;
  readonly loader: Pick<Loader, 'head'>;
  readonly replica: Replica;
  readonly follower: Pick<Follower, 'restart'>;
  readonly clock: Clock;
  readonly random: Pick<Random, 'uuid'>;
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

/** What became of a transaction without an answer. */
type Outcome = 'committed' | 'refused' | 'unknown';

/** And the head that says so, when it is not known yet. */
export interface Resolution {
  readonly outcome: Outcome;
  readonly kv?: EtcdKeyValue;
}

/**
 * Commits one batch after another: evaluated on the replica, and sent as one transaction that etcd does only if the head
 * is the one that the replica knows. So whatever the batch relies on holds, in etcd, at the moment of the commit; and
 * whoever writes with an older view is refused. No answer is given before etcd has confirmed the view it came from.
 */
export class CommitQueue {
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
  /** The transaction whose outcome is looked for, and whether the watch has brought it. */
  #sought: { readonly id: string; seen: boolean } | undefined;

  constructor(deps: CommitQueueDeps, options: CommitQueueOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#pause = new Pause(deps.clock);
    deps.replica.onTransaction = (id) => {
      if (this.#sought?.id === id) this.#sought.seen = true;
    };
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

  /**
   * Waits until the replica knows etcd's revision `at`, which etcd told when it was asked about the generation of `seen`, or
   * knows another generation; opens its watch anew when that takes long. Whether the revision is known.
   */
  async catchUp(at: number, { generation }: Content, until: number): Promise<boolean> {
    const { replica, follower, clock } = this.#deps;
    while (!(await replica.reached(at, generation, clock, CATCH_UP_MS))) {
      const moved = replica.content.generation !== generation;
      if (moved || replica.failure || clock.monotonic() >= until) return false;
      follower.restart('starved');
    }
    return true;
  }

  /**
   * Finds out about the transaction `id`, which compared the head of `seen`, by putting another head in its place: once
   * that is done, or somebody has done it, the transaction can no longer take effect.
   */
  async resolve(id: string, seen: Content, until: number): Promise<Resolution> {
    const { clock, replica } = this.#deps;
    const loads = replica.loads;
    this.#sought = { id, seen: false };
    try {
      for (;;) {
        if (this.#sought.seen || replica.content.head.id === id) return { outcome: 'committed' };
        // What was loaded does not tell what happened before.
        if (replica.loads !== loads || replica.failure) return { outcome: 'unknown' };
        if (replica.content.headRevision > seen.headRevision) return { outcome: 'refused' };
        const kv = await this.#fence(seen, until);
        if (kv && decodeHead(kv.key, kv.value).id === id) return { outcome: 'committed', kv };
        if (kv) await this.catchUp(kv.modRevision, seen, until);
        if (clock.monotonic() >= until && replica.content.headRevision <= seen.headRevision) {
          return { outcome: 'unknown' };
        }
      }
    } finally {
      this.#sought = undefined;
    }
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
      await this.catchUp(etcdRevision, content, until);
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
    const sought = { id: head.id, seen: false };
    this.#sought = sought;
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
      const { outcome, kv } = full
        ? await this.#crossed(sought, content, until)
        : await this.resolve(head.id, content, until);
      if (outcome === 'refused' && full) throw error;
      if (outcome === 'refused') return false;
      if (outcome === 'unknown') throw outcomeUnknown(error);
      this.#lastId = head.id;
      if (kv) replica.applied(batch.events, head, kv.modRevision);
      return true;
    }
  }

  /** Etcd takes the transaction with which its quota is crossed, and yet answers that there is no space. */
  async #crossed(sought: { readonly id: string; seen: boolean }, seen: Content, until: number): Promise<Resolution> {
    const { loader, replica } = this.#deps;
    const { loads } = replica;
    try {
      const { kv, at } = await loader.head(seen.generation);
      if (kv && decodeHead(kv.key, kv.value).id === sought.id) return { outcome: 'committed', kv };
      if (kv?.modRevision === seen.headRevision) return { outcome: 'refused' };
      // Others have written since.
      const known = await this.catchUp(kv?.modRevision ?? at, seen, until);
      if (sought.seen) return { outcome: 'committed' };
      // What was loaded does not tell what happened before.
      return { outcome: known && replica.loads === loads ? 'refused' : 'unknown' };
    } catch (error) {
      if (!(error instanceof EtcdError)) throw error;
      return { outcome: 'unknown' };
    }
  }

  /** Puts an empty transaction in the place of one without an answer; the head that is there instead, if any. */
  async #fence(seen: Content, until: number): Promise<EtcdKeyValue | undefined> {
    const { client, replica, clock, random } = this.#deps;
    const { headRevision, head } = seen;
    const fence: Head = { ...head, id: random.uuid(), previous: headRevision, changes: [] };
    try {
      const leftMs = Math.max(until - clock.monotonic(), MIN_ATTEMPT_MS);
      const response = await client.txn(afterHead(seen, fence, []), Math.min(leftMs, this.#options.attemptMs));
      if (response.succeeded) replica.applied([], fence, response.header.revision);
      return response.ranges[0]?.kvs[0];
    } catch (error) {
      if (!(error instanceof EtcdError)) throw error;
      this.#lastError = error;
      await clock.sleep(RETRY_MS);
      return undefined;
    }
  }

  /** Whether a failed batch is worth another try: members may be away for a moment, a batch may be cut. */
  #mayHelp(error: unknown, taken: readonly Waiting[]): boolean {
    if (!(error instanceof EtcdError)) return false;
    if (error.reason === 'tooLarge' && taken.length > 1) {
      this.#maxTxns = Math.max(1, taken.length >> 1);
      return true;
    }
    return ['unreachable', 'timeout', 'busy', 'other', 'otherCluster'].includes(error.reason);
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

/** Puts a head and what goes with it in the place of the one that is known; gives the one that is there when another is. */
function afterHead({ layout, headRevision }: Content, head: Head, ops: TxnRequest['success']): TxnRequest {
  return {
    compares: [{ key: layout.head, modRevision: headRevision }],
    success: [{ kind: 'put', key: layout.head, value: [encodeHead(head)] }, ...ops],
    failure: [{ kind: 'range', key: layout.head }],
  };
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
