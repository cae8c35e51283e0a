import { AppError } from './errors.ts';

const LENGTH_BYTES = 4;

/** A piece of bytes with its length before it (u32, big-endian). */
export function lengthFrame(...parts: readonly Uint8Array[]): Buffer {
  const length = parts.reduce((sum, part) => sum + part.byteLength, 0);
  const frame = Buffer.allocUnsafe(LENGTH_BYTES + length);
  frame.writeUInt32BE(length, 0);
  let at = LENGTH_BYTES;
  for (const part of parts) {
    frame.set(part, at);
    at += part.byteLength;
  }
  return frame;
}

/** Takes frames apart, however their bytes come. It holds no more than one frame of the longest kind, and one chunk. */
export class LengthFrames {
  readonly #maxBytes: number;
  readonly #frame: (frame: Buffer) => void;
  /** What has come of a frame that is not whole. */
  #chunks: Buffer[] = [];
  #bytes = 0;

  /** `frame` gets each frame's content; it lies in what came and is not copied. */
  constructor(options: { readonly maxBytes: number }, frame: (frame: Buffer) => void) {
    this.#maxBytes = options.maxBytes;
    this.#frame = frame;
  }

  /** @throws AppError `tooLarge` for a frame over the limit, what `frame` throws; then nothing more can be read. */
  push(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#bytes += chunk.byteLength;
    if (this.#bytes < LENGTH_BYTES) return;
    // Small pieces of a long frame are not joined again and again.
    const length = this.#length();
    if (this.#bytes < LENGTH_BYTES + length) return;
    let rest = this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks);
    while (rest.byteLength >= LENGTH_BYTES) {
      const end = LENGTH_BYTES + this.#checked(rest.readUInt32BE(0));
      if (rest.byteLength < end) break;
      this.#frame(rest.subarray(LENGTH_BYTES, end));
      rest = rest.subarray(end);
    }
    this.#chunks = rest.byteLength === 0 ? [] : [rest];
    this.#bytes = rest.byteLength;
  }

  #length(): number {
    if (this.#chunks[0]!.byteLength < LENGTH_BYTES) this.#chunks = [Buffer.concat(this.#chunks)];
    return this.#checked(this.#chunks[0]!.readUInt32BE(0));
  }

  #checked(length: number): number {
    if (length <= this.#maxBytes) return length;
    throw new AppError('tooLarge', `a frame of ${length} bytes; at most ${this.#maxBytes} go in one`);
  }
}
