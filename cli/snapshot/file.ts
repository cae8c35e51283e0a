import { stat } from 'node:fs/promises';
import { AppError, errorText } from '../../core/errors.ts';

/** `17.2KB`. */
export function sizeText(bytes: number): string {
  const units = ['B', 'KB', 'MB', 'GB'];
  let value = bytes;
  let unit = 0;
  for (; value >= 1024 && unit < units.length - 1; unit++) value /= 1024;
  return unit === 0 ? `${bytes}B` : `${Number(value.toFixed(1))}${units[unit]}`;
}

/** @throws AppError `config` naming a file that cannot be read. */
export async function readable(file: string): Promise<void> {
  try {
    await stat(file);
  } catch (error) {
    throw fileError(error, file);
  }
}

/** An error of a file as an AppError that names it. */
export function fileError(error: unknown, file: string): Error {
  if (error instanceof AppError) return error;
  return new AppError('config', `${file}: ${errorText(error)}`, { cause: error });
}
