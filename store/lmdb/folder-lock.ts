import { readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { AppError, errorText } from '../../core/errors.ts';
import { fileProblem } from '../../core/file-problem.ts';
import type { Logger } from '../../core/log.ts';

const LOCK_FILE = 'LOCK';
const HOLDER_FILE = 'LOCK.pid';
/** The files that a lock leaves in its folder. */
export const LOCK_FILES: readonly string[] = [LOCK_FILE, HOLDER_FILE];

/** Folders that this process holds: a second one of its own would close the lock file and thereby drop the lock. */
const heldHere = new Set<string>();

/**
 * Keeps other processes out of a data folder. Node has no file locks of its own, but SQLite, which is part of it, takes
 * one for an exclusive transaction, here on an empty file. The kernel releases it when the process ends in whatever way,
 * so that there is never a stale one, and it holds between containers that share the folder.
 */
export class FolderLock {
  readonly #folder: string;
  readonly #database: DatabaseSync;

  private constructor(folder: string, database: DatabaseSync) {
    this.#folder = folder;
    this.#database = database;
  }

  /** @throws AppError `config` naming the holder when the folder is in use, or the lock file when that cannot be used. */
  static acquire(dir: string, log: Pick<Logger, 'warn'>): FolderLock {
    const folder = realpathSync(dir);
    if (heldHere.has(folder)) throw inUse(folder, 'this process');
    const lock = new FolderLock(folder, locked(folder));
    heldHere.add(folder);
    lock.#tellHolder(log);
    return lock;
  }

  /** For messages alone: the folder is held without it, too. */
  #tellHolder(log: Pick<Logger, 'warn'>): void {
    const file = join(this.#folder, HOLDER_FILE);
    try {
      writeFileSync(file, `${process.pid}\n`);
    } catch (error) {
      log.warn('the holder of the data folder cannot be written down; it is held all the same', {
        file,
        problem: fileProblem(error),
      });
      // Nobody shall be told of an earlier holder.
      tryToRemove(file);
    }
  }

  release(): void {
    if (heldHere.delete(this.#folder)) this.#database.close();
  }
}

/** @throws AppError `config`. */
function locked(folder: string): DatabaseSync {
  const file = join(folder, LOCK_FILE);
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(file);
    // Without a journal file nothing is ever written, so that a full disk or a kill cannot leave anything behind.
    database.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
    return database;
  } catch (cause) {
    database?.close();
    if (isBusy(cause)) throw inUse(folder, `process ${holderOf(folder)}`);
    throw new AppError(
      'config',
      `data folder ${folder} cannot be locked by its file ${file} (${errorText(cause)}); make room and see that this user ` +
        'may write there, or remove that file while no server uses the folder',
      { cause, facts: { folder } },
    );
  }
}

function tryToRemove(file: string): void {
  try {
    rmSync(file, { force: true });
  } catch {
    // It has been told that it cannot be written.
  }
}

function inUse(folder: string, holder: string): AppError {
  return new AppError('config', `data folder ${folder} is in use by ${holder}; stop it or choose another folder`, {
    facts: { folder },
  });
}

function isBusy(error: unknown): boolean {
  // SQLITE_BUSY (5) and SQLITE_LOCKED (6), sqlite.org/rescode.html.
  const code = ((error as { errcode?: number }).errcode ?? 0) & 0xff;
  return code === 5 || code === 6;
}

function holderOf(folder: string): string {
  try {
    return readFileSync(join(folder, HOLDER_FILE), 'utf8').trim() || '(unknown)';
  } catch {
    // The holder has not yet said who it is.
    return '(unknown)';
  }
}
