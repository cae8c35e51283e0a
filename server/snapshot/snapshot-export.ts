import { Readable } from 'node:stream';
import { createGzip } from 'node:zlib';
import type { Clock } from '../../core/clock.ts';
import { snapshotChunks } from '../../store/snapshot-format.ts';
import { prefixRange, type Store, type StoreEntry, type StoreView } from '../../store/store.ts';
import {
  FIRST_GENERATION,
  FIRST_INDEX_BASE,
  GENERATION_KEY,
  generationPrefix,
  INDEX_BASE_KEY,
} from '../catalog/keys.ts';
import type { CatalogState } from '../catalog/state.ts';
import { createIndexOf, modifyIndexOf, type OpenedValue, openValue, storedJson } from '../catalog/stored.ts';
import { mayHoldPacked } from '../leadership/record-format.ts';
import { ARCHIVE_FORMAT, PLAIN_FORMAT, writeArchive } from './archive.ts';

export interface SnapshotExportDeps {
  readonly store: Pick<Store, 'format' | 'traits' | 'view'>;
  readonly state: CatalogState;
  readonly clock: Clock;
}

/**
 * Everything of the catalog as an archive, read piece by piece from one revision of the store. Keys lose their generation
 * and entries carry indexes in place of revisions, so that an archive depends on no store.
 */
export async function exportSnapshot(
  deps: SnapshotExportDeps,
  options: { datacenter: string; signal: AbortSignal },
): Promise<{ index: number; archive: Readable }> {
  const { state, store, clock } = deps;
  state.assertLoaded();
  const view = await store.view();
  // Asked after the view was taken: what is packed in it was put after the format said so.
  const packed = await mayHoldPacked(store);
  const { base, generation } = await catalogOf(view);
  const index = base + view.revision;
  const meta = {
    Version: 1,
    ID: `1-${index}-${clock.now()}`,
    Index: index,
    Term: 1,
    Lictor: { Format: packed ? ARCHIVE_FORMAT : PLAIN_FORMAT, Datacenter: options.datacenter },
  };
  const stateBytes = () => snapshotChunks(index, portable(view, { base, generation }));
  const gzip = createGzip({ level: 1 });
  const source = Readable.from(writeArchive(meta, stateBytes, clock.now()), { objectMode: false });
  let released = false;
  const release = () => {
    if (!released) view.release();
    released = true;
  };
  const stop = () => gzip.destroy();
  options.signal.addEventListener('abort', stop, { once: true });
  source.on('error', (error) => gzip.destroy(error));
  source.on('close', release);
  gzip.on('close', () => {
    options.signal.removeEventListener('abort', stop);
    source.destroy();
  });
  if (options.signal.aborted) stop();
  return { index, archive: source.pipe(gzip) };
}

/** Which catalog the view holds: a restore may have replaced it since the state last looked. */
async function catalogOf(view: StoreView): Promise<{ base: number; generation: string }> {
  const read = async <T>(key: string, otherwise: T): Promise<T> => {
    for await (const [entry] of view.slices({ start: key, end: `${key}\u0001` })) {
      if (entry) return storedJson<T>(entry).record;
    }
    return otherwise;
  };
  return {
    base: await read(INDEX_BASE_KEY, FIRST_INDEX_BASE),
    generation: await read(GENERATION_KEY, FIRST_GENERATION),
  };
}

/** What begins with a damaged index line goes as it is: it must not keep the rest from being saved. */
function opened(key: string, value: Uint8Array): OpenedValue {
  try {
    return openValue(key, value);
  } catch {
    return { body: Buffer.from(value) };
  }
}

async function* portable(
  view: StoreView,
  from: { base: number; generation: string },
): AsyncGenerator<StoreEntry[], void, void> {
  const prefix = generationPrefix(from.generation);
  for await (const entries of view.slices(prefixRange(prefix))) {
    yield entries.map(({ key, value, createRevision, modRevision }) => {
      const { carried, body } = opened(key, value);
      const stored = { createRevision, modRevision, carried };
      return {
        key: key.slice(prefix.length),
        value: body,
        createRevision: createIndexOf(stored, from.base),
        modRevision: modifyIndexOf(stored, from.base),
      };
    });
  }
}
