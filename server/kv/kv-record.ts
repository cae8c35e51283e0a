import type { StoreEntry } from '../../store/store.ts';
import { type CarriedIndexes, createIndexOf, modifyIndexOf, openValue, unreadable } from '../catalog/stored.ts';
import type { Ordered } from './ordered-entries.ts';

/** What a key holds. */
export interface KvContent {
  /** An unsigned 64-bit number. */
  readonly flags: bigint;
  readonly lockIndex: number;
  /** The id of the session that holds the key; '' when none does. */
  readonly session: string;
  readonly value: Uint8Array;
}

/** A key in memory. Must not be modified. */
export interface KvEntry extends KvContent, Ordered {
  readonly createRevision: number;
  readonly modRevision: number;
  readonly carried?: CarriedIndexes;
  readonly createIndex: number;
  /** What is stored cannot be read, and why. Nobody may take the lock that it may be. */
  readonly broken?: string;
}

/** The first byte of every stored form: its version. */
const VERSION = 1;
const HEADER_BYTES = 16;
/** Values up to this size are copied out of what they were read with, which may be a large page. */
const COPY_BELOW = 64 * 1024;

/** version u8 · session length u8 · lock index u48 · flags u64 · session · value. */
export function encodeKv({ flags, lockIndex, session, value }: KvContent): Buffer {
  const out = Buffer.allocUnsafe(HEADER_BYTES + session.length + value.byteLength);
  out[0] = VERSION;
  out[1] = session.length;
  out.writeUIntBE(lockIndex, 2, 6);
  out.writeBigUInt64BE(flags, 8);
  out.write(session, HEADER_BYTES, 'latin1');
  out.set(value, HEADER_BYTES + session.length);
  return out;
}

/** @throws AppError `storeCorrupt` naming the key. */
export function decodeKv(rest: string, entry: StoreEntry, base: number): KvEntry {
  const { carried, body } = openValue(entry.key, entry.value);
  const valueAt = HEADER_BYTES + (body[1] ?? 0);
  if (body[0] !== VERSION || body.length < valueAt) {
    const why = body[0] === VERSION ? 'it ends too early' : `its first byte must be ${VERSION}`;
    throw unreadable(entry, why);
  }
  const value = body.subarray(valueAt);
  const { createRevision, modRevision } = entry;
  const revisions = carried ? { createRevision, modRevision, carried } : { createRevision, modRevision };
  return {
    rest,
    flags: body.readBigUInt64BE(8),
    lockIndex: body.readUIntBE(2, 6),
    session: body.toString('latin1', HEADER_BYTES, valueAt),
    value: value.length < COPY_BELOW && value.length < body.buffer.byteLength / 2 ? Buffer.from(value) : value,
    ...revisions,
    createIndex: createIndexOf(revisions, base),
    modifyIndex: modifyIndexOf(revisions, base),
  };
}

/** The holder of what cannot be read: no session. */
const NOBODY_KNOWS = 'unreadable';

/** What is known of a key whose stored form cannot be read. */
export function kvInPlaceOf(rest: string, entry: StoreEntry, base: number, broken: string): KvEntry {
  const { createRevision, modRevision } = entry;
  const revisions = { createRevision, modRevision };
  const content: KvContent = { flags: 0n, lockIndex: 0, session: NOBODY_KNOWS, value: new Uint8Array() };
  const createIndex = createIndexOf(revisions, base);
  return { rest, ...content, ...revisions, createIndex, modifyIndex: modifyIndexOf(revisions, base), broken };
}

export function sameContent(a: KvContent, b: KvContent): boolean {
  return (
    a.flags === b.flags &&
    a.lockIndex === b.lockIndex &&
    a.session === b.session &&
    Buffer.compare(a.value, b.value) === 0
  );
}
