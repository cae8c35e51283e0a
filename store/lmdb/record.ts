import { crc32 } from 'node:zlib';
import { AppError } from '../../core/errors.ts';
import { unboxed } from '../revision.ts';
import type { Key, Revision, StoreEntry } from '../store.ts';

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

/** A piece of a buffer that several records share. */
export interface Piece {
  readonly buffer: Buffer;
  readonly start: number;
  readonly end: number;
}

/** How many bytes the record of a value has. */
export function recordLength(value: Uint8Array): number {
  return HEAD_BYTES + value.byteLength;
}

/** Copies a value to where the record begins in the buffer; the record's head is filled by `StoredRecord.sealed`. */
export function newRecord(buffer: Buffer, start: number, value: Uint8Array): Piece {
  buffer.set(value, start + HEAD_BYTES);
  return { buffer, start, end: start + recordLength(value) };
}

/**
 * An entry of which LMDB has no record yet, in the form of the record. It is also the change that put it and the entry of that
 * change: thousands are kept, few are asked for their value, and so it makes that on demand.
 */
export class StoredRecord implements StoreEntry {
  readonly key: Key;
  readonly createRevision: Revision;
  readonly modRevision: Revision;
  readonly decoded?: object | undefined;
  readonly #buffer: Buffer;
  readonly #start: number;
  readonly #end: number;

  private constructor(key: Key, piece: Piece, { createRevision, modRevision }: RecordRevisions, decoded?: object) {
    this.key = key;
    this.createRevision = createRevision;
    this.modRevision = modRevision;
    this.decoded = decoded;
    this.#buffer = piece.buffer;
    this.#start = piece.start;
    this.#end = piece.end;
  }

  /** Writes revisions and checksum into the head of a new record. */
  static sealed(key: Key, piece: Piece, revisions: RecordRevisions, decoded?: object): StoredRecord {
    const { buffer, start, end } = piece;
    buffer.writeUIntBE(revisions.createRevision, start + 4, 6);
    buffer.writeUIntBE(revisions.modRevision, start + 10, 6);
    buffer.writeUInt32BE(checksum(buffer.subarray(start + 4, end), key), start);
    return new StoredRecord(key, piece, revisions, decoded);
  }

  /** A record that was sealed before; the bytes then belong to it. */
  static of(key: Key, bytes: Buffer): StoredRecord {
    return new StoredRecord(key, { buffer: bytes, start: 0, end: bytes.length }, recordRevisions(bytes));
  }

  get kind(): 'put' {
    return 'put';
  }

  get entry(): StoreEntry {
    return this;
  }

  /** Within the record, not a copy. */
  get value(): Uint8Array {
    return this.#buffer.subarray(this.#start + HEAD_BYTES, this.#end);
  }

  /** The whole record, not a copy. */
  get bytes(): Buffer {
    return this.#buffer.subarray(this.#start, this.#end);
  }

  get length(): number {
    return this.#end - this.#start;
  }

  /** The position after it. */
  copyTo(target: Buffer, at: number): number {
    return at + this.#buffer.copy(target, at, this.#start, this.#end);
  }
}

export function recordRevisions(record: Buffer): RecordRevisions {
  return { createRevision: unboxed(record.readUIntBE(4, 6)), modRevision: unboxed(record.readUIntBE(10, 6)) };
}

/** The entry that LMDB's record stands for; its value is part of the record, not a copy. */
export function recordEntry(key: string, record: Buffer): StoreEntry {
  return { key, value: record.subarray(HEAD_BYTES), ...recordRevisions(record) };
}

/** @throws AppError `storeCorrupt` when the record is too short or its checksum does not match. */
export function checkRecord(record: Buffer, key: Buffer): void {
  if (record.length >= HEAD_BYTES && record.readUInt32BE(0) === checksum(record.subarray(4), key)) return;
  throw new AppError('storeCorrupt', `the entry ${JSON.stringify(key.toString())} does not match its checksum`);
}

/** A text counts by its UTF-8 bytes. */
function checksum(content: Buffer, key: string | Uint8Array): number {
  return crc32(content, crc32(key));
}
