import type { Socket } from 'node:net';

/** Requests of one connection that may wait at a time: who sends ahead must not take all places to wait. */
const MAX_WAITING_PER_CONNECTION = 64;

/** How many requests of each connection wait. */
export class WaitingLimit {
  readonly #waiting = new WeakMap<Socket, number>();

  isFull(socket: Socket): boolean {
    return (this.#waiting.get(socket) ?? 0) >= MAX_WAITING_PER_CONNECTION;
  }

  enter(socket: Socket): void {
    this.#waiting.set(socket, (this.#waiting.get(socket) ?? 0) + 1);
  }

  leave(socket: Socket): void {
    this.#waiting.set(socket, (this.#waiting.get(socket) ?? 1) - 1);
  }
}
