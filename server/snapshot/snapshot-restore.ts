import { createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Clock } from '../../core/clock.ts';
import { AppError, errorText } from '../../core/errors.ts';
import type { Logger } from '../../core/log.ts';
import { type Op, prefixRange, type Store, type StoreEntry } from '../../store/store.ts';
import { CATALOG_RANGE, GENERATION_KEY, generationPrefix, INDEX_BASE_KEY, splitKey } from '../catalog/keys.ts';
import type { CatalogState } from '../catalog/state.ts';
import { readArchive } from './archive.ts';
import { checkEntry, withIndexes } from './check-entry.ts';

export interface SnapshotRestoreDeps {
  readonly store: Store;
  readonly state: CatalogState;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface SnapshotRestoreOptions {
  /** Where archives are put while they are verified. */
  readonly spoolDir: string;
  /** Largest archive taken. */
  readonly maxArchiveBytes: number;
}

/** Of one transaction: small enough to let other writers in between. */
const BATCH_OPS = 512;
const BATCH_BYTES = 512 * 1024;
/** How long the state may take to show a restored catalog. */
const SHOW_DEADLINE_MS = 120_000;

/**
 * Restores archives: spooled, verified whole, written beside the catalog as another generation, made the catalog by one
 * transaction. Whatever stops it before that one leaves the catalog as it was.
 */
export class SnapshotRestore {
  readonly #deps: SnapshotRestoreDeps;
  readonly #options: SnapshotRestoreOptions;
  #busy = false;

  constructor(deps: SnapshotRestoreDeps, options: SnapshotRestoreOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /** @throws AppError `storeCorrupt`, `tooLarge`, `conflict` while another is under way, what the store throws. */
  restore(archive: Readable, signal: AbortSignal): Promise<void> {
    this.#deps.state.assertLoaded();
    return this.#alone(async () => {
      const dir = await mkdtemp(join(this.#options.spoolDir, 'restore-'));
      try {
        const path = join(dir, 'archive');
        await pipeline(archive, limited(this.#options.maxArchiveBytes), createWriteStream(path, { mode: 0o600 }), {
          signal,
        });
        let packed = false;
        const { Index } = await readArchive(path, (entry) => {
          signal.throwIfAborted();
          packed = checkEntry(this.#deps.state, entry) === 'packed' || packed;
        });
        if (packed) this.#assertPacks();
        await this.#replace(path, Index, signal);
      } finally {
        await rm(dir, { recursive: true, force: true });
      }
    });
  }

  /** Servers of an earlier version, which do not know packed records, may share the store. */
  #assertPacks(): void {
    if (this.#deps.state.packs) return;
    throw new AppError(
      'conflict',
      'the archive holds packed records, which some servers of this datacenter may not know yet: restore it half a minute after ' +
        'all that are listed run this version',
    );
  }

  /** Deletes, in bounded steps, what interrupted restores and former catalogs have left. */
  clean(signal: AbortSignal): Promise<void> {
    return this.#alone(() => this.#deleteOthers(signal));
  }

  async #alone<T>(work: () => Promise<T>): Promise<T> {
    if (this.#busy) throw new AppError('conflict', 'another restore is under way; wait for its end');
    this.#busy = true;
    try {
      return await work();
    } finally {
      this.#busy = false;
    }
  }

  async #replace(path: string, index: number, signal: AbortSignal): Promise<void> {
    await this.#deleteOthers(signal);
    const { state, log } = this.#deps;
    const next = String(Number(state.generation) + 1);
    const prefix = generationPrefix(next);
    const batch = new Batch(this.#deps.store);
    await readArchive(path, async (entry) => {
      signal.throwIfAborted();
      await batch.add(restored(prefix, entry));
    });
    await batch.flush();
    await this.#flip(next, index);
    log.info('catalog restored', { index, generation: next });
    try {
      await this.#deleteOthers(signal);
    } catch (error) {
      log.warn('the former catalog could not be deleted yet', { text: errorText(error) });
    }
  }

  /** Makes the generation the catalog. Its indexes are above those of the archive and of the present catalog. */
  async #flip(generation: string, index: number): Promise<void> {
    const { store, state, clock } = this.#deps;
    const base = Math.max(state.base, index + 1 - store.revision());
    const { shown, forget } = this.#shows(generation);
    try {
      const result = await store.commit({
        compares: [{ kind: 'key', key: GENERATION_KEY, modRevision: state.generationRevision }],
        ops: [
          { kind: 'put', key: GENERATION_KEY, value: Buffer.from(JSON.stringify(generation)) },
          { kind: 'put', key: INDEX_BASE_KEY, value: Buffer.from(JSON.stringify(base)) },
        ],
      });
      if (!result.ok) throw new AppError('conflict', 'the catalog was restored by somebody else meanwhile');
      await within(clock, shown);
    } finally {
      forget();
    }
  }

  #shows(generation: string): { shown: Promise<void>; forget: () => void } {
    const { state } = this.#deps;
    let forget = () => {};
    const shown = new Promise<void>((resolve) => {
      forget = state.onReset(() => {
        if (state.generation === generation) resolve();
      });
    });
    return { shown, forget };
  }

  async #deleteOthers(signal: AbortSignal): Promise<void> {
    const { store, state } = this.#deps;
    const own = generationPrefix(state.generation);
    const batch = new Batch(store);
    const view = await store.view();
    try {
      // Keys of the present catalog are skipped, not read: what lies before and after them is.
      const { end } = prefixRange(own);
      for (const range of [
        { start: CATALOG_RANGE.start, end: own },
        { start: end, end: CATALOG_RANGE.end },
      ]) {
        for await (const entries of view.slices(range)) {
          for (const { key } of entries) {
            signal.throwIfAborted();
            if (splitKey(key) !== undefined) await batch.add({ kind: 'delete', key });
          }
        }
      }
      await batch.flush();
    } finally {
      view.release();
    }
  }
}

function restored(prefix: string, entry: StoreEntry): Op {
  return { kind: 'put', key: prefix + entry.key, value: withIndexes(entry).value };
}

/** Operations committed in pieces of bounded size. */
class Batch {
  readonly #store: Store;
  #ops: Op[] = [];
  #bytes = 0;

  constructor(store: Store) {
    this.#store = store;
  }

  async add(op: Op): Promise<void> {
    const { maxTxnOps, maxTxnBytes } = this.#store.traits;
    const bytes = op.kind === 'put' ? Buffer.byteLength(op.key) + op.value.byteLength : 0;
    const full =
      this.#ops.length >= Math.min(maxTxnOps, BATCH_OPS) || this.#bytes + bytes > Math.min(maxTxnBytes, BATCH_BYTES);
    if (full) await this.flush();
    this.#ops.push(op);
    this.#bytes += bytes;
  }

  async flush(): Promise<void> {
    if (this.#ops.length > 0) await this.#store.commit({ compares: [], ops: this.#ops });
    this.#ops = [];
    this.#bytes = 0;
  }
}

/** @throws AppError `deadline`. */
function within(clock: Clock, shown: Promise<void>): Promise<void> {
  return new Promise((resolve, reject) => {
    const late = () =>
      reject(new AppError('deadline', 'the catalog is restored, but this server does not show it yet'));
    const timer = clock.after(SHOW_DEADLINE_MS, late);
    void shown.then(() => {
      timer.cancel();
      resolve();
    });
  });
}

function limited(maxBytes: number): Transform {
  let bytes = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length;
      if (bytes <= maxBytes) done(null, chunk);
      else done(new AppError('tooLarge', `the archive is larger than ${maxBytes} bytes`));
    },
  });
}
