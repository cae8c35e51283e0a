import { AppError } from '../core/errors.ts';
import type { Key, KeyRange } from './store.ts';

/** Longest key in bytes of UTF-8. Leaves room below LMDB's 1,978 bytes for 4 KiB pages. */
export const MAX_KEY_BYTES = 1500;

/** The character that `prefixRange` ends with; it takes 4 bytes. */
const RANGE_END = '\u{10FFFF}';

/** UTF-16 units order like UTF-8 bytes, but that surrogates (U+10000 and above) must come after U+E000..U+FFFF. */
const FROM_SURROGATES = /[\ud800-\uffff]/;

/** Negative, zero or positive as `a` sorts before, with or after `b` by their UTF-8 bytes. Both must be well-formed. */
export function compareKeys(a: Key, b: Key): number {
  if (ordersAsText(a) || ordersAsText(b)) return a < b ? -1 : a === b ? 0 : 1;
  return compareUnits(a, b);
}

/**
 * Whether the runtime's own `<`, many times as fast, tells how this key sorts beside any other: two texts sort otherwise
 * only where both have a unit from the surrogates on.
 */
export function ordersAsText(key: Key): boolean {
  return !FROM_SURROGATES.test(key);
}

function compareUnits(a: Key, b: Key): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const left = a.charCodeAt(i);
    const right = b.charCodeAt(i);
    if (left === right) continue;
    const leftIsSurrogate = isSurrogate(left);
    if (leftIsSurrogate !== isSurrogate(right)) return leftIsSurrogate ? 1 : -1;
    return left - right;
  }
  return a.length - b.length;
}

/** Whether `start <= key < end`. */
export function inRange(key: Key, range: KeyRange): boolean {
  if (ordersAsText(key)) return range.start <= key && key < range.end;
  return compareUnits(range.start, key) <= 0 && compareUnits(key, range.end) < 0;
}

/** The same test for many keys of one range: that of a prefix takes one comparison. */
export function rangeTest(range: KeyRange): (key: Key) => boolean {
  const { start, end } = range;
  return end === start + RANGE_END ? (key) => key.startsWith(start) : (key) => inRange(key, range);
}

/** The first position in the sorted `keys` whose key is not before `key`. */
export function lowerBound(keys: readonly Key[], key: Key): number {
  const asText = ordersAsText(key);
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const one = keys[middle]!;
    if (asText ? one < key : compareUnits(one, key) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** @throws AppError `badRequest` naming what is wrong with the key. */
export function checkKey(key: Key): void {
  if (key === '') throw new AppError('badRequest', 'a key must not be empty');
  checkText(key, 'key', MAX_KEY_BYTES);
  if (key.includes(RANGE_END)) throw new AppError('badRequest', 'a key must not contain U+10FFFF');
}

/** @throws AppError `badRequest` naming what is wrong with a bound of the range. */
export function checkRange(range: KeyRange): void {
  checkText(range.start, 'range start', MAX_KEY_BYTES + 4);
  checkText(range.end, 'range end', MAX_KEY_BYTES + 4);
}

function checkText(text: string, what: string, maxBytes: number): void {
  if (text.includes('\0')) throw new AppError('badRequest', `a ${what} must not contain U+0000`);
  if (!text.isWellFormed()) throw new AppError('badRequest', `a ${what} must not contain half of a surrogate pair`);
  // A UTF-16 unit takes at most 3 bytes, so most texts need not be measured.
  if (text.length * 3 <= maxBytes) return;
  const bytes = Buffer.byteLength(text);
  if (bytes > maxBytes) {
    throw new AppError('badRequest', `a ${what} must not be longer than ${maxBytes} bytes (this one has ${bytes})`, {
      facts: { limit: maxBytes, bytes },
    });
  }
}

function isSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdfff;
}
