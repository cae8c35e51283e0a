import { createReadStream } from 'node:fs';
import { type FileHandle, open, rm } from 'node:fs/promises';
import type { Clock } from '../../core/clock.ts';
import { AppError, errorText } from '../../core/errors.ts';
import type { Logger } from '../../core/log.ts';
import { nextTurn } from '../../core/next-turn.ts';
import { ChangeHistory, compacted, type HistoryLimits } from '../change-history.ts';
import { checkRange } from '../key-order.ts';
import { readSnapshot, writeSnapshot } from '../snapshot-format.ts';
import type {
  CommitResult,
  Key,
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
import type { LmdbEnvironment, LmdbView } from './environment.ts';
import type { Changes, Journal } from './journal.ts';
import { LayeredView, type PinnedView } from './layered-view.ts';
import { newRecord, recordLength, StoredRecord } from './record.ts';
import { STORE_FORMAT, type TableName } from './store-meta.ts';

/** One batch takes so much at most, so that its duration stays bounded. */
const MAX_BATCH_TXNS = 512;
const MAX_BATCH_BYTES = 1024 * 1024;
/** Commits that wait for the one under way. */
const MAX_WAITING = 8192;
/**
 * Changes beside LMDB at most: a range of them is looked through one by one. The more go at once, the fewer pages LMDB
 * writes for each, and the more it keeps in memory: a page for each change, for good. Half as many cost a tenth of the
 * registrations in a second.
 */
const MAX_LAYER_ENTRIES = 16_384;
const EVERYTHING: KeyRange = { start: '', end: '\u{10FFFF}' };
/** A healthy disk syncs in a few milliseconds; etcd warns at the same figure. */
const SLOW_SYNC_MS = 1000;

interface Waiting {
  readonly txn: PreparedTxn;
  readonly resolve: (result: CommitResult) => void;
  readonly reject: (error: unknown) => void;
}

export interface LmdbStoreDeps {
  readonly environment: LmdbEnvironment;
  /** With nothing that LMDB does not have. */
  readonly journal: Journal;
  readonly clock: Pick<Clock, 'monotonic'>;
  readonly log: Logger;
  /** Told of each sync to disk. */
  readonly onSync?: (seconds: number, txns: number) => void;
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
  readonly #environment: LmdbEnvironment;
  readonly #deps: LmdbStoreDeps;
  readonly #options: LmdbStoreOptions;
  readonly #history: ChangeHistory;
  #view: LmdbView;
  #revision: Revision;
  /** What the journal has and LMDB has not: changes that are on their way into LMDB, and those after them. */
  #leaving: Changes | undefined;
  #layer = new Map<Key, StoredRecord | null>();
  #checkpointing: Promise<void> | undefined;
  #waiting: Waiting[] = [];
  /** Tasks that need the writer for themselves, such as the writing of a snapshot. */
  readonly #tasks: (() => Promise<void>)[] = [];
  #writer: Promise<void> | undefined;
  #failure: AppError | undefined;
  #closing: Promise<void> | undefined;

  /** `view` is the environment's present content and then belongs to the store. */
  constructor(deps: LmdbStoreDeps, options: LmdbStoreOptions, view: LmdbView) {
    this.#deps = deps;
    this.#options = options;
    this.#environment = deps.environment;
    this.#view = view;
    this.#revision = view.meta.revision;
    this.traits = { replicated: false, durable: true, historicReads: false, ...options.limits };
    this.#history = new ChangeHistory({ floor: view.meta.revision, limits: options.history });
  }

  revision(): Revision {
    return this.#revision;
  }

  async barrier(): Promise<Revision> {
    return this.#revision;
  }

  async read(range: KeyRange, at?: Revision): Promise<ReadResult> {
    this.#assertOpen();
    checkRange(range);
    const newest = this.revision();
    if (at !== undefined && at > newest) {
      throw new AppError('badRequest', `revision ${at} is not there yet; the newest is ${newest}`);
    }
    if (at !== undefined && at < newest) throw compacted(at, newest);
    const view = this.#layered().pin();
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
    const view = this.#layered().pin();
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
    const view = this.#layered().pin();
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
    await this.#checkpoint().catch(() => {});
    this.#deps.journal.close();
    await this.#environment.close();
    this.#deps.onClose();
  }

  #layered(): LayeredView {
    const layers = this.#leaving ? [this.#leaving, this.#layer] : [this.#layer];
    return new LayeredView(this.#view, layers, this.#revision);
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
      if (this.#failure) throw this.#failure;
      const batch = new Batch(this.#layered());
      const results = waiting.map((one) => batch.add(one.txn));
      if (batch.events.length > 0) {
        await this.#append(batch);
        for (const [at, events] of batch.events.entries()) this.#history.append(events, batch.valueBytes[at]);
      }
      waiting.forEach((one, i) => {
        one.resolve(results[i]!);
      });
    } catch (error) {
      for (const one of waiting) one.reject(error);
    }
  }

  /** Puts a batch on disk, then shows it. */
  async #append(batch: Batch): Promise<void> {
    const { journal, clock } = this.#deps;
    const { revision } = batch;
    const record = journal.encode({ first: this.#revision + 1, last: revision, changes: batch.records });
    const started = clock.monotonic();
    const { rotated } = await this.#persist(record, batch);
    const tookMs = clock.monotonic() - started;
    this.#deps.onSync?.(tookMs / 1000, batch.events.length);
    if (tookMs > SLOW_SYNC_MS) this.#deps.log.warn('the disk is slow to sync', { tookMs: Math.round(tookMs) });
    this.#revision = revision;
    // A failure is logged, and the next commit is refused.
    if (rotated || this.#layer.size > MAX_LAYER_ENTRIES) this.#checkpoint().catch(() => {});
  }

  async #persist(record: Buffer, batch: Batch): Promise<{ rotated: boolean }> {
    const { journal } = this.#deps;
    if (journal.exceeds(record.length)) {
      // Such as a range of very many entries that is deleted: LMDB itself takes it.
      while (this.#layer.size > 0 || this.#checkpointing !== undefined) await this.#checkpoint();
      await this.#writeTable(this.#view.meta.active, batch.records, batch.revision);
      return { rotated: false };
    }
    while (!journal.fits(record.length)) await this.#checkpoint();
    const { rotated } = await this.#attempt(() => journal.append(record, batch.revision));
    for (const [key, change] of batch.records) this.#layer.set(key, change);
    return { rotated };
  }

  /** Brings into LMDB what the journal has beyond it; commits go on meanwhile. One at a time. */
  #checkpoint(): Promise<void> {
    this.#checkpointing ??= this.#checkpointNow().finally(() => {
      this.#checkpointing = undefined;
    });
    return this.#checkpointing;
  }

  async #checkpointNow(): Promise<void> {
    if (this.#failure) throw this.#failure;
    if (this.#layer.size === 0) return;
    const leaving = this.#layer;
    const revision = this.#revision;
    this.#leaving = leaving;
    this.#layer = new Map();
    await this.#writeTable(this.#view.meta.active, leaving, revision);
    this.#leaving = undefined;
  }

  /** Writes records and the meta entry that makes them the content of LMDB. */
  async #writeTable(active: TableName, records: Changes, revision: Revision): Promise<void> {
    const meta = { ...this.#view.meta, format: STORE_FORMAT, active, revision };
    await this.#attempt(() => this.#environment.write({ table: active, records, meta }));
    const view = this.#environment.view();
    if (view?.meta.revision !== revision) throw new AppError('internal', `revision ${revision} is not in the store`);
    this.#view.release();
    this.#view = view;
    this.#deps.journal.checkpointed(revision);
  }

  /** Runs a write; when it fails the store refuses every later one, because LMDB's own state is then unknown. */
  async #attempt<T>(write: () => Promise<T>): Promise<T> {
    if (this.#failure) throw this.#failure;
    try {
      return await write();
    } catch (error) {
      this.#failure = new AppError(
        'storeReadOnly',
        `the store in ${this.#options.dir} takes no more writes, because writing to the disk failed ` +
          `(${errorText(error)}); mend the disk or free space, then restart`,
        { cause: error, facts: { dir: this.#options.dir } },
      );
      this.#deps.log.error('the store is read-only from now on', { err: this.#failure });
      throw this.#failure;
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

  /** Fills the table that is not in use, then makes it the active one in one LMDB transaction with the new revision. */
  async #replaceBy(theirs: Revision, spoolFile: string): Promise<Revision> {
    await this.#checkpointing;
    const { active } = this.#view.meta;
    const spare: TableName = active === 'entries-a' ? 'entries-b' : 'entries-a';
    const revision = Math.max(theirs, this.revision()) + 1;
    await this.#attempt(() => this.#environment.clear(spare));
    let records = new Map<Key, StoredRecord>();
    let bytes = 0;
    for await (const entry of readSnapshot(createReadStream(spoolFile), () => {})) {
      const piece = newRecord(Buffer.allocUnsafe(recordLength(entry.value)), 0, entry.value);
      const record = StoredRecord.sealed(entry.key, piece, { createRevision: revision, modRevision: revision });
      records.set(entry.key, record);
      bytes += record.length;
      if (bytes < MAX_BATCH_BYTES) continue;
      const full = records;
      await this.#attempt(() => this.#environment.write({ table: spare, records: full }));
      records = new Map();
      bytes = 0;
    }
    await this.#writeTable(spare, records, revision);
    this.#layer = new Map();
    this.#revision = revision;
    this.#history.reset(revision);
    // The restore is done. Should this fail, the error is logged and the next open clears the table.
    await this.#attempt(() => this.#environment.clear(active)).catch(() => {});
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
    if (this.#failure) throw this.#failure;
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
