import type { IncomingMessage } from 'node:http';
import type { Clock, Timer } from '../../core/clock.ts';

/** How slowly a request's body may come. */
export interface BodyLimits {
  /** For a body that is collected: until all of it is there. */
  readonly bodyTimeoutMs: number;
  /** For a body that is streamed, of any length: at least so many bytes in each interval. */
  readonly progressIntervalMs: number;
  readonly minProgressBytes: number;
}

export const BODY_LIMITS: BodyLimits = {
  bodyTimeoutMs: 60_000,
  // An archive over the slowest line that anybody restores over; a client that drips is found after one interval.
  progressIntervalMs: 30_000,
  minProgressBytes: 4_096,
};

/**
 * Calls `tooSlow` once when the body of a request does not come in time. Of a streamed body only the client's part
 * counts: while the reader has not taken what is there, nothing is expected.
 */
export function watchBody(
  clock: Pick<Clock, 'after'>,
  request: IncomingMessage,
  options: BodyLimits & { readonly streamed: boolean },
  tooSlow: () => void,
): void {
  const { socket } = request;
  const look = (before: number) => {
    if (request.complete || request.destroyed) return;
    const now = socket.bytesRead;
    const readerIsBusy = request.readableLength >= request.readableHighWaterMark;
    if (!options.streamed || (!readerIsBusy && now - before < options.minProgressBytes)) tooSlow();
    else next(now);
  };
  let timer: Timer;
  const next = (read: number) => {
    timer = clock.after(options.streamed ? options.progressIntervalMs : options.bodyTimeoutMs, () => look(read));
  };
  // Most bodies come together with their headers: once those have been read there is nothing to watch.
  process.nextTick(() => {
    if (request.complete || request.destroyed) return;
    next(socket.bytesRead);
    request.once('close', () => timer.cancel());
  });
}

/** Whether a body follows the headers. */
export function announcesBody({ headers }: IncomingMessage): boolean {
  const length = headers['content-length'];
  return headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0');
}

/** Whether everybody understands the same of its end: encodings that are laid over each other may be read in two ways. */
export function isPlainEncoding({ headers }: IncomingMessage): boolean {
  const encoding = headers['transfer-encoding'];
  return encoding === undefined || encoding.toLowerCase() === 'chunked';
}
