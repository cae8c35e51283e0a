import type { Socket } from 'node:net';

/**
 * Has a socket emit `timeout` when neither side has moved a byte for so long; 0 takes it back. Node's own timer: it starts
 * anew with each byte, which a timer of the clock could not see.
 */
export function setIdleTimeout(socket: Socket | null, ms: number): void {
  socket?.setTimeout(ms);
}
