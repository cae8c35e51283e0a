import type { HeldReads } from '../../api/http/held-reads.ts';
import type { RouteRequest } from '../../api/http/route.ts';
import { AppError } from '../../core/errors.ts';

/** The `hold` of one request that is made without a socket: it waits alone, until its signal aborts. */
export function holding(held: HeldReads, signal: AbortSignal): RouteRequest['hold'] {
  return (read) =>
    new Promise((resolve, reject) => {
      const leave = held.hold(undefined, '', read, resolve);
      const gone = () => {
        leave();
        reject(new AppError('shuttingDown', 'the client has gone'));
      };
      if (signal.aborted) gone();
      else signal.addEventListener('abort', gone, { once: true });
    });
}
