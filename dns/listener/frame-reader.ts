/** A query is at most a header, a name of 255 bytes, four more, and an OPT record with its padding. */
export const MAX_QUERY_BYTES = 4096;

/** The messages in a piece of a TCP stream. */
export interface Frames {
  readonly messages: readonly Uint8Array[];
  /** The stream announces a message longer than allowed: it cannot be read on. */
  readonly oversize: boolean;
}

/** Cuts a TCP stream into messages by their two length bytes (RFC 1035 section 4.2.2). Keeps at most one message. */
export class FrameReader {
  #rest: Uint8Array = new Uint8Array(0);
  readonly #maxBytes: number;

  constructor(maxBytes: number = MAX_QUERY_BYTES) {
    this.#maxBytes = maxBytes;
  }

  /** Whether a message has begun and not ended. */
  get partial(): boolean {
    return this.#rest.length > 0;
  }

  /** The messages completed by `chunk`. They are views of it and stay valid as long as nobody writes to it. */
  push(chunk: Uint8Array): Frames {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const messages: Uint8Array[] = [];
    let at = 0;
    while (at + 2 <= bytes.length) {
      const length = (bytes[at]! << 8) | bytes[at + 1]!;
      if (length > this.#maxBytes) return { messages, oversize: true };
      if (at + 2 + length > bytes.length) break;
      messages.push(bytes.subarray(at + 2, at + 2 + length));
      at += 2 + length;
    }
    this.#rest = bytes.slice(at);
    return { messages, oversize: false };
  }
}
