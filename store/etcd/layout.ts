import { AppError } from '../../core/errors.ts';
import { unboxed } from '../revision.ts';
import type { Key, KeyRange, Revision } from '../store.ts';
import type { ContentSum } from './content-digest.ts';
import type { EtcdRange } from './messages.ts';

/*
 * Where the store lies in etcd, below a prefix (default `lictor/`):
 *   root                        JSON: format, store id, the generation that counts
 *   data/<generation>/head      JSON: revision and the last batch; put by every transaction of the engine, and compared by it
 *   data/<generation>/e/<key>   12 bytes: u48 createRevision, u48 modRevision (big-endian), then the value
 *   restoring/<generation>      while a restore fills a generation
 *   accept                      the id of a head, put by an operator: the content is taken though it does not fit that head
 * Revisions are the store's own, not etcd's. Both 0 in an entry: it came with the generation, at its base revision.
 */
/**
 * The newest format that this version knows. 1: as above. 2: the same, in which the servers may put what versions that know only
 * format 1 cannot read.
 */
export const FORMAT = 2;
export const ENTRY_HEAD_BYTES = 12;
const U48 = 2 ** 48;

export interface Root {
  readonly format: number;
  readonly storeId: string;
  readonly generation: string;
}

/** What the last transaction of a generation did. */
export interface Head {
  /** Of the transaction, unique. */
  readonly id: string;
  /** The store's revision after it. */
  readonly revision: Revision;
  /** The revision at which the generation began. */
  readonly base: Revision;
  /** Etcd's revision of the head before it; 0 for the first. */
  readonly previous: number;
  /** How many changes each revision of the transaction has; the last one belongs to `revision`. */
  readonly changes: readonly number[];
  /**
   * What all entries come to after it, so that a change by something else than a server shows. Undefined when a version
   * that does not know it has written last; the next one that does gives it again.
   */
  readonly content?: ContentSum;
  /** The generation that has taken this one's place; then nothing more comes here. */
  readonly movedTo?: string;
}

/** The keys of etcd that a store uses. */
export class Layout {
  readonly root: Buffer;
  readonly restoring: EtcdRange;
  readonly data: EtcdRange;
  readonly accept: Buffer;
  readonly prefix: string;

  constructor(prefix: string) {
    this.prefix = prefix;
    this.accept = Buffer.from(`${prefix}accept`);
    this.root = Buffer.from(`${prefix}root`);
    this.restoring = below(`${prefix}restoring/`);
    this.data = below(`${prefix}data/`);
  }

  generation(name: string): GenerationLayout {
    return new GenerationLayout(`${this.prefix}data/${name}/`);
  }

  marker(generation: string): Buffer {
    return Buffer.from(`${this.prefix}restoring/${generation}`);
  }

  /** The generation that a key below `data` belongs to. */
  generationOf(key: Buffer): string {
    const start = this.data.key.byteLength;
    return key.toString('utf8', start, key.indexOf('/', start));
  }
}

/** The keys of one generation. */
export class GenerationLayout {
  readonly head: Buffer;
  /** Head and entries. */
  readonly all: EtcdRange;
  readonly #entries: string;
  readonly #entriesBytes: number;

  constructor(prefix: string) {
    this.head = Buffer.from(`${prefix}head`);
    this.all = below(prefix);
    this.#entries = `${prefix}e/`;
    this.#entriesBytes = Buffer.byteLength(this.#entries);
  }

  entry(key: Key): Buffer {
    return Buffer.from(this.#entries + key);
  }

  range(range: KeyRange): Required<EtcdRange> {
    return { key: this.entry(range.start), end: this.entry(range.end) };
  }

  isHead(key: Buffer): boolean {
    return key.equals(this.head);
  }

  /** The store's key of an entry. */
  keyOf(key: Buffer): Key {
    return key.toString('utf8', this.#entriesBytes);
  }
}

/** The twelve bytes before an entry's value. */
export function entryHead(createRevision: Revision, modRevision: Revision): Buffer {
  const bytes = Buffer.allocUnsafe(ENTRY_HEAD_BYTES);
  writeU48(bytes, createRevision, 0);
  writeU48(bytes, modRevision, 6);
  return bytes;
}

/** An entry's revisions. @throws AppError `storeCorrupt` naming the key. */
export function entryRevisions(
  key: Buffer,
  value: Buffer,
  head: Pick<Head, 'base' | 'revision'>,
): { createRevision: Revision; modRevision: Revision } {
  if (value.byteLength < ENTRY_HEAD_BYTES) throw foreign(key);
  const createRevision = unboxed(value.readUIntBE(0, 6) || head.base);
  const modRevision = unboxed(value.readUIntBE(6, 6) || head.base);
  if (createRevision < 1 || createRevision > modRevision || modRevision > head.revision) throw foreign(key);
  return { createRevision, modRevision };
}

export function encodeHead(head: Head): Buffer {
  return Buffer.from(JSON.stringify(head));
}

/** @throws AppError `storeCorrupt`. */
export function decodeHead(key: Buffer, value: Buffer): Head {
  const head = parse(key, value) as Partial<Head>;
  const counts = head.changes;
  const fits =
    typeof head.id === 'string' &&
    isRevision(head.revision) &&
    isRevision(head.base) &&
    isRevision(head.previous) &&
    Array.isArray(counts) &&
    counts.every((count) => isRevision(count) && count > 0) &&
    head.base + counts.length <= head.revision &&
    (head.content === undefined || isContentSum(head.content)) &&
    (head.movedTo === undefined || typeof head.movedTo === 'string');
  if (!fits) throw foreign(key);
  return head as Head;
}

export function encodeRoot(root: Root): Buffer {
  return Buffer.from(JSON.stringify(root));
}

/** @throws AppError `storeCorrupt`, `storeVersion` when a newer version made the store. */
export function decodeRoot(key: Buffer, value: Buffer): Root {
  const root = parse(key, value) as Partial<Root>;
  if (!isRevision(root.format)) throw foreign(key);
  if (root.format > FORMAT) {
    throw new AppError(
      'storeVersion',
      `the store in etcd has format ${root.format}, this version knows format ${FORMAT}: use the newer version`,
    );
  }
  if (typeof root.storeId !== 'string' || typeof root.generation !== 'string') throw foreign(key);
  return root as Root;
}

/** What is in etcd was not written by an engine of this project, or is damaged. */
export function foreign(key: Uint8Array): AppError {
  return new AppError(
    'storeCorrupt',
    `etcd's key ${JSON.stringify(Buffer.from(key).toString())} does not hold what this store writes there; ` +
      'remove it if something else wrote it, or restore a snapshot under another prefix',
  );
}

/** The range of all keys with this prefix, which ends with `/`. */
function below(prefix: string): Required<EtcdRange> {
  // 0 is the character after /.
  return { key: Buffer.from(prefix), end: Buffer.from(`${prefix.slice(0, -1)}0`) };
}

function parse(key: Buffer, value: Buffer): object {
  try {
    const parsed: unknown = JSON.parse(value.toString());
    if (typeof parsed === 'object' && parsed !== null) return parsed;
  } catch {
    // Said below.
  }
  throw foreign(key);
}

function isContentSum(value: unknown): value is ContentSum {
  if (typeof value !== 'object' || value === null) return false;
  const { entries, digest } = value as Partial<ContentSum>;
  return isRevision(entries) && typeof digest === 'string' && /^[0-9a-f]{16}$/.test(digest);
}

function isRevision(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function writeU48(bytes: Buffer, value: number, at: number): void {
  if (value >= U48) throw new AppError('internal', `revision ${value} does not fit`);
  bytes.writeUIntBE(value, at, 6);
}
