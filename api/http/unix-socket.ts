import { chmodSync, chownSync, lstatSync, unlinkSync } from 'node:fs';
import { connect, type Server } from 'node:net';
import { AppError, errorText } from '../../core/errors.ts';

const SCHEME = 'unix://';

/** Who may use a socket file; undefined = as the process makes files. */
export interface SocketFileOptions {
  readonly uid: number | undefined;
  readonly gid: number | undefined;
  readonly mode: number | undefined;
}

/** The path in `unix:///path`; undefined for other hosts. */
export function socketPath(host: string): string | undefined {
  return host.startsWith(SCHEME) ? host.slice(SCHEME.length) : undefined;
}

/**
 * Removes a socket that a killed process has left, so that its path can be listened on. A socket that answers and a file
 * that is none stay: listening on them fails as it must.
 */
export async function removeDeadSocket(path: string): Promise<void> {
  if (!lstatSync(path, { throwIfNoEntry: false })?.isSocket()) return;
  const alive = await new Promise<boolean>((resolve) => {
    const probe = connect({ path, timeout: 1_000 }, () => done(true));
    probe.on('timeout', () => done(true));
    probe.on('error', (error: NodeJS.ErrnoException) => done(error.code !== 'ECONNREFUSED'));
    const done = (answer: boolean) => {
      probe.destroy();
      resolve(answer);
    };
  });
  if (!alive) unlinkSync(path);
}

/**
 * Makes the server's socket file one that only its owner can use, until `giveSocket` opens it to others: there is no
 * moment in which anybody else can connect. Node makes the file before `listen` returns, so no other file is meant.
 */
export function listenPrivately(server: Server): void {
  const listen = server.listen.bind(server) as (...args: unknown[]) => Server;
  server.listen = ((...args: unknown[]) => {
    const before = process.umask(0o177);
    try {
      return listen(...args);
    } finally {
      process.umask(before);
    }
  }) as Server['listen'];
}

/** @throws AppError `config` when the process may not give the file away. */
export function giveSocket(path: string, { uid, gid, mode }: SocketFileOptions): void {
  try {
    if (uid !== undefined || gid !== undefined) {
      const now = lstatSync(path);
      chownSync(path, uid ?? now.uid, gid ?? now.gid);
    }
    if (mode !== undefined) chmodSync(path, mode);
  } catch (cause) {
    const text = `unix_sockets: ${path} cannot be given to user ${uid ?? 'of the agent'}, group ${gid ?? 'of the agent'}: ${errorText(cause)}`;
    throw new AppError('config', `${text}; run the agent as root, or leave user and group out`, { cause });
  }
}
