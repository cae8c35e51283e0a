import { createReadStream, createWriteStream, existsSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { AppError, errorText } from '../../core/errors.ts';
import { makeFolder } from '../../core/make-folder.ts';
import { TAR_END, tarHeader, tarPadding } from '../../core/tar.ts';

/** A log at its most talkative writes less in an hour; more would fill disks. */
const MAX_FILE_BYTES = 256 * 1024 * 1024;

/** The files of one capture: a folder, which becomes an archive in the end. Readable by its owner alone. */
export class CaptureFolder {
  readonly #path: string;
  readonly #archive: boolean;
  readonly #names = new Set<string>();

  private constructor(path: string, archive: boolean) {
    this.#path = path;
    this.#archive = archive;
  }

  /** @throws AppError `config` when there is something of the name, or it cannot be made. */
  static create(path: string, { archive }: { readonly archive: boolean }): CaptureFolder {
    for (const taken of archive ? [path, `${path}.tar.gz`] : [path]) {
      if (existsSync(taken)) throw new AppError('config', `-output: ${taken} is there already; choose another name`);
    }
    try {
      makeFolder(path, 0o700);
    } catch (cause) {
      throw new AppError('config', `-output: cannot make ${path}: ${errorText(cause)}`, { cause });
    }
    return new CaptureFolder(path, archive);
  }

  write(name: string, content: string | Uint8Array): void {
    writeFileSync(this.#place(name), content, { mode: 0o600 });
  }

  /** Writes a stream until it or the signal ends; gives whether it was cut off at the limit of a file. */
  async writeStream(name: string, body: Readable, signal: AbortSignal, maxBytes = MAX_FILE_BYTES): Promise<boolean> {
    const end = () => body.destroy();
    signal.addEventListener('abort', end, { once: true });
    if (signal.aborted) end();
    const limit = new ByteLimit(maxBytes, end);
    try {
      await pipeline(
        ended(body, () => signal.aborted || limit.reached),
        limit,
        createWriteStream(this.#place(name), { mode: 0o600 }),
      );
    } finally {
      signal.removeEventListener('abort', end);
      body.destroy();
    }
    return limit.reached;
  }

  /** Packs the folder, and removes it, unless it is to stay. */
  async finish(nowMs: number): Promise<void> {
    if (!this.#archive) return;
    const target = `${this.#path}.tar.gz`;
    await pipeline(
      Readable.from(this.#tar(nowMs)),
      createGzip(),
      createWriteStream(target, { mode: 0o600, flags: 'wx' }),
    );
    rmSync(this.#path, { recursive: true });
  }

  async *#tar(nowMs: number): AsyncGenerator<Uint8Array> {
    for (const name of [...this.#names].sort()) {
      const path = join(this.#path, name);
      const { size } = statSync(path);
      yield tarHeader(`${basename(this.#path)}/${name}`, size, nowMs);
      if (size > 0) for await (const chunk of createReadStream(path)) yield chunk as Buffer;
      yield tarPadding(size);
    }
    yield TAR_END;
  }

  #place(name: string): string {
    const path = join(this.#path, name);
    makeFolder(dirname(path), 0o700);
    this.#names.add(name);
    return path;
  }
}

/** The chunks of a stream; one that was ended on purpose is no failure. */
async function* ended(body: Readable, onPurpose: () => boolean): AsyncGenerator<Buffer> {
  try {
    for await (const chunk of body) yield chunk as Buffer;
  } catch (error) {
    if (!onPurpose()) throw error;
  }
}

class ByteLimit extends Transform {
  reached = false;
  #left: number;
  readonly #end: () => void;

  constructor(bytes: number, end: () => void) {
    super();
    this.#left = bytes;
    this.#end = end;
  }

  override _transform(chunk: Buffer, _encoding: string, done: () => void): void {
    this.push(chunk.subarray(0, this.#left));
    this.#left -= Math.min(chunk.length, this.#left);
    if (this.#left === 0 && !this.reached) {
      this.reached = true;
      this.#end();
    }
    done();
  }
}
