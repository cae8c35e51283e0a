import { copyFile, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { AppError } from '../../core/errors.ts';
import { makeFolder } from '../../core/make-folder.ts';
import { fileError } from './file.ts';
import { idOf, type SnapshotTarget } from './snapshot-target.ts';

/** A folder, in which a snapshot has its name only when it is whole and on the disk. */
export class LocalTarget implements SnapshotTarget {
  readonly name: string;
  readonly keepsSeveral = true;
  readonly #folder: string;
  readonly #before: string;

  constructor(options: { readonly path: string; readonly prefix: string }) {
    this.#folder = resolve(options.path);
    this.#before = `${options.prefix}-`;
    this.name = this.#folder;
  }

  async put(id: string, file: string): Promise<void> {
    const part = join(this.#folder, `.${this.#before}${id}.part`);
    try {
      makeFolder(this.#folder, 0o700);
      await copyFile(file, part);
      const written = await open(part, 'r+');
      await written.sync().finally(() => written.close());
      const [given, copied] = await Promise.all([stat(file), stat(part)]);
      if (given.size !== copied.size)
        throw new AppError('unavailable', `${part} has ${copied.size} of ${given.size} bytes`);
      await rename(part, this.#path(id));
    } catch (error) {
      await rm(part, { force: true });
      throw fileError(error, this.#path(id));
    }
  }

  async list(): Promise<string[]> {
    return (await readdir(this.#folder)).flatMap((name) => idOf(name, this.#before) ?? []);
  }

  async remove(id: string): Promise<void> {
    await rm(this.#path(id), { force: true });
  }

  #path(id: string): string {
    return join(this.#folder, `${this.#before}${id}.snap`);
  }
}
