import {
  accessSync,
  chmodSync,
  closeSync,
  constants,
  existsSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import type { Clock } from '../../core/clock.ts';
import { AppError, errorText } from '../../core/errors.ts';
import type { Logger } from '../../core/log.ts';
import { makeFolder } from '../../core/make-folder.ts';
import type { Metrics } from '../../core/metrics.ts';
import type { Random } from '../../core/random.ts';
import { DEFAULT_HISTORY, type HistoryLimits } from '../change-history.ts';
import type { Key, Store } from '../store.ts';
import { syncMetrics } from '../sync-metrics.ts';
import { DEFAULT_TXN_LIMITS, type TxnLimits } from '../txn-rules.ts';
import { checkDataFile } from './data-file.ts';
import { DATA_FILE, LmdbEnvironment, type LmdbView } from './environment.ts';
import { FolderLock, LOCK_FILES } from './folder-lock.ts';
import { DEFAULT_JOURNAL_BYTES, JOURNAL_FILES, Journal } from './journal.ts';
import { LmdbStore } from './lmdb-store.ts';
import { checkRecord, type StoredRecord } from './record.ts';
import { checkFormat, STORE_FORMAT, TABLES } from './store-meta.ts';

/** Bound of the data file. Address space only: neither memory nor disk is taken before there is data. */
const DEFAULT_MAP_BYTES = 64 * 2 ** 30;
const MANIFEST_FILE = 'store.json';
const SPOOL_FILE = 'restore.tmp';
/** Definitions of checks may hold credentials: nobody but this user reads the folder or its files. */
const FOLDER_MODE = 0o700;
const FILE_MODE = 0o600;

export interface OpenLmdbStoreOptions {
  /** The data folder; made when absent. One process at a time. */
  readonly dir: string;
  readonly clock: Pick<Clock, 'monotonic'>;
  readonly log: Logger;
  /** Makes the id of a new store. */
  readonly random: Pick<Random, 'uuid'>;
  readonly metrics?: Pick<Metrics, 'histogram'>;
  readonly limits?: Partial<TxnLimits>;
  readonly history?: Partial<HistoryLimits>;
  readonly mapBytes?: number;
  /** Size of each of the two journal files of a new store; must hold a batch with the largest transaction. */
  readonly journalBytes?: number;
}

/** Says that the folder holds a store, so that a lost data file is not taken for a new store. */
interface Manifest {
  readonly format: number;
  readonly storeId: string;
  /** The size of each journal file; absent in format 1, which had none. */
  readonly journalBytes?: number;
}

/**
 * Opens the store of a data folder, or makes a new one. The whole data file is checked before it is used.
 * @throws AppError `config` (folder not usable, or in use), `storeVersion`, `storeCorrupt`; each names the folder.
 */
export async function openLmdbStore(options: OpenLmdbStoreOptions): Promise<Store> {
  prepareFolder(options.dir);
  const lock = FolderLock.acquire(options.dir, options.log);
  try {
    return await openLocked(options, lock);
  } catch (error) {
    lock.release();
    throw named(error, options.dir);
  }
}

async function openLocked(options: OpenLmdbStoreOptions, lock: FolderLock): Promise<Store> {
  const { dir } = options;
  const manifest = readManifest(dir);
  await checkContent(dir, manifest);
  rmSync(join(dir, SPOOL_FILE), { force: true });
  const openEnvironment = () => new LmdbEnvironment({ dir, mapBytes: options.mapBytes ?? DEFAULT_MAP_BYTES });
  let environment = openEnvironment();
  let journal: Journal | undefined;
  try {
    makePrivate(dir);
    const present = environment.view() ?? (await create(environment, manifest, options.random));
    const { storeId } = present.meta;
    if (manifest && manifest.storeId !== storeId) throw corrupt('its data file belongs to another store');
    journal = Journal.open(dir, {
      storeId,
      keptBytes: manifest?.journalBytes,
      bytes: options.journalBytes ?? DEFAULT_JOURNAL_BYTES,
    });
    if (await replayed(environment, present, journal)) {
      // LMDB keeps the pages of its largest transaction in memory until it is closed.
      await environment.close();
      environment = openEnvironment();
    }
    const view = environment.view()!;
    if (manifest?.format !== STORE_FORMAT) {
      writeManifest(dir, { format: STORE_FORMAT, storeId, journalBytes: journal.segmentBytes });
      if (manifest) {
        const formats = { from: manifest.format, to: STORE_FORMAT };
        options.log.info('the format of the folder was raised: earlier versions refuse it', { dir, ...formats });
      }
    }
    // What a restore that was cut short has left.
    for (const table of TABLES) if (table !== view.meta.active) await environment.clear(table);
    return new LmdbStore(
      {
        environment,
        journal,
        clock: options.clock,
        log: options.log,
        onSync: syncMetrics(options.metrics),
        onClose: () => lock.release(),
      },
      {
        dir,
        spoolFile: join(dir, SPOOL_FILE),
        limits: { ...DEFAULT_TXN_LIMITS, ...options.limits },
        history: { ...DEFAULT_HISTORY, ...options.history },
      },
      view,
    );
  } catch (error) {
    journal?.close();
    await environment.close();
    throw error;
  }
}

/** Brings into LMDB what only the journal has: the last process was killed before it could. Whether there was something. */
async function replayed(environment: LmdbEnvironment, present: LmdbView, journal: Journal): Promise<boolean> {
  const batches = journal.batchesAfter(present.meta.revision);
  const records = new Map<Key, StoredRecord | null>();
  for (const { changes } of batches) for (const [key, record] of changes) records.set(key, record);
  const revision = batches.at(-1)?.last ?? present.meta.revision;
  const meta = { ...present.meta, format: STORE_FORMAT, revision };
  present.release();
  if (batches.length > 0) await environment.write({ table: meta.active, records, meta });
  journal.checkpointed(revision);
  return batches.length > 0;
}

function prepareFolder(dir: string): void {
  try {
    makeFolder(resolve(dir), FOLDER_MODE);
    accessSync(dir, constants.R_OK | constants.W_OK | constants.X_OK);
    keepPrivate(dir, FOLDER_MODE);
  } catch (error) {
    throw new AppError(
      'config',
      `data folder ${dir} is not writable (${errorText(error)}); give this user the right to write there or choose another folder`,
      { cause: error, facts: { dir } },
    );
  }
}

/** LMDB and SQLite make their files with the process's umask; those of an earlier version may be open to all too. */
function makePrivate(dir: string): void {
  for (const name of [DATA_FILE, 'lock.mdb', MANIFEST_FILE, ...JOURNAL_FILES, ...LOCK_FILES]) {
    if (existsSync(join(dir, name))) keepPrivate(join(dir, name), FILE_MODE);
  }
}

/** Takes away what others may do with a path. What belongs to another user, such as a mounted volume, is theirs to set. */
function keepPrivate(path: string, mode: number): void {
  if ((statSync(path).mode & 0o077) === 0) return;
  try {
    chmodSync(path, mode);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // ENOTSUP: a file system without modes.
    if (code !== 'EPERM' && code !== 'ENOTSUP') throw error;
  }
}

/** Refuses a damaged, incomplete or newer data file before LMDB maps it. */
async function checkContent(dir: string, manifest: Manifest | undefined): Promise<void> {
  const path = join(dir, DATA_FILE);
  if (manifest) checkFormat(manifest.format);
  const bytes = existsSync(path) ? statSync(path).size : 0;
  if (bytes > 0) {
    await checkDataFile(path, (table, key, value) => {
      if (TABLES.some((name) => name === table)) checkRecord(value, key);
    });
  } else if (manifest) {
    throw corrupt(`its data file ${DATA_FILE} is missing or empty`);
  }
}

/** Makes the store by writing its first meta entry. */
async function create(
  environment: LmdbEnvironment,
  manifest: Manifest | undefined,
  random: Pick<Random, 'uuid'>,
): Promise<LmdbView> {
  if (manifest) throw corrupt('its data file has no meta entry');
  const meta = { format: STORE_FORMAT, storeId: random.uuid(), revision: 0, active: TABLES[0] };
  await environment.write({ table: TABLES[0], records: new Map(), meta });
  return environment.view()!;
}

function readManifest(dir: string): Manifest | undefined {
  const path = join(dir, MANIFEST_FILE);
  if (!existsSync(path)) return undefined;
  try {
    const { format, storeId, journalBytes } = JSON.parse(readFileSync(path, 'utf8')) as Partial<Manifest>;
    if (typeof format !== 'number' || typeof storeId !== 'string') throw new Error('format or storeId is missing');
    if (format >= 2 && !Number.isSafeInteger(journalBytes)) throw new Error('journalBytes is missing');
    return { format, storeId, ...(journalBytes === undefined ? {} : { journalBytes }) };
  } catch (error) {
    throw corrupt(`${MANIFEST_FILE} cannot be read (${errorText(error)})`);
  }
}

/** Whole or not at all, also over a power cut. */
function writeManifest(dir: string, manifest: Manifest): void {
  const path = join(dir, MANIFEST_FILE);
  const fd = openSync(`${path}.tmp`, 'w', FILE_MODE);
  writeSync(fd, `${JSON.stringify(manifest)}\n`);
  fsyncSync(fd);
  closeSync(fd);
  renameSync(`${path}.tmp`, path);
  const folder = openSync(dir, 'r');
  fsyncSync(folder);
  closeSync(folder);
}

function corrupt(what: string): AppError {
  return new AppError('storeCorrupt', what);
}

/** The same error naming the folder and, for damage, the way out. */
function named(error: unknown, dir: string): unknown {
  const facts = { dir };
  if (!(error instanceof AppError)) {
    return new AppError('storeCorrupt', `data folder ${dir} cannot be opened: ${errorText(error)}`, {
      cause: error,
      facts,
    });
  }
  const advice = error.code === 'storeCorrupt' ? '; restore a snapshot, or move the folder away to begin empty' : '';
  return new AppError(error.code, `data folder ${dir}: ${error.message}${advice}`, { cause: error, facts });
}
