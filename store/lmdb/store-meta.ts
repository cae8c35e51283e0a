import { crc32 } from 'node:zlib';
import { AppError } from '../../core/errors.ts';
import type { Revision } from '../store.ts';

/** The format of the data folder that this version writes, and the newest that it reads. */
export const STORE_FORMAT = 3;

/** The two tables of entries: one holds the content, a restore fills the other and then they change places. */
export const TABLES = ['entries-a', 'entries-b'] as const;
export type TableName = (typeof TABLES)[number];

/** What the store knows about itself; written in the same LMDB transaction as the entries it describes. */
export interface StoreMeta {
  readonly format: number;
  /** Made when the store was created; ties the data file to its folder. */
  readonly storeId: string;
  readonly revision: Revision;
  readonly active: TableName;
}

/** u32 CRC-32 · JSON. */
export function encodeMeta(meta: StoreMeta): Buffer {
  const json = Buffer.from(JSON.stringify(meta));
  const head = Buffer.alloc(4);
  head.writeUInt32BE(crc32(json));
  return Buffer.concat([head, json]);
}

/** @throws AppError `storeCorrupt`, or `storeVersion` for a newer format. */
export function decodeMeta(bytes: Buffer): StoreMeta {
  if (bytes.length < 4 || bytes.readUInt32BE(0) !== crc32(bytes.subarray(4))) {
    throw new AppError('storeCorrupt', 'the meta entry does not match its checksum');
  }
  const meta = JSON.parse(bytes.toString('utf8', 4)) as StoreMeta;
  checkFormat(meta.format);
  return meta;
}

/** @throws AppError `storeVersion` when the format is newer than this version reads. */
export function checkFormat(format: number): void {
  if (format <= STORE_FORMAT) return;
  throw new AppError(
    'storeVersion',
    `it has format ${format}, this version reads up to format ${STORE_FORMAT}; use the newer version or another folder`,
    { facts: { format, known: STORE_FORMAT } },
  );
}
