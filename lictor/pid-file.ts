import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { AppError, errorText } from '../core/errors.ts';

/**
 * Keeps the id of this process in a file (Consul's `pid_file`) while `work` goes on; '' = in none. Afterwards the file is removed, unless
 * another process has put its own there. @throws AppError `config` when it cannot be written, before `work` begins.
 */
export async function withPidFile(path: string, work: () => Promise<void>): Promise<void> {
  if (path === '') return work();
  const id = String(process.pid);
  try {
    writeFileSync(path, id);
  } catch (cause) {
    throw new AppError('config', `pid_file: cannot write ${path}: ${errorText(cause)}`, { cause });
  }
  try {
    await work();
  } finally {
    if (heldBy(path) === id) rmSync(path, { force: true });
  }
}

function heldBy(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return undefined;
  }
}
