import { closeSync, existsSync, fdatasync, fstatSync, fsyncSync, openSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { crc32 } from 'node:zlib';
import { AppError } from '../../core/errors.ts';
import type { Key, Revision } from '../store.ts';
import { StoredRecord } from './record.ts';

/*
 * Two files of a fixed size. Each begins with 64 bytes that never change: 8 of magic, the store's id, a u32 CRC-32 of
 * both, zeros. The rest is filled in turn with records at multiples of 64 bytes:
 *   16 bytes the store's id · u32 length of the body · u32 CRC-32 of all that follows · u48 first and u48 last revision ·
 *   4 zero bytes · the body
 * The body lists what the batch puts (u16 key length · key · u32 length · LMDB record) and deletes (u32 0xffffffff).
 * The files are written with zeros when they are made, so that a sync later has no metadata to write.
 */
const ALIGNMENT = 64;
const MAGIC = Buffer.from('LictorJ1');
const FILE_HEAD_BYTES = ALIGNMENT;
const HEAD_BYTES = 40;
const DELETED = 0xffff_ffff;
export const JOURNAL_FILES = ['journal-a.log', 'journal-b.log'] as const;
/** Large enough that LMDB writes thousands of changes in one transaction, small enough to be read in a moment. */
export const DEFAULT_JOURNAL_BYTES = 4 * 1024 * 1024;

const synced = promisify(fdatasync);

/** What one batch of transactions has changed: records by key, null for what it has deleted. */
export type Changes = ReadonlyMap<Key, StoredRecord | null>;

/** A batch as the journal holds it. */
export interface JournalBatch {
  readonly first: Revision;
  readonly last: Revision;
  readonly changes: Changes;
}

interface Segment {
  readonly fd: number;
  readonly bytes: number;
  /** Just made: there is nothing in it. */
  readonly empty: boolean;
  /** The newest revision that it holds. */
  last: Revision;
}

/**
 * Makes commits durable by one append and one sync, so that LMDB's own two syncs need not be waited for: what LMDB does
 * not have yet is here. A record is overwritten only after LMDB has everything in its file.
 */
export class Journal {
  readonly #segments: readonly Segment[];
  readonly #storeId: Buffer;
  #current = 0;
  #position = FILE_HEAD_BYTES;
  #checkpointed: Revision = 0;

  private constructor(segments: readonly Segment[], storeId: Buffer) {
    this.#segments = segments;
    this.#storeId = storeId;
  }

  /**
   * Opens the files of a folder; makes them when there are none and `bytes` is not known to be kept.
   * @throws AppError `storeCorrupt` when a file is missing or cut, the system's error when they cannot be made.
   */
  static open(dir: string, options: { storeId: string; keptBytes: number | undefined; bytes: number }): Journal {
    const segments: Segment[] = [];
    const storeId = Buffer.from(options.storeId.replaceAll('-', ''), 'hex');
    if (storeId.length !== 16) throw corrupt(`the id ${JSON.stringify(options.storeId)} of the store is no UUID`);
    const head = fileHead(storeId);
    try {
      for (const name of JOURNAL_FILES) segments.push(openSegment(join(dir, name), name, { ...options, head }));
    } catch (error) {
      for (const { fd } of segments) closeSync(fd);
      throw error;
    }
    return new Journal(segments, storeId);
  }

  /** The size of each file. */
  get segmentBytes(): number {
    return this.#segments[0]!.bytes;
  }

  /**
   * The batches after `revision`, without a gap. To be asked before the first append; everything that it gives has to be
   * in LMDB, and `checkpointed` told so, before then.
   * @throws AppError `storeCorrupt` when a batch in between is damaged.
   */
  batchesAfter(revision: Revision): JournalBatch[] {
    const kept = this.#segments.filter((segment) => !segment.empty);
    const buffer = Buffer.allocUnsafeSlow(kept.length > 0 ? this.segmentBytes : 0);
    const found = kept
      .flatMap((segment) => [...this.#records(readWhole(segment, buffer), revision)])
      .sort((a, b) => a.first - b.first);
    let next = revision + 1;
    for (const batch of found) {
      if (batch.first !== next) {
        throw corrupt(`its journal lacks the revisions ${next} to ${batch.first - 1}: a record is damaged`);
      }
      next = batch.last + 1;
    }
    return found;
  }

  /** A batch in the form of the file. */
  encode(batch: JournalBatch): Buffer {
    let body = 0;
    for (const [key, record] of batch.changes) body += 6 + Buffer.byteLength(key) + (record?.length ?? 0);
    const buffer = Buffer.alloc(Math.ceil((HEAD_BYTES + body) / ALIGNMENT) * ALIGNMENT);
    this.#storeId.copy(buffer);
    buffer.writeUInt32BE(body, 16);
    buffer.writeUIntBE(batch.first, 24, 6);
    buffer.writeUIntBE(batch.last, 30, 6);
    let at = HEAD_BYTES;
    for (const [key, record] of batch.changes) {
      const keyBytes = buffer.write(key, at + 2);
      buffer.writeUInt16BE(keyBytes, at);
      at += 2 + keyBytes;
      at = buffer.writeUInt32BE(record ? record.length : DELETED, at);
      if (record) at = record.copyTo(buffer, at);
    }
    buffer.writeUInt32BE(crc32(buffer.subarray(24, at)), 20);
    return buffer;
  }

  /** Whether a record is too large for a file of its own. */
  exceeds(bytes: number): boolean {
    return FILE_HEAD_BYTES + bytes > this.segmentBytes;
  }

  /** Whether so many bytes can be appended before LMDB has to have more. */
  fits(bytes: number): boolean {
    return this.#position + bytes <= this.segmentBytes || this.#segments[1 - this.#current]!.last <= this.#checkpointed;
  }

  /**
   * Appends an encoded batch that fits; on disk when it resolves. Whether the other file was begun.
   * @throws the system's error; then no later append may be tried.
   */
  async append(record: Buffer, last: Revision): Promise<{ rotated: boolean }> {
    const rotated = this.#position + record.length > this.segmentBytes;
    if (rotated) {
      if (!this.fits(record.length)) throw new AppError('internal', 'the journal has no room');
      this.#current = 1 - this.#current;
      this.#position = FILE_HEAD_BYTES;
    }
    const segment = this.#segments[this.#current]!;
    // Into the page cache only: the sync is what takes its time, and it is waited for elsewhere.
    writeWhole(segment.fd, record, this.#position);
    this.#position += record.length;
    segment.last = last;
    await synced(segment.fd);
    return { rotated };
  }

  /** LMDB has everything up to this revision. */
  checkpointed(revision: Revision): void {
    this.#checkpointed = Math.max(this.#checkpointed, revision);
  }

  close(): void {
    for (const { fd } of this.#segments) closeSync(fd);
  }

  /** The whole records of a file after `revision`, wherever they lie: some are older than what was overwritten. */
  *#records(bytes: Buffer, revision: Revision): Generator<JournalBatch, void, void> {
    let at = FILE_HEAD_BYTES;
    while (at + HEAD_BYTES <= bytes.length) {
      const end = this.#endOf(bytes, at);
      if (end === undefined) {
        at += ALIGNMENT;
        continue;
      }
      const [first, last] = [bytes.readUIntBE(at + 24, 6), bytes.readUIntBE(at + 30, 6)];
      if (last > revision) yield { first, last, changes: decodeBody(bytes.subarray(at + HEAD_BYTES, end)) };
      at = Math.ceil(end / ALIGNMENT) * ALIGNMENT;
    }
  }

  /** Where the record that begins here ends; undefined when none does. */
  #endOf(bytes: Buffer, at: number): number | undefined {
    if (bytes.compare(this.#storeId, 0, 16, at, at + 16) !== 0) return undefined;
    const end = at + HEAD_BYTES + bytes.readUInt32BE(at + 16);
    if (end > bytes.length) return undefined;
    return crc32(bytes.subarray(at + 24, end)) === bytes.readUInt32BE(at + 20) ? end : undefined;
  }
}

function openSegment(
  path: string,
  name: string,
  options: { keptBytes: number | undefined; bytes: number; head: Buffer },
): Segment {
  const { keptBytes, head } = options;
  if (!existsSync(path)) {
    if (keptBytes !== undefined) throw corrupt(`its journal file ${name} is missing`);
    return makeSegment(path, options);
  }
  const fd = openSync(path, 'r+');
  const { size } = fstatSync(fd);
  const found = Buffer.alloc(head.length);
  readSync(fd, found, 0, head.length, 0);
  const bytes = keptBytes ?? options.bytes;
  if (size === bytes && found.equals(head)) return { fd, bytes, empty: false, last: 0 };
  closeSync(fd);
  // Without a known size it is what a process has left that was killed before the store was ever open.
  if (keptBytes === undefined) return makeSegment(path, options);
  if (size !== keptBytes) throw corrupt(`its journal file ${name} has ${size} bytes instead of ${keptBytes}`);
  throw corrupt(`its journal file ${name} does not begin as it should`);
}

function fileHead(storeId: Buffer): Buffer {
  const head = Buffer.alloc(FILE_HEAD_BYTES);
  MAGIC.copy(head);
  storeId.copy(head, MAGIC.length);
  head.writeUInt32BE(crc32(head.subarray(0, 24)), 24);
  return head;
}

function makeSegment(path: string, options: { bytes: number; head: Buffer }): Segment {
  const { bytes, head } = options;
  const fd = openSync(path, 'w+', 0o600);
  try {
    const zeros = Buffer.alloc(Math.min(bytes, 1024 * 1024));
    for (let at = 0; at < bytes; at += zeros.length) {
      writeWhole(fd, zeros.subarray(0, Math.min(zeros.length, bytes - at)), at);
    }
    // The head comes last: a file that has it is whole.
    fsyncSync(fd);
    writeWhole(fd, head, 0);
    fsyncSync(fd);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  return { fd, bytes, empty: true, last: 0 };
}

function readWhole({ fd, bytes }: Segment, buffer: Buffer): Buffer {
  let at = 0;
  while (at < bytes) {
    const count = readSync(fd, buffer, at, bytes - at, at);
    if (count === 0) throw corrupt('its journal is cut off');
    at += count;
  }
  return buffer;
}

function writeWhole(fd: number, buffer: Buffer, position: number): void {
  let at = 0;
  while (at < buffer.length) at += writeSync(fd, buffer, at, buffer.length - at, position + at);
}

/** The body's checksum was right, so it is whole; its records are copied, since they are kept. */
function decodeBody(body: Buffer): Changes {
  const changes = new Map<Key, StoredRecord | null>();
  let at = 0;
  while (at < body.length) {
    const keyEnd = at + 2 + body.readUInt16BE(at);
    const key = body.toString('utf8', at + 2, keyEnd);
    const length = body.readUInt32BE(keyEnd);
    at = keyEnd + 4;
    if (length === DELETED) {
      changes.set(key, null);
      continue;
    }
    changes.set(key, StoredRecord.of(key, Buffer.from(body.subarray(at, at + length))));
    at += length;
  }
  return changes;
}

function corrupt(what: string): AppError {
  return new AppError('storeCorrupt', what);
}
