import type { Socket } from 'node:net';
import type { Clock } from '../../core/clock.ts';
import type { ListenerOptions } from '../dns-options.ts';
import type { Responder } from '../responder.ts';
import { FrameReader } from './frame-reader.ts';

/** Answers waiting for a slow reader past which nothing more is read from it. */
const MAX_WAITING_BYTES = 256 * 1024;

type Limits = Pick<ListenerOptions, 'maxInFlightPerConnection' | 'tcpIdleMs' | 'tcpReadMs' | 'tcpWriteMs'>;

/**
 * One TCP connection: several questions after or without waiting for each other, each answered when its answer is
 * ready (RFC 7766 section 6.2.1). Reading stops while too much is in work or waiting to be read by the client.
 */
export class TcpConnection {
  readonly #socket: Socket;
  readonly #responder: Responder;
  readonly #clock: Clock;
  readonly #limits: Limits;
  readonly #reader = new FrameReader();
  readonly #queue: Uint8Array[] = [];
  #inFlight = 0;
  #unwritten = 0;
  #ended = false;
  #activeAt: number;
  #messageBeganAt = 0;
  #writtenAt = 0;

  constructor(deps: { socket: Socket; responder: Responder; clock: Clock }, limits: Limits) {
    this.#socket = deps.socket;
    this.#responder = deps.responder;
    this.#clock = deps.clock;
    this.#limits = limits;
    this.#activeAt = deps.clock.monotonic();
    this.#socket.on('data', (chunk: Buffer) => this.#onData(chunk));
    this.#socket.on('end', () => {
      this.#ended = true;
      this.#closeWhenDone();
    });
    this.#socket.on('error', () => this.#socket.destroy()); // the client's doing: nothing to tell anybody
  }

  /** When it was last used; undefined while it has work. */
  get idleSince(): number | undefined {
    return this.#isBusy() ? undefined : this.#activeAt;
  }

  /** Closes the connection when one of its deadlines has passed. To be called every now and then. */
  checkDeadlines(): void {
    const now = this.#clock.monotonic();
    const { tcpIdleMs, tcpReadMs, tcpWriteMs } = this.#limits;
    const readsTooSlowly = this.#unwritten > 0 && now - this.#writtenAt > tcpWriteMs;
    const sendsTooSlowly = this.#reader.partial && !this.#socket.isPaused() && now - this.#messageBeganAt > tcpReadMs;
    const isIdle = !this.#isBusy() && !this.#reader.partial && now - this.#activeAt > tcpIdleMs;
    if (readsTooSlowly || sendsTooSlowly || isIdle) this.#socket.destroy();
  }

  /** Reads nothing more, answers what is in work, then closes. */
  finish(): void {
    this.#ended = true;
    this.#queue.length = 0;
    this.#socket.pause();
    this.#closeWhenDone();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #isBusy(): boolean {
    return this.#inFlight > 0 || this.#queue.length > 0 || this.#unwritten > 0;
  }

  #onData(chunk: Buffer): void {
    if (this.#ended) return;
    this.#activeAt = this.#clock.monotonic();
    const wasPartial = this.#reader.partial;
    const { messages, oversize } = this.#reader.push(chunk);
    if (oversize) {
      this.#socket.destroy();
      return;
    }
    if (!wasPartial || messages.length > 0) this.#messageBeganAt = this.#activeAt;
    this.#queue.push(...messages);
    this.#work();
  }

  #work(): void {
    while (this.#queue.length > 0 && this.#mayTakeMore()) {
      this.#inFlight++;
      void this.#answer(this.#queue.shift()!);
    }
    if (this.#queue.length > 0 || !this.#mayTakeMore()) this.#socket.pause();
    else if (this.#socket.isPaused() && !this.#ended) {
      this.#messageBeganAt = this.#clock.monotonic();
      this.#socket.resume();
    }
  }

  #mayTakeMore(): boolean {
    return this.#inFlight < this.#limits.maxInFlightPerConnection && this.#socket.writableLength < MAX_WAITING_BYTES;
  }

  async #answer(message: Uint8Array): Promise<void> {
    const answer = await this.#responder.respond(message, 'tcp', this.#socket.remoteAddress);
    this.#inFlight--;
    if (this.#socket.destroyed) return;
    if (answer) this.#write(answer);
    else this.#socket.destroy(); // no DNS client sends what cannot even be refused
    this.#work();
    this.#closeWhenDone();
  }

  #write(answer: Uint8Array): void {
    const frame = Buffer.allocUnsafe(answer.length + 2);
    frame.writeUInt16BE(answer.length);
    frame.set(answer, 2);
    if (this.#unwritten++ === 0) this.#writtenAt = this.#clock.monotonic();
    this.#socket.write(frame, () => {
      this.#unwritten--;
      this.#writtenAt = this.#clock.monotonic();
      this.#activeAt = this.#writtenAt;
      if (this.#socket.destroyed) return;
      this.#work();
      this.#closeWhenDone();
    });
  }

  #closeWhenDone(): void {
    if (this.#ended && !this.#isBusy() && !this.#socket.destroyed) this.#socket.destroySoon();
  }
}
