import { AppError } from '../../core/errors.ts';
import { CHECKSUM_AT, SIZE_AT, TAR_BLOCK, TYPE_AT, tarChecksum, tarPadding } from '../../core/tar.ts';

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
      const block = await input.take(TAR_BLOCK);
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
  if (told !== tarChecksum(block)) throw damaged('a header does not match its checksum');
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
