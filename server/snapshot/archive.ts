import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { createGunzip } from 'node:zlib';
import { AppError, errorText } from '../../core/errors.ts';
import { TAR_END, tarHeader, tarPadding } from '../../core/tar.ts';
import { readSnapshot } from '../../store/snapshot-format.ts';
import type { StoreEntry } from '../../store/store.ts';
import { readTar } from './tar.ts';

/** What an archive says of itself; Consul's fields, and ours under Lictor. */
export interface SnapshotMeta {
  readonly Version: number;
  readonly ID: string;
  readonly Index: number;
  readonly Term: number;
  readonly Size: number;
  readonly Lictor: { readonly Format: number; readonly Datacenter: string };
}

/** Of an archive in which records may be packed, and the state half of a check may lie in its definition. */
export const ARCHIVE_FORMAT = 2;
/** Of one of plain records, in which each half of a check is an entry of its own; all versions read it. */
export const PLAIN_FORMAT = 1;

const META = 'meta.json';
const STATE = 'state.bin';
const SUMS = 'SHA256SUMS';
/** Of meta.json and SHA256SUMS, which are short. */
const MAX_SMALL_BYTES = 64 * 1024;

/**
 * The archive as chunks, not yet compressed. `state` is iterated twice and must give the same bytes: first to learn its
 * size and checksum, which come before it. Its chunks need to hold only until the next one is asked for.
 */
export async function* writeArchive(
  meta: Omit<SnapshotMeta, 'Size'>,
  state: () => AsyncIterable<Uint8Array>,
  modifiedAtMs: number,
): AsyncGenerator<Uint8Array, void, void> {
  const hash = createHash('sha256');
  let size = 0;
  for await (const chunk of state()) {
    hash.update(chunk);
    size += chunk.byteLength;
  }
  const metaBytes = Buffer.from(JSON.stringify({ ...meta, Size: size } satisfies SnapshotMeta));
  const sums = Buffer.from(`${sha256(metaBytes)}  ${META}\n${hash.digest('hex')}  ${STATE}\n`);
  yield* file(META, metaBytes, modifiedAtMs);
  yield tarHeader(STATE, size, modifiedAtMs);
  for await (const chunk of state()) yield Buffer.from(chunk);
  yield tarPadding(size);
  yield* file(SUMS, sums, modifiedAtMs);
  yield TAR_END;
}

function* file(name: string, bytes: Buffer, modifiedAtMs: number): Iterable<Uint8Array> {
  yield tarHeader(name, bytes.length, modifiedAtMs);
  yield bytes;
  yield tarPadding(bytes.length);
}

/**
 * Reads a whole archive from a file: each entry goes to `take` before it is known that the archive is whole.
 * @throws AppError `storeCorrupt` with Consul's text for one that is no gzip, ours for what else is wrong.
 */
export async function readArchive(
  path: string,
  take: (entry: StoreEntry) => Promise<void> | void,
): Promise<SnapshotMeta> {
  const sums = new Map<string, string>();
  const found = { meta: '', told: '' };
  let index: number | undefined;
  await readTar(gunzipped(path), async (name, content) => {
    if (sums.has(name) || ![META, STATE, SUMS].includes(name)) throw refused(`unexpected file ${JSON.stringify(name)}`);
    const hash = createHash('sha256');
    const hashed = tapped(content, (chunk) => hash.update(chunk));
    if (name === STATE) {
      try {
        for await (const entry of readSnapshot(hashed, (revision) => (index = revision))) await take(entry);
      } catch (error) {
        // What somebody else has written is not damaged.
        if (found.meta !== '') checkFormat(metaOf(found.meta).Lictor?.Format);
        throw error;
      }
    } else {
      const text = await small(name, hashed);
      if (name === META) found.meta = text;
      else found.told = text;
    }
    sums.set(name, hash.digest('hex'));
  });
  if (sums.size < 3) throw refused(`it needs the files ${META}, ${STATE} and ${SUMS}`);
  if (found.told !== `${sums.get(META)}  ${META}\n${sums.get(STATE)}  ${STATE}\n`) {
    throw refused(`the checksums in ${SUMS} do not match`);
  }
  const meta = metaOf(found.meta);
  checkFormat(meta.Lictor?.Format);
  if (meta.Index !== index) throw refused(`${META} and ${STATE} name different indexes`);
  return meta;
}

function checkFormat(format: number | undefined): void {
  if (format === ARCHIVE_FORMAT || format === PLAIN_FORMAT) return;
  throw refused(
    format === undefined
      ? `${META} is not that of Lictor: archives of Consul cannot be read`
      : `it has format ${format}, this version reads up to format ${ARCHIVE_FORMAT}; use the newer version`,
  );
}

function metaOf(text: string): SnapshotMeta {
  try {
    const meta = JSON.parse(text) as SnapshotMeta | null;
    if (typeof meta === 'object' && meta !== null) return meta;
  } catch {
    // Said below.
  }
  throw refused(`${META} cannot be read`);
}

async function* gunzipped(path: string): AsyncGenerator<Uint8Array, void, void> {
  const source = createReadStream(path);
  const gunzip = createGunzip();
  source.on('error', (error) => gunzip.destroy(error));
  source.pipe(gunzip);
  try {
    for await (const chunk of gunzip) yield chunk as Buffer;
  } catch (error) {
    throw new AppError('storeCorrupt', `failed to decompress snapshot: ${errorText(error)}`, { cause: error });
  } finally {
    source.destroy();
    gunzip.destroy();
  }
}

async function* tapped(
  chunks: AsyncIterable<Uint8Array>,
  tap: (chunk: Uint8Array) => void,
): AsyncGenerator<Uint8Array, void, void> {
  for await (const chunk of chunks) {
    tap(chunk);
    yield chunk;
  }
}

async function small(name: string, chunks: AsyncIterable<Uint8Array>): Promise<string> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of chunks) {
    bytes += chunk.byteLength;
    if (bytes > MAX_SMALL_BYTES) throw refused(`${name} is too long`);
    parts.push(chunk);
  }
  return Buffer.concat(parts).toString();
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function refused(what: string): AppError {
  return new AppError('storeCorrupt', `failed to verify snapshot file: ${what}`);
}
