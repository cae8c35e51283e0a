import type { Reading } from '../blocking-query.ts';

interface Rendered {
  readonly index: number;
  readonly bytes: Buffer;
  /** Who else keeps the bytes. */
  readonly holders: (() => void)[];
}

export interface RenderCacheOptions {
  readonly maxEntries: number;
  /** Of answers and their keys, which hold what a client has asked for. */
  readonly maxBytes: number;
}

/** Of one answer; as many as there are URLs for the same data. */
const MAX_HOLDERS = 16;

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
    const bytes = exactly(JSON.stringify(make(reading.value)));
    this.#store(key, found, { index: reading.index, bytes, holders: [] });
    return bytes;
  }

  /**
   * For who keeps the bytes of an answer too: `letGo` is called once when they are no longer here, so that the bound holds
   * for them as well. False when they are not here, or when enough others keep them: then they must not be kept.
   */
  hold(key: string, bytes: Uint8Array, letGo: () => void): boolean {
    const found = this.#entries.get(key);
    if (found?.bytes !== bytes || found.holders.length >= MAX_HOLDERS) return false;
    found.holders.push(letGo);
    return true;
  }

  #store(key: string, old: Rendered | undefined, rendered: Rendered): void {
    if (old) this.#drop(key, old);
    // One answer must not push out all others.
    if (sizeOf(key, rendered) > this.#options.maxBytes / 4) return;
    this.#entries.set(key, rendered);
    this.#bytes += sizeOf(key, rendered);
    while (this.#bytes > this.#options.maxBytes || this.#entries.size > this.#options.maxEntries) {
      this.#drop(...this.#entries.entries().next().value!);
    }
  }

  #drop(key: string, entry: Rendered): void {
    this.#entries.delete(key);
    this.#bytes -= sizeOf(key, entry);
    for (const letGo of entry.holders) letGo();
  }
}

/** In memory of its own: a piece of what small buffers share would keep all of that. */
function exactly(text: string): Buffer {
  const bytes = Buffer.allocUnsafeSlow(Buffer.byteLength(text));
  bytes.write(text);
  return bytes;
}

function sizeOf(key: string, { bytes }: Rendered): number {
  return key.length * 2 + bytes.length;
}
