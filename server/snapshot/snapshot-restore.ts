import { createWriteStream } from 'node:fs';
import { type Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Clock } from '../../core/clock.ts';
import { AppError, errorText } from '../../core/errors.ts';
import type { Logger } from '../../core/log.ts';
import { type Op, prefixRange, type Revision, type StoreEntry } from '../../store/store.ts';
import { CATALOG_RANGE, GENERATION_KEY, generationPrefix, INDEX_BASE_KEY, splitKey } from '../catalog/keys.ts';
import { loadedAnew } from '../catalog/loaded-anew.ts';
import { readArchive } from './archive.ts';
import { checkEntry, withIndexes } from './check-entry.ts';
import { FootedBatch } from './footed-batch.ts';
import { Footing, type FootingDeps } from './footing.ts';
import type { Spool } from './spool.ts';

export interface SnapshotRestoreDeps extends FootingDeps {
  readonly clock: Clock;
  readonly log: Logger;
  /** Where archives are put while they are verified. */
  readonly spool: Spool;
}

export interface SnapshotRestoreOptions {
  /** Largest archive taken. */
  readonly maxArchiveBytes: number;
}

/** How long the state may take to show a restored catalog. */
const SHOW_DEADLINE_MS = 120_000;

/**
 * Restores archives: spooled, verified whole, written beside the catalog as another generation, made the catalog by one
 * transaction. Whatever stops it before that one leaves the catalog as it was. All it does compares its footing: of several
 * servers, only the one that leads restores, and only onto the catalog that it has seen.
 */
export class SnapshotRestore {
  readonly #deps: SnapshotRestoreDeps;
  readonly #options: SnapshotRestoreOptions;
  #busy = false;

  constructor(deps: SnapshotRestoreDeps, options: SnapshotRestoreOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /**
   * @throws AppError `storeCorrupt`, `tooLarge`, `conflict` while another is under way or when one came first, `noLeader`
   * when another server leads before the end, what the store throws.
   */
  restore(archive: Readable, signal: AbortSignal): Promise<void> {
    this.#deps.state.assertLoaded();
    return this.#alone(async () => {
      const footing = Footing.take(this.#deps);
      await this.#deps.spool.lend(async (path) => {
        await pipeline(archive, limited(this.#options.maxArchiveBytes), createWriteStream(path, { mode: 0o600 }), {
          signal,
        });
        let packed = false;
        const { Index } = await readArchive(path, (entry) => {
          signal.throwIfAborted();
          packed = checkEntry(this.#deps.state, entry) === 'packed' || packed;
        });
        if (packed) this.#assertPacks();
        await this.#replace(footing, { path, index: Index }, signal);
      });
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
    return this.#alone(() => this.#deleteOthers(Footing.take(this.#deps), signal));
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

  async #replace(
    footing: Footing,
    { path, index }: { path: string; index: number },
    signal: AbortSignal,
  ): Promise<void> {
    await this.#deleteOthers(footing, signal);
    const { store, log } = this.#deps;
    const next = this.#nextGeneration(footing);
    const prefix = generationPrefix(next);
    const batch = new FootedBatch(footing, store.traits);
    await readArchive(path, async (entry) => {
      signal.throwIfAborted();
      await batch.add(restored(prefix, entry));
    });
    await batch.flush();
    const revision = await this.#flip(footing, next, index);
    await this.#shown(revision);
    log.info('catalog restored', { index, generation: next });
    try {
      await this.#deleteOthers(footing.moved(next, revision), signal);
    } catch (error) {
      log.warn('the former catalog could not be deleted yet', { text: errorText(error) });
    }
  }

  /**
   * A number, which earlier versions count on from, that no other attempt has: whatever was written below a generation has
   * raised the store's revision, so that none is above it.
   */
  #nextGeneration({ generation }: Footing): string {
    return String(Math.max(Number(generation), this.#deps.store.revision()) + 1);
  }

  /** Makes the generation the catalog. Its indexes are above those of the archive and of the present catalog. */
  #flip(footing: Footing, generation: string, index: number): Promise<Revision> {
    const { store, state } = this.#deps;
    const base = Math.max(state.base, index + 1 - store.revision());
    return footing.commit([
      { kind: 'put', key: GENERATION_KEY, value: Buffer.from(JSON.stringify(generation)) },
      { kind: 'put', key: INDEX_BASE_KEY, value: Buffer.from(JSON.stringify(base)) },
    ]);
  }

  /** Resolves when the state shows the catalog of this revision, or one that has followed it. @throws AppError `deadline`. */
  async #shown(revision: Revision): Promise<void> {
    const { state, clock } = this.#deps;
    const isShown = () => state.generationRevision >= revision;
    if (await loadedAnew(state, isShown, { clock, withinMs: SHOW_DEADLINE_MS })) return;
    throw new AppError('deadline', 'the catalog is restored, but this server does not show it yet');
  }

  /** Deletes what is below any generation but that of the footing. */
  async #deleteOthers(footing: Footing, signal: AbortSignal): Promise<void> {
    const { store } = this.#deps;
    const own = generationPrefix(footing.generation);
    const batch = new FootedBatch(footing, store.traits);
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
