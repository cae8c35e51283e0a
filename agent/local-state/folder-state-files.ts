import { createHash } from 'node:crypto';
import { access, constants, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { moveAside, readFileIfPresent, removeFile, writeFileAtomically } from '../../core/atomic-file.ts';
import { AppError, errorText } from '../../core/errors.ts';
import { makeFolder } from '../../core/make-folder.ts';
import type { LocalCheckDeclaration, LocalService, LocalVerdict } from './local-records.ts';
import type { PersistedState, StateFiles } from './state-files.ts';
import { VerdictJournal } from './verdict-journal.ts';

/** The form of the files; a higher number in them is from a newer version. */
const FORMAT = 1;

type Kind = 'services' | 'checks';

/**
 * The local state in a folder: one file for each service and check (`services/`, `checks/`, named by a digest of the
 * key) and the journal of verdicts. A file whose content makes no sense is moved to `corrupt/` and reported; the rest
 * counts. A file that the system does not give (EIO, EMFILE, EACCES) may be sound: then nothing is loaded or changed.
 */
export class FolderStateFiles implements StateFiles {
  readonly #root: string;
  readonly #journal: VerdictJournal;

  constructor(options: { dataDir: string }) {
    this.#root = join(options.dataDir, 'agent');
    this.#journal = new VerdictJournal({ path: join(this.#root, 'verdicts.journal') });
  }

  async load(): Promise<PersistedState> {
    await this.#prepare();
    const problems: string[] = [];
    const services = await this.#loadAll('services', isService, problems);
    const checks = await this.#loadAll('checks', isCheck, problems);
    const { verdicts, badLines } = await usable(join(this.#root, 'verdicts.journal'), this.#journal.load());
    if (badLines > 0) problems.push(`${badLines} incomplete lines of ${this.#root}/verdicts.journal were left out`);
    return { services, checks, verdicts, problems };
  }

  saveService(key: string, service: LocalService | undefined): Promise<void> {
    return this.#save('services', key, service);
  }

  saveCheck(key: string, check: LocalCheckDeclaration | undefined): Promise<void> {
    return this.#save('checks', key, check);
  }

  saveVerdicts(verdicts: ReadonlyMap<string, LocalVerdict | undefined>): Promise<void> {
    return this.#journal.save(verdicts);
  }

  async #prepare(): Promise<void> {
    try {
      for (const kind of ['services', 'checks'] satisfies Kind[]) {
        makeFolder(join(this.#root, kind), 0o700);
        await access(join(this.#root, kind), constants.R_OK | constants.W_OK);
      }
    } catch (error) {
      throw new AppError(
        'config',
        `data_dir: cannot write in ${this.#root} (${errorText(error)}); choose another folder with -data-dir`,
        { facts: { field: 'data_dir' }, cause: error },
      );
    }
    const path = join(this.#root, 'format');
    const found = await usable(path, readFileIfPresent(path));
    if (found === undefined) return writeFileAtomically(path, `${FORMAT}\n`);
    if (Number(found) > FORMAT) {
      throw new AppError(
        'storeVersion',
        `data_dir: ${this.#root} was written by a newer version (format ${found.trim()}, this version reads ${FORMAT}); use that version or another folder`,
      );
    }
  }

  async #loadAll<T>(kind: Kind, accept: (value: unknown) => value is T, problems: string[]): Promise<T[]> {
    const folder = join(this.#root, kind);
    const found: T[] = [];
    for (const name of (await usable(folder, readdir(folder))).sort()) {
      const path = join(folder, name);
      if (name.endsWith('.tmp')) {
        // A write that a crash has cut before it counted.
        await rm(path, { force: true });
        continue;
      }
      const content = await usable(path, readFile(path, 'utf8'));
      try {
        const value: unknown = JSON.parse(content);
        if (!accept(value)) throw new Error('fields are missing');
        found.push(value);
      } catch (error) {
        const moved = await usable(path, moveAside(this.#root, path, `${kind}-${name}`));
        problems.push(`${path} could not be decoded (${errorText(error)}); it was moved to ${moved}`);
      }
    }
    return found;
  }

  async #save(kind: Kind, key: string, value: object | undefined): Promise<void> {
    const name = createHash('sha256').update(key).digest('hex').slice(0, 32);
    const path = join(this.#root, kind, `${name}.json`);
    if (value === undefined) return removeFile(path);
    return writeFileAtomically(path, `${JSON.stringify(value)}\n`);
  }
}

/** What an operation on a file gives. @throws AppError `unavailable` naming the file: its content is not known to be bad. */
async function usable<T>(path: string, operation: Promise<T>): Promise<T> {
  try {
    return await operation;
  } catch (error) {
    throw new AppError(
      'unavailable',
      `data_dir: ${path} cannot be read or replaced (${errorText(error)}); mend the disk, the rights or the limit that this names and start again, or move the file away to begin without it`,
      { facts: { field: 'data_dir', path }, cause: error },
    );
  }
}

function isService(value: unknown): value is LocalService {
  const service = value as Partial<LocalService> | null;
  const instance = service?.instance;
  return typeof service?.namespace === 'string' && typeof instance?.ID === 'string' && Array.isArray(instance.Tags);
}

function isCheck(value: unknown): value is LocalCheckDeclaration {
  const check = value as Partial<LocalCheckDeclaration> | null;
  return (
    typeof check?.namespace === 'string' &&
    typeof check.checkId === 'string' &&
    typeof check.serviceId === 'string' &&
    typeof check.definition === 'object' &&
    check.definition !== null
  );
}
