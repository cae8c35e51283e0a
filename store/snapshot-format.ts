import { createHash, type Hash } from 'node:crypto';
import { AppError, errorText } from '../core/errors.ts';
import { checkKey, compareKeys, MAX_KEY_BYTES } from './key-order.ts';
import type { Key, Revision, StoreEntry } from './store.ts';

/*
 * The snapshot format, the same for every engine. Integers are big-endian.
 *   header   8 bytes "LICTORSN" · u16 format (1) · u64 revision
 *   entry    u8 1 · u32 key bytes · u32 value bytes · u64 createRevision · u64 modRevision · key · value
 *            (in strictly ascending key order)
 *   trailer  u8 0 · u64 number of entries · SHA-256 of everything before these 32 bytes
 */
const MAGIC = Buffer.from('LICTORSN', 'latin1');
const FORMAT = 1;
const HEADER_BYTES = 18;
const ENTRY_HEAD_BYTES = 25;
const TRAILER_BYTES = 41;
const TAG_ENTRY = 1;
const TAG_END = 0;
/** Far above what one transaction may put; keeps a damaged length from asking for gigabytes. */
const MAX_VALUE_BYTES = 64 * 1024 * 1024;
const CHUNK_BYTES = 64 * 1024;

/** Chunks of about 64 KiB (more only around larger values) holding the entries of all slices, which must come in key order. */
export async function* writeSnapshot(
  revision: Revision,
  slices: AsyncIterable<readonly StoreEntry[]> | Iterable<readonly StoreEntry[]>,
): AsyncGenerator<Uint8Array, void, void> {
  for await (const chunk of snapshotChunks(revision, slices)) yield Buffer.from(chunk);
}

/**
 * The same as `writeSnapshot`, but a chunk holds until the next one is asked for: a large catalog leaves no garbage
 * behind for whoever only reads the chunks.
 */
export async function* snapshotChunks(
  revision: Revision,
  slices: AsyncIterable<readonly StoreEntry[]> | Iterable<readonly StoreEntry[]>,
): AsyncGenerator<Buffer, void, void> {
  const hash = createHash('sha256');
  const chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  let used = header(revision).copy(chunk);
  let count = 0;
  const flush = (): Buffer => {
    const full = chunk.subarray(0, used);
    hash.update(full);
    used = 0;
    return full;
  };
  for await (const entries of slices) {
    for (const entry of entries) {
      count++;
      const bytes = ENTRY_HEAD_BYTES + Buffer.byteLength(entry.key) + entry.value.byteLength;
      if (used + bytes > CHUNK_BYTES) yield flush();
      if (bytes <= CHUNK_BYTES) used = encodeEntry(entry, chunk, used);
      else {
        const large = Buffer.allocUnsafeSlow(bytes);
        encodeEntry(entry, large, 0);
        hash.update(large);
        yield large;
      }
    }
  }
  if (used > 0) yield flush();
  const end = Buffer.alloc(TRAILER_BYTES - 32);
  end.writeUInt8(TAG_END, 0);
  end.writeBigUInt64BE(BigInt(count), 1);
  hash.update(end);
  yield Buffer.concat([end, hash.digest()]);
}

/**
 * The entries of a snapshot in key order. Only when the iteration has come to its end is the snapshot known to be whole
 * and unchanged: whoever acts on entries before that must be able to undo it. `onHeader` is given the snapshot's
 * revision first.
 * @throws AppError `storeCorrupt` naming what is wrong and at which byte.
 */
export async function* readSnapshot(
  chunks: AsyncIterable<Uint8Array>,
  onHeader: (revision: Revision) => void,
): AsyncGenerator<StoreEntry, void, void> {
  const input = new SnapshotInput(chunks);
  try {
    yield* readEntries(input, onHeader);
  } finally {
    await input.close();
  }
}

async function* readEntries(
  input: SnapshotInput,
  onHeader: (revision: Revision) => void,
): AsyncGenerator<StoreEntry, void, void> {
  const revision = readHeader(await input.take(HEADER_BYTES));
  onHeader(revision);
  let count = 0;
  let last: Key | undefined;
  for (;;) {
    const tag = (await input.take(1)).readUInt8(0);
    if (tag === TAG_END) break;
    if (tag !== TAG_ENTRY) throw input.corrupt(`record type ${tag} is not known`);
    const entry = await readEntry(input, revision);
    if (last !== undefined && compareKeys(last, entry.key) >= 0) throw input.corrupt('the keys are not in order');
    last = entry.key;
    count++;
    yield entry;
  }
  const expected = (await input.take(8)).readBigUInt64BE(0);
  if (expected !== BigInt(count)) throw input.corrupt(`${expected} entries were announced, ${count} found`);
  const digest = input.digest();
  if (!digest.equals(await input.takeUnhashed(32))) throw input.corrupt('the checksum does not match');
  if (!(await input.atEnd())) throw input.corrupt('there is more after the end');
}

function header(revision: Revision): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES);
  MAGIC.copy(bytes);
  bytes.writeUInt16BE(FORMAT, 8);
  bytes.writeBigUInt64BE(BigInt(revision), 10);
  return bytes;
}

function readHeader(bytes: Buffer): Revision {
  if (!bytes.subarray(0, 8).equals(MAGIC)) throw corruptAt(0, 'this is not a snapshot');
  const format = bytes.readUInt16BE(8);
  if (format !== FORMAT) throw corruptAt(8, `format ${format} is not known (this version reads format ${FORMAT})`);
  return safeRevision(bytes.readBigUInt64BE(10), 10);
}

/** Writes the entry at this place of a buffer that has room for it; gives the place after it. */
function encodeEntry(entry: StoreEntry, out: Buffer, at: number): number {
  const keyBytes = out.write(entry.key, at + ENTRY_HEAD_BYTES, 'utf8');
  out.writeUInt8(TAG_ENTRY, at);
  out.writeUInt32BE(keyBytes, at + 1);
  out.writeUInt32BE(entry.value.byteLength, at + 5);
  out.writeBigUInt64BE(BigInt(entry.createRevision), at + 9);
  out.writeBigUInt64BE(BigInt(entry.modRevision), at + 17);
  out.set(entry.value, at + ENTRY_HEAD_BYTES + keyBytes);
  return at + ENTRY_HEAD_BYTES + keyBytes + entry.value.byteLength;
}

async function readEntry(input: SnapshotInput, newest: Revision): Promise<StoreEntry> {
  const head = await input.take(ENTRY_HEAD_BYTES - 1);
  const keyBytes = head.readUInt32BE(0);
  const valueBytes = head.readUInt32BE(4);
  if (keyBytes > MAX_KEY_BYTES) throw input.corrupt(`a key of ${keyBytes} bytes is too long`);
  if (valueBytes > MAX_VALUE_BYTES) throw input.corrupt(`a value of ${valueBytes} bytes is too long`);
  const createRevision = safeRevision(head.readBigUInt64BE(8), input.position);
  const modRevision = safeRevision(head.readBigUInt64BE(16), input.position);
  if (createRevision < 1 || createRevision > modRevision || modRevision > newest) {
    throw input.corrupt(`an entry's revisions ${createRevision}, ${modRevision} do not fit revision ${newest}`);
  }
  const key = readKey(await input.take(keyBytes), input);
  // A copy, so that the entry does not hold on to the chunk it came in.
  const value = new Uint8Array(await input.take(valueBytes));
  return { key, value, createRevision, modRevision };
}

function readKey(bytes: Buffer, input: SnapshotInput): Key {
  try {
    const key = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    checkKey(key);
    return key;
  } catch (error) {
    throw input.corrupt(`a key is not valid: ${errorText(error)}`);
  }
}

function safeRevision(value: bigint, position: number): Revision {
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw corruptAt(position, `revision ${value} is too large`);
  return Number(value);
}

function corruptAt(position: number, what: string): AppError {
  return new AppError('storeCorrupt', `the snapshot is damaged near byte ${position}: ${what}`, {
    facts: { position },
  });
}

/** Bytes of a chunked stream, taken in the sizes that the format asks for, hashed on the way. */
class SnapshotInput {
  readonly #source: AsyncIterator<Uint8Array>;
  readonly #hash: Hash = createHash('sha256');
  #rest: Buffer = Buffer.alloc(0);
  #position = 0;

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#source = chunks[Symbol.asyncIterator]();
  }

  get position(): number {
    return this.#position;
  }

  async take(bytes: number): Promise<Buffer> {
    const taken = await this.takeUnhashed(bytes);
    this.#hash.update(taken);
    return taken;
  }

  async takeUnhashed(bytes: number): Promise<Buffer> {
    if (this.#rest.length < bytes) await this.#fill(bytes);
    const taken = this.#rest.subarray(0, bytes);
    this.#rest = this.#rest.subarray(bytes);
    this.#position += bytes;
    return taken;
  }

  digest(): Buffer {
    return this.#hash.digest();
  }

  async atEnd(): Promise<boolean> {
    while (this.#rest.length === 0) {
      const next = await this.#source.next();
      if (next.done) return true;
      this.#rest = Buffer.from(next.value);
    }
    return false;
  }

  /** Lets go of a source that was not read to its end. */
  async close(): Promise<void> {
    await this.#source.return?.();
  }

  corrupt(what: string): AppError {
    return corruptAt(this.#position, what);
  }

  async #fill(bytes: number): Promise<void> {
    const parts = [this.#rest];
    let have = this.#rest.length;
    while (have < bytes) {
      const next = await this.#source.next();
      if (next.done) throw corruptAt(this.#position + have, 'it ends too early');
      parts.push(Buffer.from(next.value));
      have += next.value.byteLength;
    }
    this.#rest = Buffer.concat(parts);
  }
}
