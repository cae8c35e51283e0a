import { existsSync, readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { isAbsolute, normalize, resolve, sep } from 'node:path';

/** Where the arguments of processes can be read. */
const HAS_TABLE = existsSync('/proc/self/cmdline');

/**
 * Whether the process is the etcd of a data folder. Process ids are given again: only one whose command line makes it that is
 * meant, and not what else is told of the folder. Any that runs where the arguments of processes cannot be read.
 */
export function isEtcdOf(pid: number, dataDir: string): boolean {
  try {
    // Not by a signal: one of another user could not be sent it, and runs all the same.
    if (!HAS_TABLE) return process.kill(pid, 0);
    const args = argumentsOf(pid);
    const at = args.indexOf('--data-dir');
    if (at < 0 || !args.includes('--listen-peer-urls')) return false;
    const theirs = args[at + 1] ?? '';
    return isAbsolute(theirs) ? resolve(theirs) === resolve(dataDir) : isRelativeTo(pid, theirs, resolve(dataDir));
  } catch {
    return false;
  }
}

/** The etcd of a data folder among all processes, also where nobody has written down which it is. */
export function findEtcdOf(dataDir: string): number | undefined {
  if (!HAS_TABLE) return undefined;
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.map(Number).find((pid) => isEtcdOf(pid, dataDir) && seesSame(pid, resolve(dataDir)));
}

/** @throws when the process has ended. */
export function argumentsOf(pid: number): string[] {
  return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
}

/**
 * Whether a path that is not absolute leads from where the process was started to the data folder. Where another user's process
 * was started may not be seen: whatever ends alike may be it.
 */
function isRelativeTo(pid: number, theirs: string, dataDir: string): boolean {
  try {
    return resolve(readlinkSync(`/proc/${pid}/cwd`), theirs) === dataDir;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EACCES') throw error;
    return endsLike(dataDir, theirs);
  }
}

/** Whether the relative path could lead to the absolute one: it names its last folders. */
function endsLike(path: string, relative: string): boolean {
  const parts = normalize(relative)
    .split(sep)
    .filter((part) => part !== '' && part !== '.' && part !== '..');
  return parts.length > 0 && path.endsWith(`${sep}${parts.join(sep)}`);
}

/** Processes of other containers may have another folder at the same path. */
function seesSame(pid: number, path: string): boolean {
  const theirs = identityOf(`/proc/${pid}/root${path}`);
  return theirs === undefined || theirs === identityOf(path);
}

/** '' where there is nothing; undefined when that cannot be seen. */
function identityOf(path: string): string | undefined {
  try {
    const { dev, ino } = statSync(path, { bigint: true });
    return `${dev} ${ino}`;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? '' : undefined;
  }
}
