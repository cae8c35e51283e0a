import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '../../core/clock.ts';
import { formatGoDuration } from '../../core/duration.ts';
import { hostPort } from '../../core/host-port.ts';
import type { Logger } from '../../core/log.ts';

const HIDDEN = '<hidden>';

/** Tells of each request when it has ended, at `debug`, as Consul does. It costs nothing while nobody reads at that level. */
export class RequestLog {
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #log: Logger;

  constructor(deps: { clock: Pick<Clock, 'monotonic'>; log: Logger }) {
    this.#clock = deps.clock;
    this.#log = deps.log.child({ part: 'http' });
  }

  /** Whether anybody reads it now. */
  wanted(): boolean {
    return this.#log.wants('debug');
  }

  /** To be called when a request has come. */
  follow({ method, url = '/', socket }: IncomingMessage, response: ServerResponse): void {
    const { remoteAddress, remotePort = 0 } = socket;
    // Who uses a socket file has no address.
    const from = remoteAddress === undefined ? '@' : hostPort(remoteAddress, remotePort);
    const start = this.#clock.monotonic();
    response.once('close', () => {
      const ms = this.#clock.monotonic() - start;
      this.#log.debug('Request finished', { method, url: withoutTokens(url), from, latency: formatGoDuration(ms) });
    });
  }
}

/** A URL as it may be logged: tokens in its query, and in the paths of access control, are hidden. */
export function withoutTokens(url: string): string {
  const [path = '', ...rest] = url.split('?');
  const shown = withoutToken(path);
  if (rest.length === 0) return shown;
  const pairs = rest.join('?').split('&');
  return `${shown}?${pairs.map(shownPair).join('&')}`;
}

/**
 * A path of access control, however it is written, without what follows its endpoint: what is logged need not be what a route
 * gets. Any other path as it is.
 */
function withoutToken(path: string): string {
  const parts: string[] = [];
  for (const part of decoded(path).split('/')) {
    if (part === '' || part === '.') continue;
    if (part === '..') parts.pop();
    else parts.push(part);
    // Also where it is left with `..` afterwards.
    if (parts.length > 3 && /^v1\/acl$/i.test(`${parts[0]}/${parts[1]}`)) {
      return `/v1/acl/${encodeURIComponent(parts[2]!)}/${HIDDEN}`;
    }
  }
  return path;
}

/** Without the scheme and host of a whole URL. What is no right escape stays; of the others only ASCII is needed. */
function decoded(path: string): string {
  const local = path.replace(/^[a-z][a-z\d+.-]*:\/\/[^/]*/i, '');
  return local.replace(/%[\da-f]{2}/gi, (code) => String.fromCharCode(Number.parseInt(code.slice(1), 16)));
}

function shownPair(pair: string): string {
  const [name = ''] = pair.split('=', 1);
  return new URLSearchParams(name).has('token') && pair.length > name.length ? `${name}=${HIDDEN}` : pair;
}
