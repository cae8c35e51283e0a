const HEADER_BYTES = 8;

/**
 * Takes apart the stream of an attached command (Docker Engine API, "Attach to a container", stream format): frames of
 * an 8-byte header with the length in its last four bytes. Payloads are handed on as they come, nothing is collected.
 */
export class DockerStream {
  readonly #onPayload: (chunk: Uint8Array) => void;
  readonly #header = Buffer.alloc(HEADER_BYTES);
  #headerBytes = 0;
  #remaining = 0;

  constructor(onPayload: (chunk: Uint8Array) => void) {
    this.#onPayload = onPayload;
  }

  push(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#remaining > 0) {
        const payload = chunk.subarray(at, at + this.#remaining);
        this.#onPayload(payload);
        this.#remaining -= payload.length;
        at += payload.length;
        continue;
      }
      this.#header[this.#headerBytes++] = chunk[at++]!;
      if (this.#headerBytes < HEADER_BYTES) continue;
      this.#remaining = this.#header.readUInt32BE(4);
      this.#headerBytes = 0;
    }
  }
}
