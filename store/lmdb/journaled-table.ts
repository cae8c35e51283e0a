import type { Clock } from '../../core/clock.ts';
import { AppError, errorText } from '../../core/errors.ts';
import type { Logger } from '../../core/log.ts';
import type { Key, Revision, StoreEntry } from '../store.ts';
import type { Batch } from './batch.ts';
import type { LmdbEnvironment, LmdbView } from './environment.ts';
import type { Changes, Journal } from './journal.ts';
import { LayeredView } from './layered-view.ts';
import { newRecord, recordLength, StoredRecord } from './record.ts';
import { STORE_FORMAT, type TableName } from './store-meta.ts';

/**
 * Changes beside LMDB at most: a range of them is looked through one by one. The more go at once, the fewer pages LMDB
 * writes for each, and the more it keeps in memory: a page for each change, for good. Half as many cost a tenth of the
 * registrations in a second.
 */
const MAX_LAYER_ENTRIES = 16_384;
/** Records of a snapshot go into LMDB so many bytes at a time. */
const MAX_WRITE_BYTES = 1024 * 1024;
/** A healthy disk syncs in a few milliseconds; etcd warns at the same figure. */
const SLOW_SYNC_MS = 1000;

export interface JournaledTableDeps {
  readonly environment: LmdbEnvironment;
  /** With nothing that LMDB does not have. */
  readonly journal: Journal;
  readonly clock: Pick<Clock, 'monotonic'>;
  readonly log: Logger;
  /** Told of each sync to disk. */
  readonly onSync?: (seconds: number, txns: number) => void;
}

/**
 * What is stored: LMDB's active table, and over it what so far only the journal has, which goes into LMDB many changes at a
 * time. One batch is appended at a time, by who calls.
 */
export class JournaledTable {
  readonly #deps: JournaledTableDeps;
  readonly #dir: string;
  #view: LmdbView;
  #revision: Revision;
  /** What the journal has and LMDB has not: changes that are on their way into LMDB, and those after them. */
  #leaving: Changes | undefined;
  #layer = new Map<Key, StoredRecord | null>();
  #checkpointing: Promise<void> | undefined;
  #failure: AppError | undefined;

  /** `view` is the environment's present content and then belongs to the table. `dir`: where all this lies, for errors. */
  constructor(deps: JournaledTableDeps, dir: string, view: LmdbView) {
    this.#deps = deps;
    this.#dir = dir;
    this.#view = view;
    this.#revision = view.meta.revision;
  }

  /** Of what is on disk. */
  get revision(): Revision {
    return this.#revision;
  }

  /** @throws AppError `storeReadOnly` once a write has failed. */
  assertWritable(): void {
    if (this.#failure) throw this.#failure;
  }

  /** All that is on disk now. */
  layered(): LayeredView {
    const layers = this.#leaving ? [this.#leaving, this.#layer] : [this.#layer];
    return new LayeredView(this.#view, layers, this.#revision);
  }

  /** Puts a batch on disk, then shows it. */
  async append(batch: Batch): Promise<void> {
    const { journal, clock, log } = this.#deps;
    const { revision } = batch;
    const record = journal.encode({ first: this.#revision + 1, last: revision, changes: batch.records });
    const started = clock.monotonic();
    const { rotated } = await this.#persist(record, batch);
    const tookMs = clock.monotonic() - started;
    this.#deps.onSync?.(tookMs / 1000, batch.events.length);
    if (tookMs > SLOW_SYNC_MS) log.warn('the disk is slow to sync', { tookMs: Math.round(tookMs) });
    this.#revision = revision;
    // A failure is logged, and the next commit is refused.
    if (rotated || this.#layer.size > MAX_LAYER_ENTRIES) this.checkpoint().catch(() => {});
  }

  async #persist(record: Buffer, batch: Batch): Promise<{ rotated: boolean }> {
    const { journal } = this.#deps;
    if (journal.exceeds(record.length)) {
      // Such as a range of very many entries that is deleted: LMDB itself takes it.
      while (this.#layer.size > 0 || this.#checkpointing !== undefined) await this.checkpoint();
      await this.#writeTable(this.#view.meta.active, batch.records, batch.revision);
      return { rotated: false };
    }
    while (!journal.fits(record.length)) await this.checkpoint();
    const { rotated } = await this.#attempt(() => journal.append(record, batch.revision));
    for (const [key, change] of batch.records) this.#layer.set(key, change);
    return { rotated };
  }

  /** Brings into LMDB what the journal has beyond it; commits go on meanwhile. One at a time. */
  checkpoint(): Promise<void> {
    this.#checkpointing ??= this.#checkpointNow().finally(() => {
      this.#checkpointing = undefined;
    });
    return this.#checkpointing;
  }

  async #checkpointNow(): Promise<void> {
    this.assertWritable();
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
    await this.#attempt(() => this.#deps.environment.write({ table: active, records, meta }));
    const view = this.#deps.environment.view();
    if (view?.meta.revision !== revision) throw new AppError('internal', `revision ${revision} is not in the store`);
    this.#view.release();
    this.#view = view;
    this.#deps.journal.checkpointed(revision);
  }

  /** Runs a write; when it fails the store refuses every later one, because LMDB's own state is then unknown. */
  async #attempt<T>(write: () => Promise<T>): Promise<T> {
    this.assertWritable();
    try {
      return await write();
    } catch (error) {
      this.#failure = new AppError(
        'storeReadOnly',
        `the store in ${this.#dir} takes no more writes, because writing to the disk failed ` +
          `(${errorText(error)}); mend the disk or free space, then restart`,
        { cause: error, facts: { dir: this.#dir } },
      );
      this.#deps.log.error('the store is read-only from now on', { err: this.#failure });
      throw this.#failure;
    }
  }

  /**
   * Fills the table that is not in use, then makes it the active one in one LMDB transaction with the new revision, which it
   * gives: above `theirs`. Nothing else may be written meanwhile.
   */
  async replaceBy(theirs: Revision, entries: AsyncIterable<StoreEntry>): Promise<Revision> {
    await this.#checkpointing;
    const spare = this.#spare;
    const revision = Math.max(theirs, this.#revision) + 1;
    await this.#attempt(() => this.#deps.environment.clear(spare));
    let records = new Map<Key, StoredRecord>();
    let bytes = 0;
    for await (const entry of entries) {
      const piece = newRecord(Buffer.allocUnsafe(recordLength(entry.value)), 0, entry.value);
      const record = StoredRecord.sealed(entry.key, piece, { createRevision: revision, modRevision: revision });
      records.set(entry.key, record);
      bytes += record.length;
      if (bytes < MAX_WRITE_BYTES) continue;
      const full = records;
      await this.#attempt(() => this.#deps.environment.write({ table: spare, records: full }));
      records = new Map();
      bytes = 0;
    }
    await this.#writeTable(spare, records, revision);
    this.#layer = new Map();
    this.#revision = revision;
    return revision;
  }

  /** Gives back the room of what was replaced. Should this fail, the error is logged and the next open does it. */
  async clearSpare(): Promise<void> {
    const spare = this.#spare;
    await this.#attempt(() => this.#deps.environment.clear(spare)).catch(() => {});
  }

  /** The table that is not in use. */
  get #spare(): TableName {
    return this.#view.meta.active === 'entries-a' ? 'entries-b' : 'entries-a';
  }
}
