import { AppError, errorText } from '../../core/errors.ts';
import type { Revision, StoreEntry } from '../../store/store.ts';
import type { RecordPlace } from './keys.ts';
import { type PackedKind, packRecord, unpackRecord } from './packed-records.ts';
import { type Shape, shapeProblem } from './record-shape.ts';
import { encodeRecord } from './records.ts';

/**
 * The indexes of an entry that has been restored: of its first put, and of its last one unless it was put again since.
 * They go before those that follow from the store's revisions.
 */
export interface CarriedIndexes {
  readonly create: number;
  readonly modify?: number;
}

/** A stored record and the revisions that compares need. */
export interface Stored<T> {
  readonly record: T;
  readonly createRevision: Revision;
  readonly modRevision: Revision;
  /** Absent for what was never restored. */
  readonly carried?: CarriedIndexes;
}

/** The CreateIndex of an entry in a catalog with this index base. */
export function createIndexOf(stored: Omit<Stored<unknown>, 'record'>, base: number): number {
  return stored.carried?.create ?? base + stored.createRevision;
}

/** The ModifyIndex of an entry in a catalog with this index base. */
export function modifyIndexOf(stored: Omit<Stored<unknown>, 'record'>, base: number): number {
  return stored.carried?.modify ?? base + stored.modRevision;
}

/** Begins a value that carries indexes; no JSON text begins with it. */
const CARRY_MARK = 0x40;
const LINE_END = 0x0a;
/** Begins a JSON array, after blanks. */
const LIST_MARK = 0x5b;
const JSON_BLANKS: readonly number[] = [...Buffer.from(' \t\r\n')];

/** A stored value: what it carries, if anything, and the record's bytes. */
export interface OpenedValue {
  readonly carried?: CarriedIndexes;
  readonly body: Buffer;
}

/** The bytes to store: the record, after a line `@create` or `@create,modify` when indexes are carried. */
export function sealValue(body: string | Uint8Array, carried?: CarriedIndexes): Buffer {
  const bytes = typeof body === 'string' ? Buffer.from(body) : asBuffer(body);
  if (!carried) {
    // A record that begins with the mark itself (raw bytes) gets an empty line of its own.
    return bytes[0] === CARRY_MARK ? Buffer.concat([Buffer.from('@\n'), bytes]) : bytes;
  }
  const modify = carried.modify === undefined ? '' : `,${carried.modify}`;
  return Buffer.concat([Buffer.from(`@${carried.create}${modify}\n`), bytes]);
}

/** @throws AppError `storeCorrupt` naming the key. */
export function openValue(key: string, value: Uint8Array): OpenedValue {
  const bytes = asBuffer(value);
  if (bytes[0] !== CARRY_MARK) return { body: bytes };
  const end = bytes.indexOf(LINE_END);
  const found = /^@(?:(\d+)(?:,(\d+))?)?$/.exec(bytes.toString('latin1', 0, Math.max(0, end)));
  if (!found) throw new AppError('storeCorrupt', `the entry ${key} begins with a damaged index line`);
  const body = bytes.subarray(end + 1);
  if (found[1] === undefined) return { body };
  const create = Number(found[1]);
  return { carried: found[2] === undefined ? { create } : { create, modify: Number(found[2]) }, body };
}

/**
 * A record that is given to the state with its put, and where it lies: neither has to be made of the value and the key then.
 * The first one who takes it has it for itself; to others it is as if only the value had come.
 */
export class GivenRecord {
  readonly kind: PackedKind;
  readonly #packed: boolean;
  #place: RecordPlace | undefined;
  #record: object | undefined;

  /** `packed`: it is stored in that form. */
  constructor(kind: PackedKind, place: RecordPlace, record: object, packed: boolean) {
    this.kind = kind;
    this.#packed = packed;
    this.#place = place;
    this.#record = record;
  }

  /** Undefined when it has been taken. */
  get place(): RecordPlace | undefined {
    return this.#place;
  }

  /** Undefined when it has been taken. */
  get record(): object | undefined {
    return this.#record;
  }

  /** As it is stored; to be asked before it is taken. */
  encode(): string {
    return this.#packed ? packRecord(this.kind, this.#record!, this.#place!) : encodeRecord(this.#record!);
  }

  take(): object | undefined {
    const record = this.#record;
    this.#record = undefined;
    this.#place = undefined;
    return record;
  }
}

/** Reads an entry whose record is JSON of this shape. @throws AppError `storeCorrupt` naming the key and the field. */
export function storedJson<T>(entry: StoreEntry, shape?: Shape): Stored<T> {
  return read(entry, (text) => {
    const record: unknown = JSON.parse(text);
    const problem = shape && shapeProblem(record, shape);
    if (problem !== undefined) throw new Error(problem);
    return record as T;
  });
}

/** Reads a record in either of its forms, or takes it where it is given. @throws AppError `storeCorrupt` naming the key. */
export function storedRecord<T>(kind: PackedKind, place: RecordPlace, entry: StoreEntry): Stored<T> {
  const { createRevision, modRevision, decoded } = entry;
  const given = decoded instanceof GivenRecord ? decoded.take() : undefined;
  if (given) return { record: given as T, createRevision, modRevision };
  return read(entry, (text) => unpackRecord(kind, JSON.parse(text), place) as T);
}

/** What is thrown for an entry that cannot be read. */
export function unreadable({ key }: Pick<StoreEntry, 'key'>, why: string, cause?: unknown): AppError {
  return new AppError('storeCorrupt', `the entry ${key} cannot be read: ${why}`, { cause });
}

/** What holds in the place of an entry that cannot be read: a write compares its revisions, and carries nothing over. */
export function inPlaceOf<T>({ createRevision, modRevision }: StoreEntry, record: T): Stored<T> {
  return { record, createRevision, modRevision };
}

/** Whether the bytes of a JSON record (without what they carry) are its packed form. */
export function isPacked(body: Uint8Array): boolean {
  let at = 0;
  while (JSON_BLANKS.includes(body[at] ?? LIST_MARK)) at++;
  return body[at] === LIST_MARK;
}

function read<T>(entry: StoreEntry, decode: (text: string) => T): Stored<T> {
  const { createRevision, modRevision } = entry;
  const { carried, body } = openValue(entry.key, entry.value);
  let record: T;
  try {
    record = decode(body.toString());
  } catch (cause) {
    // The text of a parser may show a part of the record, which may be secret.
    const why = cause instanceof SyntaxError ? 'it is no JSON' : errorText(cause);
    throw unreadable(entry, why, cause);
  }
  return carried ? { record, createRevision, modRevision, carried } : { record, createRevision, modRevision };
}

function asBuffer(value: Uint8Array): Buffer {
  return Buffer.isBuffer(value) ? value : Buffer.from(value.buffer, value.byteOffset, value.byteLength);
}
