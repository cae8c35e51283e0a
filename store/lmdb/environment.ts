import { type Database, open, type RootDatabase, type Transaction } from 'lmdb';
import { AppError } from '../../core/errors.ts';
import { compareKeys } from '../key-order.ts';
import type { Key, KeyRange, StoreEntry } from '../store.ts';
import { type RecordRevisions, recordEntry, recordRevisions, type StoredRecord } from './record.ts';
import { decodeMeta, encodeMeta, type StoreMeta, TABLES, type TableName } from './store-meta.ts';

const META_TABLE = 'meta';
const META_KEY = 'meta';
export const DATA_FILE = 'data.mdb';

/** Of values, in one slice: what is read at once stays small however large the values are. */
const SLICE_BYTES = 128 * 1024;

/** Revisions that a view remembers: writers rely on the same few keys again and again. */
const MAX_KNOWN = 1024;

type Table = Database<Buffer, Key>;
/** What the types of lmdb-js leave out: its `get` itself passes the transaction on. */
type FastReads = { getBinaryFast(key: Key, options: { transaction: Transaction }): Buffer | undefined };

/** Keys go to LMDB and come back as texts, without a buffer for each. */
const keyEncoder = {
  writeKey(key: Key | Uint8Array, target: Buffer, at: number): number {
    if (typeof key === 'string') return at + target.write(key, at);
    // lmdb-js's own, such as an empty one where it clears a table.
    target.set(key, at);
    return at + key.length;
  },
  readKey: (source: Buffer, start: number, end: number): Key => source.toString('utf8', start, end),
};

/**
 * Copies what LMDB shows of a record into the memory that small buffers share: one of its own for each of a large
 * catalog's records takes longer, and leaves the process larger than they were.
 */
const encoder = {
  encode: (record: Buffer): Buffer => record,
  decode(shown: Buffer): Buffer {
    const record = Buffer.allocUnsafe(shown.length);
    shown.copy(record, 0, 0, record.length);
    return record;
  },
};
const FORM = { keyEncoder, encoder };

/** What one LMDB transaction writes: records by key, `null` for a deletion, and the meta entry. */
export interface TableWrites {
  readonly table: TableName;
  readonly records: ReadonlyMap<Key, StoredRecord | null>;
  readonly meta?: StoreMeta;
}

/**
 * The LMDB environment of one data folder. Writes run on a thread of their own and resolve after LMDB has synced first
 * the data pages (fdatasync), then the meta page (a write through an O_DSYNC descriptor). At most one write may be under
 * way at a time. After a write has failed no other must be tried: LMDB's own state is then undefined for writers.
 */
export class LmdbEnvironment {
  readonly #root: RootDatabase<Buffer, Key>;
  readonly #meta: Table;
  readonly #tables: Readonly<Record<TableName, Table>>;
  readonly #views = new Set<LmdbView>();

  /** Opens the folder's environment or creates it. `mapBytes` bounds the data file; address space, not memory. */
  constructor(options: { dir: string; mapBytes: number }) {
    this.#root = open<Buffer, Key>({
      path: options.dir,
      // LMDB's own order of syncs, without lmdb-js's asynchronous ones.
      overlappingSync: false,
      // One `write` is one transaction.
      eventTurnBatching: false,
      mapSize: options.mapBytes,
      ...FORM,
    });
    const table = (name: string): Table => this.#root.openDB({ name, ...FORM });
    this.#meta = table(META_TABLE);
    this.#tables = { 'entries-a': table(TABLES[0]), 'entries-b': table(TABLES[1]) };
  }

  /** The content as the last finished write left it; to be released. Undefined when there is no meta entry yet. */
  view(): LmdbView | undefined {
    this.#meta.resetReadTxn();
    const transaction = this.#meta.useReadTransaction();
    const bytes = this.#meta.get(META_KEY, { transaction });
    if (!bytes) {
      transaction.done();
      return undefined;
    }
    const meta = decodeMeta(bytes);
    const view = new LmdbView(this.#tables[meta.active], transaction, meta, () => this.#views.delete(view));
    this.#views.add(view);
    return view;
  }

  /** All or nothing, on disk when it resolves. @throws the system's error, such as EIO or ENOSPC. */
  async write(writes: TableWrites): Promise<void> {
    const table = this.#tables[writes.table];
    await this.#settled(
      table.batch(() => {
        for (const [key, record] of writes.records) {
          // The promises of single operations say nothing that the batch's own does not.
          if (record) void table.put(key, record.bytes);
          else void table.remove(key);
        }
        if (writes.meta) void this.#meta.put(META_KEY, encodeMeta(writes.meta));
      }),
    );
  }

  /** Empties a table; on disk when it resolves. Views still see what they saw. */
  async clear(table: TableName): Promise<void> {
    // Without a start of ours, lmdb-js begins at one that is not the lowest.
    if (this.#tables[table].getKeysCount({ start: undefined, limit: 1 }) === 0) return;
    await this.#settled(this.#tables[table].clearAsync());
  }

  async close(): Promise<void> {
    for (const view of [...this.#views]) view.end();
    await this.#root.close();
  }

  async #settled(operation: Promise<unknown>): Promise<void> {
    try {
      await operation;
    } catch (error) {
      // lmdb-js gives the cause as a promise that rejects with it.
      const cause = (error as { commitError?: Promise<never> }).commitError;
      if (cause !== undefined) await cause;
      throw error;
    }
  }
}

/** The content at one revision, for as long as somebody uses it. No cursor stays open between calls. */
export class LmdbView {
  readonly meta: StoreMeta;
  readonly #table: Table;
  readonly #transaction: Transaction;
  readonly #onEnd: () => void;
  readonly #known = new Map<Key, RecordRevisions>();
  #users = 1;

  constructor(table: Table, transaction: Transaction, meta: StoreMeta, onEnd: () => void) {
    this.#table = table;
    this.#transaction = transaction;
    this.meta = meta;
    this.#onEnd = onEnd;
  }

  /** One more user, who must `release`. */
  retain(): this {
    this.#assertAlive();
    this.#users++;
    return this;
  }

  release(): void {
    if (this.#users > 0 && --this.#users === 0) this.#finish();
  }

  /** Ends it for all users; their next call is refused with `shuttingDown`. */
  end(): void {
    if (this.#users === 0) return;
    this.#users = 0;
    this.#finish();
  }

  /** When a key was made and last put; undefined when it is absent. */
  revisions(key: Key): RecordRevisions | undefined {
    const known = this.#known.get(key);
    if (known) return known;
    this.#assertAlive();
    // What it gives is lmdb-js's own buffer, until the next call.
    const record = (this.#table as FastReads).getBinaryFast(key, { transaction: this.#transaction });
    if (record === undefined) return undefined;
    const revisions = recordRevisions(record);
    if (this.#known.size >= MAX_KNOWN) this.#known.clear();
    this.#known.set(key, revisions);
    return revisions;
  }

  /**
   * Up to `limit` entries of the range in key order, fewer when their values are large, and where to go on if there may be
   * more.
   */
  slice(range: KeyRange, limit: number, from?: Key): { entries: StoreEntry[]; next: Key | undefined } {
    this.#assertAlive();
    const { end } = range;
    const start = from ?? (range.start === '' ? undefined : range.start);
    if (compareKeys(start ?? '', end) >= 0) return { entries: [], next: undefined };
    const entries: StoreEntry[] = [];
    let last: Key | undefined;
    let bytes = 0;
    for (const { key, value } of this.#table.getRange({ start, end, limit, transaction: this.#transaction })) {
      entries.push(recordEntry(key, value));
      last = key;
      bytes += value.length;
      if (bytes >= SLICE_BYTES) break;
    }
    const more = last !== undefined && (entries.length === limit || bytes >= SLICE_BYTES);
    // The least key above `last` is `last` and a zero byte.
    return { entries, next: more ? `${last}\u0000` : undefined };
  }

  /** All entries of the range in key order, read in slices. */
  *entries(range: KeyRange): Generator<StoreEntry, void, void> {
    let from: Key | undefined;
    do {
      const { entries, next } = this.slice(range, 256, from);
      yield* entries;
      from = next;
    } while (from);
  }

  #finish(): void {
    this.#transaction.done();
    this.#onEnd();
  }

  #assertAlive(): void {
    if (this.#users === 0) throw new AppError('shuttingDown', 'the store is closed');
  }
}
