import { existsSync, readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { isAbsolute, resolve, sep } from 'node:path';

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
    // A path that is not absolute begins where the process was started. Where that may not be seen it is none of ours to touch: should
    // it be, etcd's own lock on its data keeps a second one from it.
    const from = isAbsolute(theirs) ? sep : readlinkSync(`/proc/${pid}/cwd`);
    return resolve(from, theirs) === resolve(dataDir);
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
