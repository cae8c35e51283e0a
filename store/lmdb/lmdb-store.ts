import { createReadStream } from 'node:fs';
import { type FileHandle, open, rm } from 'node:fs/promises';
import { AppError, errorText } from '../../core/errors.ts';
import { nextTurn } from '../../core/next-turn.ts';
import { ChangeHistory, compacted, type HistoryLimits } from '../change-history.ts';
import { checkRange } from '../key-order.ts';
import { readSnapshot, writeSnapshot } from '../snapshot-format.ts';
import type {
  CommitResult,
  KeyRange,
  ReadResult,
  Revision,
  Store,
  StoreEntry,
  StoreEvents,
  StoreTraits,
  StoreView,
  Txn,
} from '../store.ts';
import { checkTxn, type TxnLimits } from '../txn-rules.ts';
import { Batch, type PreparedTxn, prepareTxn } from './batch.ts';
import type { LmdbView } from './environment.ts';
import { JournaledTable, type JournaledTableDeps } from './journaled-table.ts';
import type { PinnedView } from './layered-view.ts';

/** One batch takes so much at most, so that its duration stays bounded. */
const MAX_BATCH_TXNS = 512;
const MAX_BATCH_BYTES = 1024 * 1024;
/** Commits that wait for the one under way. */
const MAX_WAITING = 8192;
const EVERYTHING: KeyRange = { start: '', end: '\u{10FFFF}' };

interface Waiting {
  readonly txn: PreparedTxn;
  readonly resolve: (result: CommitResult) => void;
  readonly reject: (error: unknown) => void;
}

export interface LmdbStoreDeps extends JournaledTableDeps {
  /** Releases what was taken for the environment; called once, after it is closed. */
  readonly onClose: () => void;
}

export interface LmdbStoreOptions {
  readonly dir: string;
  /** Where a snapshot is kept between its verification and its writing. */
  readonly spoolFile: string;
  readonly limits: TxnLimits;
  readonly history: HistoryLimits;
}

/**
 * A store on LMDB with a journal before it. Writers queue up; one loop takes all who wait, evaluates them one after
 * another and appends them to the journal together, so that they share one sync. LMDB gets the changes later, many at a
 * time; until then they lie in layers over its view. What is visible (reads, revision, watches) is what is on disk.
 */
export class LmdbStore implements Store {
  readonly traits: StoreTraits;
  readonly #deps: LmdbStoreDeps;
  readonly #options: LmdbStoreOptions;
  readonly #history: ChangeHistory;
  readonly #table: JournaledTable;
  #waiting: Waiting[] = [];
  /** Tasks that need the writer for themselves, such as the writing of a snapshot. */
  readonly #tasks: (() => Promise<void>)[] = [];
  #writer: Promise<void> | undefined;
  #closing: Promise<void> | undefined;

  /** `view` is the environment's present content and then belongs to the store. */
  constructor(deps: LmdbStoreDeps, options: LmdbStoreOptions, view: LmdbView) {
    this.#deps = deps;
    this.#options = options;
    this.#table = new JournaledTable(deps, options.dir, view);
    this.traits = { replicated: false, durable: true, historicReads: false, ...options.limits };
    this.#history = new ChangeHistory({ floor: view.meta.revision, limits: options.history });
  }

  revision(): Revision {
    return this.#table.revision;
  }

  async barrier(): Promise<Revision> {
    return this.#table.revision;
  }

  async read(range: KeyRange, at?: Revision): Promise<ReadResult> {
    this.#assertOpen();
    checkRange(range);
    const newest = this.revision();
    if (at !== undefined && at > newest) {
      throw new AppError('badRequest', `revision ${at} is not there yet; the newest is ${newest}`);
    }
    if (at !== undefined && at < newest) throw compacted(at, newest);
    const view = this.#table.layered().pin();
    try {
      const entries: StoreEntry[] = [];
      for await (const slice of view.slices(range)) entries.push(...slice);
      return { entries, revision: newest };
    } finally {
      view.release();
    }
  }

  async view(): Promise<StoreView> {
    this.#assertOpen();
    const view = this.#table.layered().pin();
    return {
      revision: view.revision,
      slices: (range) => checkedSlices(view, range),
      release: () => view.release(),
    };
  }

  commit(txn: Txn): Promise<CommitResult> {
    // What is thrown here rejects.
    return new Promise((resolve, reject) => {
      this.#assertWritable();
      checkTxn(txn, this.traits);
      if (this.#waiting.length >= MAX_WAITING) {
        throw new AppError('queueFull', `${MAX_WAITING} commits already wait for the disk; retry with back-off`);
      }
      this.#waiting.push({ txn: prepareTxn(txn), resolve, reject });
      this.#wakeWriter();
    });
  }

  watch(range: KeyRange, after: Revision, signal: AbortSignal): AsyncIterable<StoreEvents> {
    checkRange(range);
    return this.#history.watch(range, after, signal);
  }

  async *snapshot(signal: AbortSignal): AsyncGenerator<Uint8Array, void, void> {
    this.#assertOpen();
    const view = this.#table.layered().pin();
    try {
      for await (const chunk of writeSnapshot(view.revision, view.slices(EVERYTHING))) {
        if (signal.aborted) return;
        yield chunk;
      }
    } finally {
      view.release();
    }
  }

  async restore(chunks: AsyncIterable<Uint8Array>): Promise<Revision> {
    this.#assertWritable();
    const { spoolFile } = this.#options;
    try {
      const theirs = await this.#verify(chunks, spoolFile);
      return await this.#exclusively(() => this.#replaceBy(theirs, spoolFile));
    } finally {
      await rm(spoolFile, { force: true });
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.#writer;
    this.#history.close();
    // Should it fail, the journal still has everything.
    await this.#table.checkpoint().catch(() => {});
    this.#deps.journal.close();
    await this.#deps.environment.close();
    this.#deps.onClose();
  }

  #wakeWriter(): void {
    this.#writer ??= this.#write();
  }

  async #write(): Promise<void> {
    while (this.#waiting.length > 0 || this.#tasks.length > 0) {
      // Whoever was answered just now gets the chance to join the next batch.
      await nextTurn();
      await this.#tasks.shift()?.();
      const batch = this.#takeBatch();
      if (batch.length > 0) await this.#writeBatch(batch);
    }
    // Still in the turn in which nothing was left: a commit that comes now starts the writer again.
    this.#writer = undefined;
  }

  #takeBatch(): Waiting[] {
    let bytes = 0;
    let count = 0;
    while (count < this.#waiting.length && count < MAX_BATCH_TXNS && bytes < MAX_BATCH_BYTES) {
      bytes += this.#waiting[count++]!.txn.bytes;
    }
    return this.#waiting.splice(0, count);
  }

  async #writeBatch(waiting: readonly Waiting[]): Promise<void> {
    try {
      this.#table.assertWritable();
      const batch = new Batch(this.#table.layered());
      const results = waiting.map((one) => batch.add(one.txn));
      if (batch.events.length > 0) {
        await this.#table.append(batch);
        for (const [at, events] of batch.events.entries()) this.#history.append(events, batch.valueBytes[at]);
      }
      waiting.forEach((one, i) => {
        one.resolve(results[i]!);
      });
    } catch (error) {
      for (const one of waiting) one.reject(error);
    }
  }

  /** Copies a snapshot into the spool file and checks all of it; its revision. */
  async #verify(chunks: AsyncIterable<Uint8Array>, spoolFile: string): Promise<Revision> {
    let revision = 0;
    const onHeader = (theirs: Revision): void => {
      revision = theirs;
    };
    const spool = await open(spoolFile, 'w', 0o600);
    try {
      for await (const _ of readSnapshot(copied(chunks, spool), onHeader)) {
        // Only whether it can be read to its end matters here.
      }
    } finally {
      await spool.close();
    }
    return revision;
  }

  async #replaceBy(theirs: Revision, spoolFile: string): Promise<Revision> {
    const revision = await this.#table.replaceBy(
      theirs,
      readSnapshot(createReadStream(spoolFile), () => {}),
    );
    this.#history.reset(revision);
    await this.#table.clearSpare();
    return revision;
  }

  /** Runs `task` while no commit is under way; those that come meanwhile wait. */
  #exclusively<T>(task: () => Promise<T>): Promise<T> {
    this.#assertWritable();
    return new Promise((resolve, reject) => {
      this.#tasks.push(() => task().then(resolve, reject));
      this.#wakeWriter();
    });
  }

  #assertOpen(): void {
    if (this.#closing !== undefined) throw new AppError('shuttingDown', 'the store is closed');
  }

  #assertWritable(): void {
    this.#assertOpen();
    this.#table.assertWritable();
  }
}

async function* checkedSlices(view: PinnedView, range: KeyRange): AsyncGenerator<StoreEntry[], void, void> {
  checkRange(range);
  yield* view.slices(range);
}

async function* copied(chunks: AsyncIterable<Uint8Array>, spool: FileHandle): AsyncGenerator<Uint8Array, void, void> {
  for await (const chunk of chunks) {
    try {
      await spool.write(chunk);
    } catch (error) {
      throw new AppError('unavailable', `the data folder has no room for the snapshot: ${errorText(error)}`, {
        cause: error,
      });
    }
    yield chunk;
  }
}
