import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

const PREFIX = 'restore-';
const FOLDER = /^restore-[A-Za-z0-9]{6}$/;
/** All that is put into a folder. */
const ARCHIVE = 'archive';

export interface SpoolOptions {
  /** An existing one. */
  readonly folder: string;
  /** Whether no other process puts archives there, so that what lies there and is not in use was left over. */
  readonly own: boolean;
}

/** Folders for archives that are being verified, each gone when its work is done. */
export class Spool {
  readonly #options: SpoolOptions;
  readonly #inUse = new Set<string>();

  constructor(options: SpoolOptions) {
    this.#options = options;
  }

  /** Hands the path of a file to be made to `work`, after what was left over has made room. */
  async lend<T>(work: (path: string) => Promise<T>): Promise<T> {
    await this.sweep();
    const folder = await mkdtemp(join(this.#options.folder, PREFIX));
    this.#inUse.add(folder);
    try {
      return await work(join(folder, ARCHIVE));
    } finally {
      await rm(folder, { recursive: true, force: true });
      this.#inUse.delete(folder);
    }
  }

  /** Removes what restores have left whose process was killed. Does nothing in a folder that others use, too. */
  async sweep(): Promise<void> {
    if (!this.#options.own) return;
    for (const entry of await readdir(this.#options.folder, { withFileTypes: true })) {
      const folder = join(this.#options.folder, entry.name);
      if (!entry.isDirectory() || !FOLDER.test(entry.name) || this.#inUse.has(folder)) continue;
      // A folder of somebody else, whose name looks the same, has other things in it.
      if ((await readdir(folder)).some((name) => name !== ARCHIVE)) continue;
      await rm(folder, { recursive: true, force: true });
    }
  }
}
