import { decodeCut } from './output.ts';

/** Keeps the first `maxBytes` bytes of what a command writes; the rest is read and dropped, so that it can go on. */
export class BoundedOutput {
  readonly #maxBytes: number;
  readonly #chunks: Uint8Array[] = [];
  #length = 0;

  constructor(options: { maxBytes: number }) {
    this.#maxBytes = options.maxBytes;
  }

  add(chunk: Uint8Array): void {
    const kept = chunk.subarray(0, this.#maxBytes - this.#length);
    if (kept.length === 0) return;
    this.#chunks.push(kept);
    this.#length += kept.length;
  }

  text(): string {
    return decodeCut(Buffer.concat(this.#chunks));
  }
}

/** The verdict of a command by its exit code: 0 passing, 1 warning, all else critical. */
export function verdictOfExit(code: number | null): 'passing' | 'warning' | 'critical' {
  return code === 0 ? 'passing' : code === 1 ? 'warning' : 'critical';
}
