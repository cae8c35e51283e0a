import { AppError } from '../../core/errors.ts';
import type { StoreEntry } from '../../store/store.ts';
import {
  FIRST_GENERATION,
  generationPrefix,
  kindOf,
  parseKey,
  placeOf,
  type RecordKind,
  splitKey,
} from '../catalog/keys.ts';
import { isPackedKind } from '../catalog/packed-records.ts';
import { RECORD_SHAPES } from '../catalog/record-shapes.ts';
import type { CatalogState } from '../catalog/state.ts';
import { isPacked, sealValue, storedJson, storedRecord } from '../catalog/stored.ts';

const PREFIX = generationPrefix(FIRST_GENERATION);

/** The parts of a key of each kind. */
const PARTS: Readonly<Record<RecordKind, number>> = {
  node: 1,
  nodeId: 1,
  instance: 3,
  checkDefinition: 3,
  checkState: 3,
  owner: 1,
};

/** Whether a record has a form that only versions know that pack records. */
export type EntryForm = 'plain' | 'packed';

/** An entry of an archive as it is stored: it carries its indexes. */
export function withIndexes(entry: StoreEntry): StoreEntry {
  const { value, createRevision: create, modRevision: modify } = entry;
  return { ...entry, value: sealValue(value, { create, modify }) };
}

/** An entry of an archive (its key has no generation). @throws AppError `storeCorrupt` unless this server can load it. */
export function checkEntry(state: Pick<CatalogState, 'table'>, archived: StoreEntry): EntryForm {
  const entry = withIndexes(archived);
  const key = PREFIX + entry.key;
  const split = splitKey(key);
  if (!split || split.rest === '') throw refused(`the key ${JSON.stringify(entry.key)} names no kind of data`);
  const table = state.table(split.segment);
  if (table) {
    readable(() => table.check(split.rest, entry));
    return 'plain';
  }
  const kind = kindOf(split.segment);
  if (!kind) {
    throw refused(`it holds data of the kind ${JSON.stringify(split.segment)}, which this version does not know`);
  }
  const within = checkRecord(kind, split.rest, entry);
  return within || (isPackedKind(kind) && isPacked(archived.value)) ? 'packed' : 'plain';
}

/** Whether it has another record within it. */
function checkRecord(kind: RecordKind, rest: string, entry: StoreEntry): boolean {
  if (partsOf(PREFIX + entry.key)?.length !== PARTS[kind]) {
    throw refused(`the key ${JSON.stringify(entry.key)} is not that of a ${kind}`);
  }
  const { record } = readable(() =>
    isPackedKind(kind)
      ? storedRecord<object>(kind, placeOf(rest), entry)
      : storedJson<unknown>(entry, RECORD_SHAPES[kind]),
  );
  return kind === 'checkDefinition' && (record as { state?: unknown }).state !== undefined;
}

/** @throws AppError `storeCorrupt` that says what it was that could not be read. */
function readable<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof AppError && error.code === 'storeCorrupt') throw refused(error.message);
    throw error;
  }
}

/** Undefined for a key whose escapes cannot be read. */
function partsOf(key: string): readonly string[] | undefined {
  try {
    return parseKey(key)?.parts;
  } catch {
    return undefined;
  }
}

function refused(what: string): AppError {
  return new AppError('storeCorrupt', `failed to verify snapshot file: ${what}`);
}
