import { lstatSync, unlinkSync } from 'node:fs';
import { connect } from 'node:net';

const SCHEME = 'unix://';

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
