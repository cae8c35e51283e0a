import { compareKeys, lowerBound, ordersAsText } from '../key-order.ts';
import type { Key, KeyRange, Revision } from '../store.ts';
import { ContentDigest, type KeyRevisions } from './content-digest.ts';

/** A piece of the key space. Three arrays rather than objects, which would weigh twice as much. */
interface Piece {
  readonly keys: Key[];
  readonly created: Revision[];
  readonly modified: Revision[];
}

/** A piece with more keys is cut in two: small enough that an insertion moves little. */
const MAX_PIECE_KEYS = 512;

/** Which keys there are and when each was put, in key order; without values. */
export class KeyIndex {
  /** In key order and none of them empty, but for the only one of an empty index. */
  #pieces: Piece[] = [newPiece()];
  #size = 0;
  readonly #digest = new ContentDigest();

  get size(): number {
    return this.#size;
  }

  /** Of the present keys and revisions; the caller copies what is to stay as it is. */
  get digest(): ContentDigest {
    return this.#digest;
  }

  get(key: Key): KeyRevisions | undefined {
    const piece = this.#pieces[this.#pieceOf(key)]!;
    const at = lowerBound(piece.keys, key);
    if (piece.keys[at] !== key) return undefined;
    return revisionsAt(piece, at);
  }

  set(key: Key, createRevision: Revision, modRevision: Revision): void {
    // A store that is loaded brings its keys in order: they need not be searched for.
    const above = this.#isAbove(key);
    const number = above ? this.#pieces.length - 1 : this.#pieceOf(key);
    const piece = this.#pieces[number]!;
    const at = above ? piece.keys.length : lowerBound(piece.keys, key);
    const before = piece.keys[at] === key ? revisionsAt(piece, at) : undefined;
    this.#digest.change(key, before, { createRevision, modRevision });
    if (before) {
      piece.created[at] = createRevision;
      piece.modified[at] = modRevision;
      return;
    }
    piece.keys.splice(at, 0, key);
    piece.created.splice(at, 0, createRevision);
    piece.modified.splice(at, 0, modRevision);
    this.#size++;
    if (piece.keys.length > MAX_PIECE_KEYS) this.#cut(number);
  }

  delete(key: Key): void {
    const number = this.#pieceOf(key);
    const piece = this.#pieces[number]!;
    const at = lowerBound(piece.keys, key);
    if (piece.keys[at] !== key) return;
    this.#digest.change(key, revisionsAt(piece, at), undefined);
    piece.keys.splice(at, 1);
    piece.created.splice(at, 1);
    piece.modified.splice(at, 1);
    this.#size--;
    if (piece.keys.length === 0 && this.#pieces.length > 1) this.#pieces.splice(number, 1);
  }

  /** The keys of the range, with the revision of each one's last put. The index must not change meanwhile. */
  *range(range: KeyRange): Generator<readonly [Key, Revision], void, void> {
    for (let number = this.#pieceOf(range.start); number < this.#pieces.length; number++) {
      const { keys, modified } = this.#pieces[number]!;
      for (let at = lowerBound(keys, range.start); at < keys.length; at++) {
        if (compareKeys(keys[at]!, range.end) >= 0) return;
        yield [keys[at]!, modified[at]!];
      }
    }
  }

  /** Whether it comes after all keys. */
  #isAbove(key: Key): boolean {
    const last = this.#pieces.at(-1)!.keys.at(-1);
    return last === undefined || compareKeys(last, key) < 0;
  }

  /** The last piece that begins at or before the key. */
  #pieceOf(key: Key): number {
    const asText = ordersAsText(key);
    let low = 0;
    let high = this.#pieces.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      const first = this.#pieces[middle]!.keys[0]!;
      if (asText ? first <= key : compareKeys(first, key) <= 0) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  #cut(number: number): void {
    const piece = this.#pieces[number]!;
    // Keys that are added in order leave full pieces behind them.
    const last = number === this.#pieces.length - 1;
    const half = last ? MAX_PIECE_KEYS - 16 : MAX_PIECE_KEYS >>> 1;
    const upper = {
      keys: piece.keys.splice(half),
      created: piece.created.splice(half),
      modified: piece.modified.splice(half),
    };
    this.#pieces.splice(number + 1, 0, upper);
  }
}

function revisionsAt({ created, modified }: Piece, at: number): KeyRevisions {
  return { createRevision: created[at]!, modRevision: modified[at]! };
}

function newPiece(): Piece {
  return { keys: [], created: [], modified: [] };
}
