import { crc32 } from 'node:zlib';
import { AppError } from '../../core/errors.ts';
import { unboxed } from '../revision.ts';
import type { Revision, StoreEntry } from '../store.ts';

/*
 * One entry as LMDB's value: u32 CRC-32 of the key and of all that follows · u48 createRevision · u48 modRevision ·
 * the value. Integers are big-endian. 2^48 revisions are 8,900 years of a thousand a second.
 */
const HEAD_BYTES = 16;

/** What a compare asks of a stored entry. */
export interface RecordRevisions {
  readonly createRevision: Revision;
  readonly modRevision: Revision;
}

/** A record holding a copy of `value`; its head is filled by `sealRecord`. */
export function newRecord(value: Uint8Array): Buffer {
  const record = Buffer.allocUnsafe(HEAD_BYTES + value.byteLength);
  record.set(value, HEAD_BYTES);
  return record;
}

/** Writes revisions and checksum into the record's head. */
export function sealRecord(record: Buffer, key: string, revisions: RecordRevisions): void {
  record.writeUIntBE(revisions.createRevision, 4, 6);
  record.writeUIntBE(revisions.modRevision, 10, 6);
  record.writeUInt32BE(checksum(record, key), 0);
}

export function recordRevisions(record: Buffer): RecordRevisions {
  return { createRevision: unboxed(record.readUIntBE(4, 6)), modRevision: unboxed(record.readUIntBE(10, 6)) };
}

/** The value within the record, not a copy. */
export function recordValue(record: Buffer): Uint8Array {
  return record.subarray(HEAD_BYTES);
}

/** The entry that a record stands for; its value is part of the record, not a copy. */
export function recordEntry(key: string, record: Buffer): StoreEntry {
  return { key, value: recordValue(record), ...recordRevisions(record) };
}

/** @throws AppError `storeCorrupt` when the record is too short or its checksum does not match. */
export function checkRecord(record: Buffer, key: Buffer): void {
  if (record.length >= HEAD_BYTES && record.readUInt32BE(0) === checksum(record, key)) return;
  throw new AppError('storeCorrupt', `the entry ${JSON.stringify(key.toString())} does not match its checksum`);
}

/** A text counts by its UTF-8 bytes. */
function checksum(record: Buffer, key: string | Uint8Array): number {
  return crc32(record.subarray(4), crc32(key));
}
