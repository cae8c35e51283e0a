import type { Reading } from '../blocking-query.ts';

interface Rendered {
  readonly index: number;
  readonly bytes: Buffer;
}

export interface RenderCacheOptions {
  readonly maxEntries: number;
  /** Of answers and their keys, which hold what a client has asked for. */
  readonly maxBytes: number;
}

/** Thousands of services with tens of instances; a small catalog takes what it needs. */
export const RENDER_CACHE_DEFAULTS: RenderCacheOptions = { maxEntries: 16_384, maxBytes: 64 * 1024 * 1024 };

/**
 * Keeps each answer as bytes for as long as its data has the same version, so that it is serialised once however many
 * ask or wait for it. Bounded; the least recently made goes first.
 */
export class RenderCache {
  readonly #options: RenderCacheOptions;
  readonly #entries = new Map<string, Rendered>();
  #bytes = 0;

  constructor(options: RenderCacheOptions = RENDER_CACHE_DEFAULTS) {
    this.#options = options;
  }

  /** `key` names the read and all parameters that shape its answer. */
  render<T>(key: string, reading: Reading<T>, make: (value: T) => unknown): Buffer {
    const found = this.#entries.get(key);
    if (found && found.index === reading.index) return found.bytes;
    const bytes = Buffer.from(JSON.stringify(make(reading.value)));
    this.#store(key, found, { index: reading.index, bytes });
    return bytes;
  }

  #store(key: string, old: Rendered | undefined, rendered: Rendered): void {
    if (old) {
      this.#entries.delete(key);
      this.#bytes -= sizeOf(key, old);
    }
    // One answer must not push out all others.
    if (sizeOf(key, rendered) > this.#options.maxBytes / 4) return;
    this.#entries.set(key, rendered);
    this.#bytes += sizeOf(key, rendered);
    while (this.#bytes > this.#options.maxBytes || this.#entries.size > this.#options.maxEntries) {
      const [oldest, entry] = this.#entries.entries().next().value!;
      this.#entries.delete(oldest);
      this.#bytes -= sizeOf(oldest, entry);
    }
  }
}

function sizeOf(key: string, { bytes }: Rendered): number {
  return key.length * 2 + bytes.length;
}
