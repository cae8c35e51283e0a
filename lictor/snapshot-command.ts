import { kvJson } from '../api/shapes/kv.ts';
import { snapshotCommand as make } from '../cli/snapshot.ts';
import { kindOf, placeOf } from '../server/catalog/keys.ts';
import { isPackedKind, unpackRecord } from '../server/catalog/packed-records.ts';
import { keyOfRest, namespaceOfRest } from '../server/kv/kv-keys.ts';
import { decodeKv } from '../server/kv/kv-record.ts';
import { readArchive } from '../server/snapshot/archive.ts';
import type { StoreEntry } from '../store/store.ts';

/** `lictor snapshot`, with the servers' own reader of archives. */
export const snapshotCommand = make({
  readArchive: (path, take) =>
    readArchive(path, (entry) => {
      const { key, value } = entry;
      const slash = Math.max(0, key.indexOf('/'));
      const kind = key.slice(0, slash);
      const rest = key.slice(slash + 1);
      const bytes = Buffer.byteLength(key) + value.byteLength;
      return kind === 'kv'
        ? take({ kind, bytes, kvKey: keyOfRest(rest), data: () => kvData(rest, entry) })
        : take({ kind, bytes, data: () => recordData(kind, rest, entry) });
    }),
});

/** A key as the API shows it, with its namespace. In an archive, revisions are indexes. */
function kvData(rest: string, entry: StoreEntry): object {
  const namespace = namespaceOfRest(rest);
  return { Namespace: namespace, ...kvJson({ ...decodeKv(rest, entry, 0), key: keyOfRest(rest) }, namespace) };
}

/** The record itself, where it lies, and its indexes. */
function recordData(segment: string, rest: string, { value, createRevision, modRevision }: StoreEntry): object {
  const kind = kindOf(segment);
  const parsed = recordOf(value);
  const record = kind && isPackedKind(kind) ? unpackRecord(kind, parsed, placeOf(rest)) : parsed;
  return { Key: rest, Record: record, CreateIndex: createRevision, ModifyIndex: modRevision };
}

/** Bytes that are no JSON are given in base64. */
function recordOf(value: Uint8Array): unknown {
  const bytes = Buffer.from(value);
  try {
    return JSON.parse(bytes.toString()) as unknown;
  } catch {
    return bytes.toString('base64');
  }
}
