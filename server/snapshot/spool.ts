import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { errorText } from '../../core/errors.ts';
import type { Logger } from '../../core/log.ts';

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
  readonly #log: Logger;
  readonly #options: SpoolOptions;
  readonly #inUse = new Set<string>();
  #turns: Promise<unknown> = Promise.resolve();

  constructor(deps: { readonly log: Logger }, options: SpoolOptions) {
    this.#log = deps.log;
    this.#options = options;
  }

  /** Hands the path of a file to be made to `work`, after what was left over has made room. */
  async lend<T>(work: (path: string) => Promise<T>): Promise<T> {
    const folder = await this.#inTurn(async () => {
      await this.#removeLeftovers();
      const made = await mkdtemp(join(this.#options.folder, PREFIX));
      this.#inUse.add(made);
      return made;
    });
    try {
      return await work(join(folder, ARCHIVE));
    } finally {
      await this.#attempt(folder, () => rm(folder, { recursive: true, force: true }));
      this.#inUse.delete(folder);
    }
  }

  /**
   * Removes what restores have left whose process was killed; what cannot be removed is logged and stays. Does nothing in a
   * folder that others use, too.
   */
  sweep(): Promise<void> {
    return this.#inTurn(() => this.#removeLeftovers());
  }

  async #removeLeftovers(): Promise<void> {
    const { own, folder: within } = this.#options;
    if (!own) return;
    await this.#attempt(within, async () => {
      for (const entry of await readdir(within, { withFileTypes: true })) {
        const folder = join(within, entry.name);
        if (!entry.isDirectory() || !FOLDER.test(entry.name) || this.#inUse.has(folder)) continue;
        await this.#attempt(folder, () => removeLeftover(folder));
      }
    });
  }

  /** What is left takes room and nothing else: the next sweep tries again. */
  async #attempt(folder: string, removal: () => Promise<void>): Promise<void> {
    try {
      await removal();
    } catch (error) {
      // A restore that has ended meanwhile has removed its own.
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
      this.#log.warn('what a restore left could not be deleted', { folder, text: errorText(error) });
    }
  }

  /** One at a time looks through the folder, or makes one in it that nobody must take for a leftover. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turns.then(work);
    this.#turns = result.catch(() => {});
    return result;
  }
}

async function removeLeftover(folder: string): Promise<void> {
  // A folder of somebody else, whose name looks the same, has other things in it.
  if ((await readdir(folder)).some((name) => name !== ARCHIVE)) return;
  await rm(folder, { recursive: true, force: true });
}
