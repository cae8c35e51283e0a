import { mkdtempSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A new empty folder for one test. */
export function tempFolder(prefix: string): string {
  return mkdtempSync(join(tmpdir(), `lictor-${prefix}-`));
}

/** A new empty folder in memory where the machine has room there (a sync costs nothing), else on disk. */
export function fastTempFolder(prefix: string, neededBytes: number): string {
  try {
    const { bavail, bsize } = statfsSync('/dev/shm');
    if (bavail * bsize > neededBytes) return mkdtempSync(`/dev/shm/lictor-${prefix}-`);
  } catch {
    // No such folder here: the disk it is.
  }
  return tempFolder(prefix);
}

/** Removes a folder and all in it; nothing when it is gone already. */
export function removeFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
}
