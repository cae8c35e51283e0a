import type { Stats } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { AppError } from '../../core/errors.ts';
import { loadManifest, type ManifestObject, type ManifestProblem } from '../../crds/manifests/load-manifests.ts';

/** A file as it was read last. */
interface ReadFile {
  readonly stamp: string;
  readonly text: string;
  /** Of the last version without a problem. */
  readonly objects: readonly ManifestObject[];
  /** Of the version as it is. */
  readonly problems: readonly ManifestProblem[];
}

/** What the folder holds. */
export interface FolderContent {
  readonly objects: readonly ManifestObject[];
  readonly problems: readonly ManifestProblem[];
  /** Files with a problem whose last good version counts. */
  readonly kept: readonly string[];
  /** Says so when more than half of the objects are gone at once with their files, or as these hold nothing any more. */
  readonly vanished?: string;
  /** A file was emptied, or went while the folder was read: it may be about to be written, so it has to be looked at again. */
  readonly unsettled: boolean;
}

/** A file that is listed, but empty or not to be found, keeps its objects for so long, as some editors empty a file before they write it. */
const EMPTIED_MS = 1_000;
const MAX_FILE_BYTES = 16 * 2 ** 20;

/**
 * Reads the manifests of a folder (with its sub-folders) or of one file. Only what changed is read and parsed again. A
 * file with a problem keeps the objects of its last good version.
 */
export class ManifestFiles {
  readonly #path: string;
  #files = new Map<string, ReadFile>();
  readonly #emptiedAt = new Map<string, number>();

  constructor(path: string) {
    this.#path = path;
  }

  /**
   * The whole content now; `nowMs` is monotonic.
   * @throws AppError `config` when the folder itself cannot be read; then nothing is concluded.
   */
  async read(nowMs: number): Promise<FolderContent> {
    const next = new Map<string, ReadFile>();
    let unsettled = false;
    for (const file of await this.#list()) {
      const known = this.#files.get(file);
      const read = await this.#readFile(file, known);
      // One that has gone since the folder was listed may be there under another name.
      const empty = !read || read.text.trim() === '';
      if (known && known.objects.length > 0 && empty && this.#justEmptied(file, nowMs)) {
        next.set(file, known);
        unsettled = true;
        continue;
      }
      if (!read) continue;
      if (read.text.trim() !== '') this.#emptiedAt.delete(file);
      next.set(file, read);
    }
    const content = merge(next);
    const vanished = vanishedOf(this.#files, next, content.objects);
    this.#files = next;
    return { ...content, unsettled, ...(vanished ? { vanished } : {}) };
  }

  async #list(): Promise<string[]> {
    try {
      if (!(await stat(this.#path)).isDirectory()) return [this.#path];
      const names = await readdir(this.#path, { recursive: true });
      return names
        .filter(isManifest)
        .sort()
        .map((name) => join(this.#path, name));
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      const text = code === 'ENOENT' ? 'does not exist' : `cannot be read (${code})`;
      throw new AppError('config', `${this.#path} ${text}; give a folder with .yaml files, or one such file`);
    }
  }

  async #readFile(file: string, known: ReadFile | undefined): Promise<ReadFile | undefined> {
    let stamp: string;
    let text: string;
    try {
      const stats = await stat(file);
      if (!stats.isFile()) return undefined;
      stamp = stampOf(stats);
      if (known?.stamp === stamp) return known;
      if (stats.size > MAX_FILE_BYTES) return withProblem(file, known, stamp, `is larger than ${MAX_FILE_BYTES} bytes`);
      text = await readFile(file, 'utf8');
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      return code === 'ENOENT' ? undefined : withProblem(file, known, '', `cannot be read (${code})`);
    }
    if (known?.text === text && known.stamp !== '') return { ...known, stamp };
    const { objects, problems } = loadManifest(text, file);
    return { stamp, text, problems, objects: problems.length > 0 ? (known?.objects ?? []) : objects };
  }

  #justEmptied(file: string, nowMs: number): boolean {
    const since = this.#emptiedAt.get(file) ?? nowMs;
    this.#emptiedAt.set(file, since);
    return nowMs - since < EMPTIED_MS;
  }
}

/** An object that is in another file now has not vanished. */
function vanishedOf(
  before: ReadonlyMap<string, ReadFile>,
  after: ReadonlyMap<string, ReadFile>,
  left: readonly ManifestObject[],
): string | undefined {
  const there = new Set(left.map(identityOf));
  const all = new Set<string>();
  const gone = new Set<string>();
  for (const [path, { objects }] of before) {
    const now = after.get(path);
    const empty = !now || (now.objects.length === 0 && now.problems.length === 0);
    for (const identity of objects.map(identityOf)) {
      all.add(identity);
      if (empty && !there.has(identity)) gone.add(identity);
    }
  }
  if (gone.size * 2 <= all.size) return undefined;
  return `the files of ${gone.size} of ${all.size} objects are gone or empty at once`;
}

function identityOf({ object: { apiVersion, kind, metadata } }: ManifestObject): string {
  return JSON.stringify([apiVersion, kind, metadata.namespace ?? 'default', metadata.name]);
}

function isManifest(name: string): boolean {
  const hidden = name.split(/[/\\]/).some((part) => part.startsWith('.') || part === 'node_modules');
  return !hidden && /\.ya?ml$/.test(basename(name));
}

function stampOf(stats: Stats): string {
  return `${stats.ino}:${stats.size}:${stats.mtimeMs}:${stats.ctimeMs}`;
}

function withProblem(file: string, known: ReadFile | undefined, stamp: string, text: string): ReadFile {
  return { stamp, text: known?.text ?? '?', objects: known?.objects ?? [], problems: [{ file, line: 1, text }] };
}

/** All objects; of two documents for one object the first counts. */
function merge(files: ReadonlyMap<string, ReadFile>): Omit<FolderContent, 'unsettled' | 'vanished'> {
  const objects = new Map<string, ManifestObject>();
  const problems: ManifestProblem[] = [];
  const kept: string[] = [];
  for (const [path, file] of files) {
    problems.push(...file.problems);
    if (file.problems.length > 0 && file.objects.length > 0) kept.push(path);
    for (const entry of file.objects) {
      const identity = identityOf(entry);
      const first = objects.get(identity);
      if (!first) objects.set(identity, entry);
      else {
        const { kind, metadata } = entry.object;
        const subject = `${kind} ${metadata.namespace ?? 'default'}/${metadata.name}`;
        const text = `this object is already at ${first.file}:${first.line}; remove one of the two or rename it`;
        problems.push({ file: entry.file, line: entry.line, subject, field: 'metadata.name', text });
      }
    }
  }
  return { objects: [...objects.values()], problems, kept };
}
