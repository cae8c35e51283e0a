import { AppError } from '../../core/errors.ts';

/** The block size of the tar format (POSIX ustar). */
const BLOCK = 512;
const SIZE_AT = 124;
const CHECKSUM_AT = 148;
const TYPE_AT = 156;

/** The header block of a plain file. */
export function tarHeader(name: string, size: number, modifiedAtMs: number): Buffer {
  const block = Buffer.alloc(BLOCK);
  const octal = (value: number, at: number, width: number) =>
    block.write(`${value.toString(8).padStart(width - 1, '0')}\0`, at, 'latin1');
  block.write(name, 0, 100, 'latin1');
  octal(0o600, 100, 8);
  octal(0, 108, 8);
  octal(0, 116, 8);
  // Above 8 GiB the octal form has no room: the base-256 form of GNU tar, which Go reads too.
  if (size < 8 ** 11) octal(size, SIZE_AT, 12);
  else {
    block[SIZE_AT] = 0x80;
    block.writeBigUInt64BE(BigInt(size), SIZE_AT + 4);
  }
  octal(Math.floor(modifiedAtMs / 1000), 136, 12);
  block.write('0', TYPE_AT, 'latin1');
  block.write('ustar\x0000', 257, 'latin1');
  block.write(`${checksum(block).toString(8).padStart(6, '0')}\0 `, CHECKSUM_AT, 'latin1');
  return block;
}

/** What fills a file of this size up to whole blocks. */
export function tarPadding(size: number): Buffer {
  return Buffer.alloc((BLOCK - (size % BLOCK)) % BLOCK);
}

/** The end of an archive. */
export const TAR_END = Buffer.alloc(2 * BLOCK);

/**
 * Hands each file of an archive to `take`, whose iteration of the content must come to its end.
 * @throws AppError `storeCorrupt` for an archive that is damaged or ends too early.
 */
export async function readTar(
  chunks: AsyncIterable<Uint8Array>,
  take: (name: string, content: AsyncIterable<Uint8Array>) => Promise<void>,
): Promise<void> {
  const input = new Input(chunks);
  try {
    for (;;) {
      const block = await input.take(BLOCK);
      if (block.every((byte) => byte === 0)) break;
      const { name, size } = parseHeader(block);
      await take(name, input.pieces(size));
      await input.take(tarPadding(size).length);
    }
    // What follows the end has no meaning, but its checksum (gzip's) has.
    await input.drain();
  } finally {
    await input.close();
  }
}

function parseHeader(block: Buffer): { name: string; size: number } {
  const told = Number.parseInt(block.toString('latin1', CHECKSUM_AT, CHECKSUM_AT + 8), 8);
  if (told !== checksum(block)) throw damaged('a header does not match its checksum');
  const type = String.fromCharCode(block[TYPE_AT]!);
  if (type !== '0' && type !== '\0') throw damaged(`an entry of type ${JSON.stringify(type)} is not a file`);
  const name = block.toString('latin1', 0, 100).replace(/\0.*$/s, '');
  const size =
    block[SIZE_AT]! & 0x80
      ? Number(block.readBigUInt64BE(SIZE_AT + 4))
      : Number.parseInt(block.toString('latin1', SIZE_AT, SIZE_AT + 12), 8);
  if (!Number.isSafeInteger(size) || size < 0) throw damaged(`the size of ${JSON.stringify(name)} cannot be read`);
  return { name, size };
}

/** The sum of a header's bytes with its checksum field as blanks. */
function checksum(block: Buffer): number {
  let sum = 0;
  for (let at = 0; at < BLOCK; at++) sum += at >= CHECKSUM_AT && at < CHECKSUM_AT + 8 ? 0x20 : block[at]!;
  return sum;
}

function damaged(what: string): AppError {
  return new AppError('storeCorrupt', `failed to read snapshot file: ${what}`);
}

class Input {
  readonly #source: AsyncIterator<Uint8Array>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#source = chunks[Symbol.asyncIterator]();
  }

  /** Few bytes in one piece. */
  async take(bytes: number): Promise<Buffer> {
    const parts: Buffer[] = [];
    for await (const piece of this.pieces(bytes)) parts.push(piece);
    return Buffer.concat(parts);
  }

  async *pieces(bytes: number): AsyncGenerator<Buffer, void, void> {
    let left = bytes;
    while (left > 0) {
      if (this.#rest.length === 0) await this.#next();
      const piece = this.#rest.subarray(0, left);
      this.#rest = this.#rest.subarray(piece.length);
      left -= piece.length;
      yield piece;
    }
  }

  async drain(): Promise<void> {
    while (!(await this.#source.next()).done) {
      // Nothing is kept.
    }
  }

  async close(): Promise<void> {
    await this.#source.return?.();
  }

  async #next(): Promise<void> {
    const next = await this.#source.next();
    if (next.done) throw damaged('it ends too early');
    this.#rest = Buffer.from(next.value.buffer, next.value.byteOffset, next.value.byteLength);
  }
}
