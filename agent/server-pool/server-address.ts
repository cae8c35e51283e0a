import { AppError } from '../../core/errors.ts';

/** The port on which servers answer agents. */
export const DEFAULT_SERVER_PORT = 8300;
/** Where Consul's agents are joined: nothing listens there, the server behind it is meant. */
const GOSSIP_PORT = 8301;

/** The origin of a server from `host`, `host:port`, `[v6]:port` or a bare IPv6 address. @throws AppError `config`. */
export function serverOrigin(target: string, scheme: 'http' | 'https' = 'http'): string {
  const match =
    /^\[([0-9a-fA-F:.]+)\](?::(\d{1,5}))?$/.exec(target) ??
    /^([0-9a-fA-F]*:[0-9a-fA-F:.]*:[0-9a-fA-F.]*)()$/.exec(target) ??
    /^([A-Za-z0-9._-]+)(?::(\d{1,5}))?$/.exec(target);
  const given = Number(match?.[2] || DEFAULT_SERVER_PORT);
  const port = given === GOSSIP_PORT ? DEFAULT_SERVER_PORT : given;
  if (!match || port < 1 || port > 65_535) {
    throw new AppError('config', `retry_join: ${JSON.stringify(target)} must be host or host:port of a server`, {
      facts: { field: 'retry_join' },
    });
  }
  const host = match[1]!;
  return `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}`;
}
