import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AppError, errorText } from '../core/errors.ts';
import { makeFolder } from '../core/make-folder.ts';
import type { Random } from '../core/random.ts';

/**
 * The node's id: made once and kept in the data folder (Consul keeps it in the same place, `node-id`).
 * @throws AppError `config` when the folder cannot be read or written.
 */
export function stableNodeId(dataDir: string, random: Pick<Random, 'uuid'>): string {
  const file = join(dataDir, 'node-id');
  try {
    const found = readFileSync(file, 'utf8').trim();
    if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(found)) return found.toLowerCase();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw unusable(file, error);
  }
  try {
    makeFolder(dataDir);
    const id = random.uuid();
    writeFileSync(file, `${id}\n`, { mode: 0o600 });
    return id;
  } catch (error) {
    throw unusable(file, error);
  }
}

function unusable(file: string, cause: unknown): AppError {
  return new AppError(
    'config',
    `cannot use ${file} (${errorText(cause)}); give a folder that this user may write with -data-dir`,
    { cause },
  );
}
