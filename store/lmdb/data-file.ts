import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { AppError } from '../../core/errors.ts';
import { nextTurn } from '../../core/next-turn.ts';

/*
 * LMDB maps its data file into memory and trusts it: a page missing from a truncated file ends the process with SIGBUS,
 * a damaged page with an assertion or wrong answers. So before LMDB gets to see the file, every page that it could reach
 * is read and checked here: the meta pages, and the trees of free pages, of tables, and of each table. The layout is
 * that of LMDB data version 2 on little-endian 64-bit machines (lmdb.h, "MDB_DATA_VERSION"; every platform that the
 * lmdb package has a binary for).
 */
const META_MAGIC = 0xbeefc0de;
const DATA_VERSION = 2;
const PAGE_HEAD_BYTES = 24;
const META_BYTES = 128 + 8;
const MIN_PAGE_BYTES = 512;
const MAX_PAGE_BYTES = 65_536;
/** A tree that deep would hold more than any disk does. */
const MAX_DEPTH = 32;
/** Other work gets its turn after so many pages, which is some 2 ms. */
const PAGES_A_TURN = 128;
const NO_PAGE = 0xffff_ffff_ffff_ffffn;
const PAGE_BRANCH = 0x01;
const PAGE_LEAF = 0x02;
const PAGE_OVERFLOW = 0x04;
const PAGE_META = 0x08;
const NODE_BIG = 0x01;
const NODE_TABLE = 0x02;

/** The record of one tree (`MDB_db`), as meta pages and table nodes hold it. */
interface Tree {
  readonly depth: number;
  readonly entries: bigint;
  readonly root: bigint;
}

interface Meta {
  readonly pageBytes: number;
  readonly free: Tree;
  readonly main: Tree;
  readonly txnId: bigint;
}

/** What a walk of one tree remembers. */
interface Walk {
  readonly depth: number;
  readonly sorted: boolean;
  entries: bigint;
  lastKey: Buffer | undefined;
  /** Whether `lastKey` is an entry rather than the key of a branch. */
  lastKeyIsEntry: boolean;
  readonly visit: (key: Buffer, value: Buffer, isTable: boolean) => void | Promise<void>;
}

/** Called for each entry of each table. It may throw to refuse the file. */
export type TableVisitor = (table: string, key: Buffer, value: Buffer) => void;

/**
 * Reads the whole data file and checks that LMDB will find every page where it expects it.
 * @throws AppError `storeCorrupt` naming what is wrong, `storeVersion` for a newer LMDB data version.
 */
export async function checkDataFile(path: string, visit: TableVisitor): Promise<void> {
  const fd = openSync(path, 'r');
  try {
    await new DataFileCheck(fd, fstatSync(fd).size, visit).run();
  } finally {
    closeSync(fd);
  }
}

class DataFileCheck {
  readonly #fd: number;
  readonly #size: number;
  readonly #visit: TableVisitor;
  #pageBytes = 0;
  #pagesRead = 0;

  constructor(fd: number, size: number, visit: TableVisitor) {
    this.#fd = fd;
    this.#size = size;
    this.#visit = visit;
  }

  async run(): Promise<void> {
    const first = this.#meta(0);
    const second = this.#meta(first.pageBytes);
    if (second.pageBytes !== first.pageBytes) throw corrupt('its two meta pages disagree on the page size');
    const meta = second.txnId > first.txnId ? second : first;
    this.#pageBytes = meta.pageBytes;
    await this.#walk(meta.free, false, () => {});
    await this.#walk(meta.main, true, async (name, value, isTable) => {
      if (!isTable) return;
      // lmdb-js ends the names of tables with a zero byte.
      const table = name.toString().replace(/\0$/, '');
      await this.#walk(readTree(value, 0), true, (key, record) => this.#visit(table, key, record));
    });
  }

  #meta(offset: number): Meta {
    const bytes = this.#read(offset, PAGE_HEAD_BYTES + META_BYTES);
    const body = bytes.subarray(PAGE_HEAD_BYTES);
    if (!(bytes.readUInt16LE(18) & PAGE_META) || body.readUInt32LE(0) !== META_MAGIC) {
      throw corrupt(`there is no LMDB meta page at byte ${offset}`);
    }
    const version = body.readUInt32LE(4) & 0xffff;
    if (version > DATA_VERSION) {
      throw new AppError('storeVersion', `it has LMDB data version ${version}, this version reads ${DATA_VERSION}`);
    }
    if (version !== DATA_VERSION) throw corrupt(`LMDB data version ${version} is not known`);
    const pageBytes = body.readUInt32LE(24);
    if (pageBytes < MIN_PAGE_BYTES || pageBytes > MAX_PAGE_BYTES || (pageBytes & (pageBytes - 1)) !== 0) {
      throw corrupt(`a page size of ${pageBytes} bytes is not possible`);
    }
    return { pageBytes, free: readTree(body, 24), main: readTree(body, 72), txnId: body.readBigUInt64LE(128) };
  }

  async #walk(tree: Tree, sorted: boolean, visit: Walk['visit']): Promise<void> {
    const walk: Walk = { depth: tree.depth, sorted, entries: 0n, lastKey: undefined, lastKeyIsEntry: false, visit };
    if (tree.root !== NO_PAGE) await this.#page(tree.root, 1, walk);
    if (walk.entries !== tree.entries) {
      throw corrupt(`${tree.entries} entries were expected in a tree, ${walk.entries} found`);
    }
  }

  async #page(number: bigint, depth: number, walk: Walk): Promise<void> {
    if (depth > MAX_DEPTH || depth > walk.depth) throw corrupt(`page ${number} lies deeper than its tree`);
    const page = this.#pages(number, 1);
    if (this.#pagesRead % PAGES_A_TURN === 0) await nextTurn();
    const kind = page.readUInt16LE(18) & (PAGE_BRANCH | PAGE_LEAF | PAGE_OVERFLOW | PAGE_META);
    if (kind !== (depth === walk.depth ? PAGE_LEAF : PAGE_BRANCH)) throw corrupt(`page ${number} is of a wrong kind`);
    const nodes = page.readUInt16LE(20) >> 1;
    if (nodes === 0 || PAGE_HEAD_BYTES + nodes * 2 > page.length) throw corrupt(`page ${number} has ${nodes} nodes`);
    for (let i = 0; i < nodes; i++) {
      const at = PAGE_HEAD_BYTES + page.readUInt16LE(PAGE_HEAD_BYTES + i * 2);
      const key = slice(page, at + 8, at + 8 <= page.length ? page.readUInt16LE(at + 6) : 0, number);
      if (kind === PAGE_LEAF) {
        const table = this.#leaf(page, at, key, number, walk);
        if (table) await table;
        continue;
      }
      // The first key of a branch page stands for "everything lower" and is not used.
      if (i > 0) this.#checkOrder(key, walk, number, false);
      const low = BigInt(page.readUInt32LE(at));
      await this.#page(low | (BigInt(page.readUInt16LE(at + 4)) << 32n), depth + 1, walk);
    }
  }

  #leaf(page: Buffer, at: number, key: Buffer, number: bigint, walk: Walk): void | Promise<void> {
    this.#checkOrder(key, walk, number, true);
    const flags = page.readUInt16LE(at + 4);
    const bytes = page.readUInt32LE(at);
    const start = at + 8 + key.length;
    walk.entries++;
    if (!(flags & NODE_BIG)) {
      return walk.visit(key, slice(page, start, bytes, number), (flags & NODE_TABLE) !== 0);
    }
    const reference = slice(page, start, 24, number);
    const first = reference.readBigUInt64LE(0);
    const count = Math.ceil((PAGE_HEAD_BYTES + bytes) / this.#pageBytes);
    const big = this.#pages(first, count);
    if (!(big.readUInt16LE(18) & PAGE_OVERFLOW)) throw corrupt(`page ${first} is of a wrong kind`);
    return walk.visit(key, slice(big, PAGE_HEAD_BYTES, bytes, first), false);
  }

  #checkOrder(key: Buffer, walk: Walk, number: bigint, isEntry: boolean): void {
    if (!walk.sorted) return;
    const order = walk.lastKey ? Buffer.compare(walk.lastKey, key) : -1;
    // An entry may be equal to the branch key that announced it.
    if (order > 0 || (order === 0 && walk.lastKeyIsEntry)) throw corrupt(`the keys of page ${number} are not in order`);
    walk.lastKey = key;
    walk.lastKeyIsEntry = isEntry;
  }

  #pages(first: bigint, count: number): Buffer {
    const offset = Number(first) * this.#pageBytes;
    const bytes = this.#read(offset, count * this.#pageBytes);
    if (bytes.readBigUInt64LE(0) !== first) throw corrupt(`page ${first} is not where it should be`);
    this.#pagesRead += count;
    if (this.#pagesRead * this.#pageBytes > this.#size) throw corrupt('a page is used twice');
    return bytes;
  }

  #read(offset: number, bytes: number): Buffer {
    const end = offset + bytes;
    if (end > this.#size) throw corrupt(`it is cut off: it has ${this.#size} bytes, byte ${end} is needed`);
    const buffer = Buffer.allocUnsafe(bytes);
    const bytesRead = readSync(this.#fd, buffer, 0, bytes, offset);
    if (bytesRead !== bytes) throw corrupt(`it is cut off: ${bytesRead} of ${bytes} bytes at ${offset} could be read`);
    return buffer;
  }
}

function readTree(bytes: Buffer, offset: number): Tree {
  if (bytes.length < offset + 48) throw corrupt('the record of a table is too short');
  return {
    depth: bytes.readUInt16LE(offset + 6),
    entries: bytes.readBigUInt64LE(offset + 32),
    root: bytes.readBigUInt64LE(offset + 40),
  };
}

function slice(page: Buffer, start: number, bytes: number, number: bigint): Buffer {
  if (start + bytes > page.length) throw corrupt(`a node of page ${number} reaches over its end`);
  return page.subarray(start, start + bytes);
}

function corrupt(what: string): AppError {
  return new AppError('storeCorrupt', what);
}
