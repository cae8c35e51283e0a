import type { SocketFileOptions } from '../api/http/unix-socket.ts';
import { AppError, errorText } from '../core/errors.ts';
import type { AgentConfig } from './config/agent-config.ts';

/**
 * The numbers of the user and group that shall own socket files, looked up in the machine's own lists.
 * @throws AppError `config` for a name that is not there.
 */
export function socketOwner(
  { user, group, mode }: AgentConfig['unixSockets'],
  readFile: (path: string) => string,
): SocketFileOptions {
  return {
    uid: user === '' ? undefined : idOf('user', user, '/etc/passwd', readFile),
    gid: group === '' ? undefined : idOf('group', group, '/etc/group', readFile),
    mode,
  };
}

/** Both lists have the form `name:password:number:…`. */
function idOf(key: 'user' | 'group', name: string, list: string, readFile: (path: string) => string): number {
  if (/^\d{1,9}$/.test(name)) return Number(name);
  const wrong = (text: string) =>
    new AppError('config', `unix_sockets.${key}: ${text}; give its number`, {
      facts: { field: `unix_sockets.${key}` },
    });
  let text: string;
  try {
    text = readFile(list);
  } catch (error) {
    throw wrong(`${list} cannot be read: ${errorText(error)}`);
  }
  const line = text.split('\n').find((one) => one.startsWith(`${name}:`));
  const id = Number(line?.split(':')[2]);
  if (line === undefined || !Number.isInteger(id)) throw wrong(`${list} has no ${key} ${JSON.stringify(name)}`);
  return id;
}
