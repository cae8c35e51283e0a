import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { AppError } from '../../core/errors.ts';
import { fileProblem } from '../../core/file-problem.ts';
import type { ArchiveMeta, ReadArchive } from '../snapshot.ts';

/** `17.2KB`. */
export function sizeText(bytes: number): string {
  const units = ['B', 'KB', 'MB', 'GB'];
  let value = bytes;
  let unit = 0;
  for (; value >= 1024 && unit < units.length - 1; unit++) value /= 1024;
  return unit === 0 ? `${bytes}B` : `${Number(value.toFixed(1))}${units[unit]}`;
}

/** @throws AppError `config` naming a file that cannot be read, or is a folder. */
export async function readable(file: string): Promise<void> {
  const found = await stat(file).catch((error: unknown) => {
    throw fileError(error, file);
  });
  if (found.isDirectory()) throw new AppError('config', `${file}: it is a folder; name the archive in it`);
}

/** @throws AppError `config` when the folder that the file is to be in is not there. */
export async function hasFolder(file: string): Promise<void> {
  const folder = dirname(file);
  const found = await stat(folder).catch(() => undefined);
  if (found?.isDirectory()) return;
  const what = found ? `${folder} is no folder; use another path` : `there is no folder ${folder}; make it first`;
  throw new AppError('config', `${file}: ${what}`);
}

/** Reads an archive that the user has named. @throws AppError that names it and says what to give instead. */
export async function readNamed(
  readArchive: ReadArchive,
  file: string,
  take: Parameters<ReadArchive>[1],
): Promise<ArchiveMeta> {
  await readable(file);
  try {
    return await readArchive(file, take);
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'storeCorrupt') throw error;
    const text = `${file} is no archive, or is damaged (${error.message}); give one that 'lictor snapshot save' has written`;
    throw new AppError('storeCorrupt', text, { cause: error });
  }
}

/** An error of a file as an AppError that names it. */
export function fileError(error: unknown, file: string): Error {
  if (error instanceof AppError) return error;
  return new AppError('config', `${file}: ${fileProblem(error)}`, { cause: error });
}
