import type { Socket } from 'node:net';
import type { Clock } from '../../core/clock.ts';

/** Long enough for what is under way to arrive; short enough to be no place to stay. */
const LINGER_MS = 1_000;

/**
 * Lets a connection end only when its client has had the time to read the answer: closing it while bytes arrive makes the
 * client's machine throw the answer away (RFC 9112 section 9.6). What arrives in the meantime goes nowhere.
 */
export function closeWithLinger(clock: Pick<Clock, 'after'>, socket: Socket): void {
  const timer = clock.after(LINGER_MS, () => socket.destroy());
  socket.once('close', () => timer.cancel());
  // What Node calls at the end of an answer that is the last one of its connection.
  socket.destroySoon = () => {
    if (socket.writable) socket.end();
  };
}
