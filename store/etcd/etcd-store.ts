import type { Clock } from '../../core/clock.ts';
import { AppError } from '../../core/errors.ts';
import { compacted } from '../change-history.ts';
import { checkRange } from '../key-order.ts';
import { writeSnapshot } from '../snapshot-format.ts';
import type {
  CommitResult,
  KeyRange,
  ReadResult,
  Revision,
  Store,
  StoreEntry,
  StoreEvents,
  StoreFormat,
  StoreTraits,
  StoreView,
  Txn,
} from '../store.ts';
import { checkTxn, type TxnLimits } from '../txn-rules.ts';
import type { CommitQueue } from './commit-queue.ts';
import { EtcdError } from './etcd-error.ts';
import type { Follower } from './follower.ts';
import type { Loader } from './loader.ts';
import type { EtcdTls } from './member-connections.ts';
import type { Content, Replica } from './replica.ts';
import type { Restorer } from './restorer.ts';

const EVERYTHING: KeyRange = { start: '', end: '\u{10FFFF}' };
/** A read that is overtaken by compaction begins anew; more often than this is not by chance. */
const MAX_READS = 5;

/** How long the replica may take to know what a quorum knows. */
const BARRIER_MS = 5000;

export interface EtcdStoreDeps {
  readonly clock: Clock;
  readonly loader: Loader;
  readonly replica: Replica;
  readonly queue: CommitQueue;
  readonly follower: Pick<Follower, 'hindrance'>;
  readonly restorer: Restorer;
  readonly format: StoreFormat;
  readonly renewTls: (tls: EtcdTls) => void;
  /** Ends the watch and the connections; called once, when all commits are settled. */
  readonly onClose: () => Promise<void>;
}

/**
 * A store in etcd. Keys and revisions are known here (`Replica`), values are read from etcd. Several processes may have
 * the same store open; each sees the commits of all in the same order, with the same revisions.
 */
export class EtcdStore implements Store {
  readonly traits: StoreTraits;
  readonly format: StoreFormat;
  readonly #deps: EtcdStoreDeps;
  #closing: Promise<void> | undefined;

  constructor(deps: EtcdStoreDeps, limits: TxnLimits) {
    this.#deps = deps;
    this.format = deps.format;
    this.traits = { replicated: true, durable: true, historicReads: false, ...limits };
  }

  /** Replaces the certificates for etcd while everything goes on. */
  renewTls(tls: EtcdTls): void {
    this.#deps.renewTls(tls);
  }

  revision(): Revision {
    return this.#deps.replica.revision;
  }

  problem(): string | undefined {
    const { replica, follower } = this.#deps;
    return replica.failure?.message ?? follower.hindrance;
  }

  async barrier(): Promise<Revision> {
    this.#assertOpen();
    const { loader, replica, clock } = this.#deps;
    const until = clock.monotonic() + BARRIER_MS;
    for (;;) {
      const { generation, headRevision } = replica.content;
      const { kv, at } = await loader.head(generation);
      // Without a head a restore has put another generation in its place, of which the watch tells.
      const newest = kv?.modRevision ?? at;
      if (newest < headRevision) throw new AppError('unavailable', 'etcd knows less than it has told before; retry');
      const leftMs = until - clock.monotonic();
      if (await replica.reached(newest, generation, clock, leftMs)) return this.revision();
      this.#assertOpen();
      // What a quorum knows of another generation must be asked for anew.
      const moved = replica.content.generation !== generation;
      if (!moved || leftMs <= 0) throw new AppError('deadline', 'the watch on etcd lags behind; retry');
    }
  }

  async read(range: KeyRange, at?: Revision): Promise<ReadResult> {
    this.#assertOpen();
    checkRange(range);
    const newest = this.revision();
    if (at !== undefined && at > newest) {
      throw new AppError('badRequest', `revision ${at} is not there yet; the newest is ${newest}`);
    }
    if (at !== undefined && at < newest) throw compacted(at, newest);
    for (let attempt = 1; ; attempt++) {
      const { content } = this.#deps.replica;
      try {
        const entries: StoreEntry[] = [];
        for await (const slice of this.#slices(content, range)) entries.push(...slice);
        return { entries, revision: content.head.revision };
      } catch (error) {
        // What was asked for may be read at a newer revision, unless one was named.
        const again = error instanceof AppError && error.code === 'compacted' && at === undefined;
        if (!again || attempt === MAX_READS) throw error;
      }
    }
  }

  async view(): Promise<StoreView> {
    this.#assertOpen();
    const { content } = this.#deps.replica;
    return {
      revision: content.head.revision,
      slices: (range) => {
        checkRange(range);
        return this.#slices(content, range);
      },
      release() {},
    };
  }

  async commit(txn: Txn): Promise<CommitResult> {
    this.#assertOpen();
    checkTxn(txn, this.traits);
    return this.#deps.queue.commit(txn);
  }

  watch(range: KeyRange, after: Revision, signal: AbortSignal): AsyncIterable<StoreEvents> {
    checkRange(range);
    return this.#deps.replica.history.watch(range, after, signal);
  }

  async *snapshot(signal: AbortSignal): AsyncGenerator<Uint8Array, void, void> {
    this.#assertOpen();
    const { content } = this.#deps.replica;
    for await (const chunk of writeSnapshot(content.head.revision, this.#slices(content, EVERYTHING))) {
      if (signal.aborted) return;
      yield chunk;
    }
  }

  async restore(chunks: AsyncIterable<Uint8Array>): Promise<Revision> {
    this.#assertOpen();
    return this.#deps.restorer.restore(chunks);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.#deps.queue.settled();
    this.#deps.replica.history.close();
    await this.#deps.onClose();
  }

  /** Entries as of `content`, read at etcd's revision of its head, or, when that is compacted, at a newer equal one. */
  async *#slices(content: Content, range: KeyRange): AsyncGenerator<StoreEntry[], void, void> {
    let at = content.readRevision;
    let start = range.start;
    for (let attempt = 1; ; attempt++) {
      try {
        for await (const entries of this.#deps.loader.pages(content, { start, end: range.end }, at)) {
          this.#assertOpen();
          if (entries.length === 0) continue;
          yield entries;
          this.#assertOpen();
          // The next key after the last one that was given.
          start = `${entries.at(-1)!.key}\u0000`;
        }
        return;
      } catch (error) {
        if (!(error instanceof EtcdError && error.reason === 'compacted') || attempt === MAX_READS) throw error;
        at = await this.#repin(content);
      }
    }
  }

  /** A later revision of etcd at which the content is the same. @throws AppError `compacted` when it has changed. */
  async #repin(content: Content): Promise<number> {
    const { kv, at } = await this.#deps.loader.head(content.generation);
    if (kv?.modRevision !== content.headRevision) throw compacted(content.head.revision, this.revision());
    return at;
  }

  #assertOpen(): void {
    if (this.#closing !== undefined) throw new AppError('shuttingDown', 'the store is closed');
    if (this.#deps.replica.failure) throw this.#deps.replica.failure;
  }
}
