import { compareKeys } from '../../store/key-order.ts';

/** What is kept in order: its place, and the index of its last change. */
export interface Ordered {
  readonly rest: string;
  readonly modifyIndex: number;
}

interface Chunk<T> {
  readonly items: T[];
  /** Of the items; never too low. */
  newest: number;
}

/** Items of a chunk at most: inserting moves so many at worst, and a range skips over as many at once. */
const MAX_CHUNK = 512;
/** Sorts after every key that begins with the same prefix; keys never contain it. */
const AFTER_PREFIX = '\u{10FFFF}';

/**
 * Entries in the order of their keys' UTF-8 bytes, in chunks that know their newest index: finding one takes a binary
 * search, and the newest index of a range does not look at each entry.
 */
export class OrderedEntries<T extends Ordered> {
  #chunks: Chunk<T>[] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(rest: string): T | undefined {
    const chunk = this.#chunks[this.#chunkAt(rest)];
    const item = chunk?.items[lowerBound(chunk.items, rest)];
    return item?.rest === rest ? item : undefined;
  }

  set(item: T): void {
    if (this.#chunks.length === 0) {
      this.#chunks.push({ items: [item], newest: item.modifyIndex });
      this.#size = 1;
      return;
    }
    const at = this.#chunkAt(item.rest);
    const chunk = this.#chunks[at]!;
    const place = lowerBound(chunk.items, item.rest);
    if (chunk.items[place]?.rest === item.rest) chunk.items[place] = item;
    else {
      chunk.items.splice(place, 0, item);
      this.#size++;
    }
    chunk.newest = Math.max(chunk.newest, item.modifyIndex);
    if (chunk.items.length > MAX_CHUNK) this.#split(at, place);
  }

  /** Gives what was removed. */
  delete(rest: string): T | undefined {
    const at = this.#chunkAt(rest);
    const chunk = this.#chunks[at];
    if (!chunk) return undefined;
    const place = lowerBound(chunk.items, rest);
    const item = chunk.items[place];
    if (item?.rest !== rest) return undefined;
    chunk.items.splice(place, 1);
    this.#size--;
    if (chunk.items.length === 0) this.#chunks.splice(at, 1);
    else if (item.modifyIndex === chunk.newest) chunk.newest = newestOf(chunk.items);
    return item;
  }

  clear(): void {
    this.#chunks = [];
    this.#size = 0;
  }

  /** Everything that begins with the prefix, in order. Nothing may be changed meanwhile. */
  *withPrefix(prefix: string): Iterable<T> {
    yield* this.from(prefix, prefix);
  }

  /** What begins with the prefix, from `start` on. */
  *from(start: string, prefix: string): Iterable<T> {
    let at = this.#chunkAt(start);
    let place = at < this.#chunks.length ? lowerBound(this.#chunks[at]!.items, start) : 0;
    for (; at < this.#chunks.length; at++, place = 0) {
      const { items } = this.#chunks[at]!;
      for (; place < items.length; place++) {
        if (!items[place]!.rest.startsWith(prefix)) return;
        yield items[place]!;
      }
    }
  }

  /** The first entry with the prefix that begins with none of what begins with `group`. */
  firstAfterGroup(group: string, prefix: string): T | undefined {
    const [first] = this.from(group + AFTER_PREFIX, prefix);
    return first;
  }

  /** The newest index of what begins with the prefix; 0 when nothing does. */
  newestWithPrefix(prefix: string): number {
    let newest = 0;
    for (let at = this.#chunkAt(prefix); at < this.#chunks.length; at++) {
      const { items, newest: ofChunk } = this.#chunks[at]!;
      const inside = items[0]!.rest.startsWith(prefix) && items.at(-1)!.rest.startsWith(prefix);
      if (inside) newest = Math.max(newest, ofChunk);
      else {
        const start = lowerBound(items, prefix);
        for (let place = start; place < items.length && items[place]!.rest.startsWith(prefix); place++) {
          newest = Math.max(newest, items[place]!.modifyIndex);
        }
        if (compareKeys(items.at(-1)!.rest, prefix + AFTER_PREFIX) > 0) break;
      }
    }
    return newest;
  }

  /** The chunk where a key is, or where it would go. */
  #chunkAt(rest: string): number {
    let low = 0;
    let high = this.#chunks.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (compareKeys(this.#chunks[middle]!.items[0]!.rest, rest) <= 0) low = middle;
      else high = middle - 1;
    }
    return Math.max(0, low);
  }

  #split(at: number, place: number): void {
    const { items } = this.#chunks[at]!;
    // Keys often come in order (a load always does): then the old chunk stays full.
    const cut = place === items.length - 1 ? items.length - 1 : items.length >>> 1;
    const right = items.splice(cut);
    this.#chunks[at] = { items, newest: newestOf(items) };
    this.#chunks.splice(at + 1, 0, { items: right, newest: newestOf(right) });
  }
}

function lowerBound(items: readonly Ordered[], rest: string): number {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compareKeys(items[middle]!.rest, rest) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

function newestOf(items: readonly Ordered[]): number {
  let newest = 0;
  for (const item of items) newest = Math.max(newest, item.modifyIndex);
  return newest;
}
