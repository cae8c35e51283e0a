const NEWLINE = 0x0a;

/** Repeats the last events of a watch stream (JSON lines) after every `every` events, oldest first. */
export class WatchReplay {
  readonly #every: number;
  readonly #last: Buffer[] = [];
  #partial: Buffer = Buffer.alloc(0);

  constructor(every: number) {
    this.#every = every;
  }

  /** Takes a piece of the stream and gives what to send: the whole lines so far, with repetitions. */
  push(chunk: Buffer): Buffer {
    this.#partial = Buffer.concat([this.#partial, chunk]);
    const out: Buffer[] = [];
    for (let end = this.#partial.indexOf(NEWLINE); end >= 0; end = this.#partial.indexOf(NEWLINE)) {
      const line = this.#partial.subarray(0, end + 1);
      this.#partial = this.#partial.subarray(end + 1);
      out.push(line);
      // A bookmark is a promise about the past; only objects are repeated.
      if (line.includes('"type":"BOOKMARK"')) continue;
      this.#last.push(line);
      if (this.#last.length === this.#every) out.push(...this.#last.splice(0));
    }
    return Buffer.concat(out);
  }
}
