import { isIP } from 'node:net';
import { AppError } from '../../core/errors.ts';
import type { RecursorAddress } from './exchange.ts';

const DNS_PORT = 53;

/** Reads `address`, `address:port` or `[address]:port`. @throws AppError `config` naming what is wrong. */
export function recursorAddress(text: string): RecursorAddress {
  if (isIP(text) !== 0) return { host: text, port: DNS_PORT };
  const found = /^(?:\[(?<v6>[^\]]+)\]|(?<v4>[^:]+))(?::(?<port>\d{1,5}))?$/.exec(text)?.groups;
  const host = found?.v6 ?? found?.v4 ?? '';
  const port = found?.port === undefined ? DNS_PORT : Number(found.port);
  if (isIP(host) !== 0 && port > 0 && port < 65_536) return { host, port };
  throw new AppError(
    'config',
    `recursors: "${text}" is no address; write for example "8.8.8.8" or "[2001:db8::1]:53"`,
    {
      facts: { field: 'recursors' },
    },
  );
}
