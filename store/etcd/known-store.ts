import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeFileAtomically } from '../../core/atomic-file.ts';
import type { Clock } from '../../core/clock.ts';
import { AppError, errorText } from '../../core/errors.ts';
import type { Logger } from '../../core/log.ts';
import type { Revision } from '../store.ts';
import { KNOWN_STORE_FILE } from './mismatch.ts';

/** The store that a server has used, and the highest revision that it has known of it. */
export interface KnownStore {
  readonly storeId: string;
  readonly revision: Revision;
}

/** What a crash may lose is made up for by `REVISION_MARGIN`. */
const WRITE_EVERY_MS = 5000;
/** More revisions than a server can see between two writes of the file, by far. */
export const REVISION_MARGIN = 1_000_000;

/** Remembers in the data folder which store this server uses, so that it does not take another one for it. */
export class KnownStoreFile {
  readonly #deps: { readonly clock: Clock; readonly log: Logger };
  readonly #path: string;
  #written = '';
  #failed = false;

  constructor(deps: { readonly clock: Clock; readonly log: Logger }, folder: string) {
    this.#deps = deps;
    this.#path = join(folder, KNOWN_STORE_FILE);
  }

  /** Undefined when no store was used yet. @throws AppError `config` for a file that cannot be read. */
  read(): KnownStore | undefined {
    let text: string;
    try {
      text = readFileSync(this.#path, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw new AppError('config', `data_dir: ${errorText(error)}`, { cause: error });
    }
    const known = parse(text);
    if (known) return known;
    throw new AppError(
      'config',
      `data_dir: ${this.#path} is damaged; it says which store in etcd is this server's. Remove it if -etcd-endpoints ` +
        'name the right etcd',
    );
  }

  /** Keeps the file at what `known` tells, until the signal aborts; then once more. */
  async keep(known: () => KnownStore, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#write(known());
      await this.#deps.clock.sleep(WRITE_EVERY_MS, signal);
    }
    await this.#write(known());
  }

  async #write({ storeId, revision }: KnownStore): Promise<void> {
    const text = `${JSON.stringify({ storeId, revision })}\n`;
    if (text === this.#written) return;
    try {
      await writeFileAtomically(this.#path, text);
      this.#written = text;
      this.#failed = false;
    } catch (error) {
      if (!this.#failed) this.#deps.log.warn('the store in use cannot be remembered', { text: errorText(error) });
      this.#failed = true;
    }
  }
}

function parse(text: string): KnownStore | undefined {
  try {
    const { storeId, revision } = JSON.parse(text) as Partial<KnownStore>;
    if (typeof storeId !== 'string' || !Number.isSafeInteger(revision) || revision! < 0) return undefined;
    return { storeId, revision: revision! };
  } catch {
    return undefined;
  }
}
