import { errorText } from './errors.ts';

/** What the system's codes mean (errno(3)) for who has named the path, and what to do. */
const PROBLEMS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file or folder; check the path',
  ENOTDIR: 'a part of the path is a file, not a folder; check the path',
  EISDIR: 'it is a folder; name a file',
  EACCES: 'this user may not; change its permissions, or use another user or path',
  EPERM: 'this user may not; change its permissions, or use another user or path',
  EROFS: 'the file system is read-only; use another path',
  ENOSPC: 'the disk is full; make room, or use another path',
};

/** Why a file or folder cannot be used, in words and without the path, which the caller names; else the error's own text. */
export function fileProblem(error: unknown): string {
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  return (code === undefined ? undefined : PROBLEMS[code]) ?? errorText(error);
}
