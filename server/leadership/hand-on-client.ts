import type { Socket } from 'node:net';
import type { Route, RouteRequest, RouteResponse } from '../../api/http/route.ts';
import type { Clock, Timer } from '../../core/clock.ts';
import { AppError } from '../../core/errors.ts';
import { LengthFrames } from '../../core/length-frames.ts';
import { TurnWriter } from '../../core/turn-writer.ts';
import { decodeAnswer, encodeRequest, HAND_ON_PATH, HAND_ON_PROTOCOL, MAX_ANSWER_BYTES } from './handed-requests.ts';

const HANDSHAKE_MS = 2000;
const MAX_HANDSHAKE_BYTES = 16 * 1024;
const HEAD_END = '\r\n\r\n';
const MAX_ID = 2 ** 32 - 1;

/** What has become of a request. */
export type Handed =
  | { readonly kind: 'answered'; readonly response: RouteResponse }
  /** The leader wants it by HTTP; it has done nothing. */
  | { readonly kind: 'byHttp' }
  /** It has not left this server. */
  | { readonly kind: 'notSent'; readonly error: unknown }
  /** It may have been carried out. */
  | { readonly kind: 'lost'; readonly error: unknown };

const BY_HTTP: Handed = { kind: 'byHttp' };

interface Waiting {
  readonly settle: (handed: Handed) => void;
  readonly timer: Timer;
}

export interface HandOnOptions {
  readonly clock: Clock;
  /** The id of this server. */
  readonly from: string;
  /** `host:port` of the leader. */
  readonly address: string;
  /** Connects to it. */
  readonly connect: () => Promise<Socket>;
  /** How long an answer may take. */
  readonly answerMs: number;
}

/**
 * One connection to the server that leads, on which any number of requests are under way; each has its own answer, in any
 * order. Once it is over, another one has to be made. Who calls bounds how many requests wait.
 */
export class HandOnConnection {
  readonly #options: HandOnOptions;
  readonly #waiting = new Map<number, Waiting>();
  /** Frames that wait until the leader speaks this protocol. */
  #unsent: Buffer[] = [];
  #socket: Socket | undefined;
  #state: 'opening' | 'open' | 'over' = 'opening';
  #byHttp = false;
  #id = 0;
  #writer: TurnWriter | undefined;
  #heardAtMs = 0;

  constructor(options: HandOnOptions) {
    this.#options = options;
    void this.#open();
  }

  /** Whether nothing more can be sent here. */
  get over(): boolean {
    return this.#state === 'over';
  }

  /** Whether nothing waits here any more, and nothing more can. */
  get done(): boolean {
    return this.over && this.#waiting.size === 0;
  }

  /** Whether the leader, an older one, takes requests by HTTP only. */
  get byHttp(): boolean {
    return this.#byHttp;
  }

  send(route: Pick<Route, 'path'>, request: RouteRequest): Promise<Handed> {
    if (this.over) return Promise.resolve({ kind: 'notSent', error: new AppError('unavailable', 'it takes no more') });
    this.#id = this.#id === MAX_ID ? 1 : this.#id + 1;
    const id = this.#id;
    const { clock, from, answerMs } = this.#options;
    const frame = encodeRequest(id, route, request, from);
    return new Promise((settle) => {
      const timer = clock.after(answerMs, () => this.#late(id), { keepAlive: true });
      this.#waiting.set(id, { settle, timer });
      if (this.#state === 'opening') this.#unsent.push(frame);
      else this.#writer!.write(frame);
    });
  }

  /** Nothing more is sent; it ends when all is answered. */
  retire(): void {
    if (this.#state === 'open') this.#state = 'over';
    this.#endWhenDone();
  }

  /** Waits for nothing any more. */
  cut(error: unknown): void {
    const opening = this.#state === 'opening';
    this.#state = 'over';
    this.#socket?.destroy();
    this.#settleAll(opening ? { kind: 'notSent', error } : { kind: 'lost', error });
  }

  async #open(): Promise<void> {
    const { clock, address, connect } = this.#options;
    let socket: Socket;
    try {
      socket = await connect();
    } catch (error) {
      this.cut(error);
      return;
    }
    if (this.over) {
      socket.destroy();
      return;
    }
    this.#socket = socket;
    this.#writer = new TurnWriter(socket);
    socket.setNoDelay(true);
    const timer = clock.after(HANDSHAKE_MS, () => this.cut(new AppError('deadline', 'it does not answer')));
    socket.on('data', this.#reader(timer));
    socket.on('error', (error) => this.cut(error));
    socket.on('close', () => {
      timer.cancel();
      this.cut(new AppError('unavailable', 'it has closed the connection'));
    });
    socket.write(
      `GET ${HAND_ON_PATH} HTTP/1.1\r\nhost: ${address}\r\nconnection: upgrade\r\nupgrade: ${HAND_ON_PROTOCOL}${HEAD_END}`,
    );
  }

  /** Takes the leader's answer to the handshake, then its frames. */
  #reader(handshake: Timer): (chunk: Buffer) => void {
    const { clock } = this.#options;
    const frames = new LengthFrames({ maxBytes: MAX_ANSWER_BYTES }, (frame) => this.#take(frame));
    let head = Buffer.alloc(0);
    const begin = (chunk: Buffer): void => {
      head = Buffer.concat([head, chunk]);
      const end = head.indexOf(HEAD_END);
      if (end < 0 && head.byteLength <= MAX_HANDSHAKE_BYTES) return;
      handshake.cancel();
      if (!/^HTTP\/1\.1 101 /.test(head.toString('latin1', 0, 16))) {
        this.#refused(head);
        return;
      }
      this.#state = 'open';
      for (const frame of this.#unsent.splice(0)) this.#writer!.write(frame);
      frames.push(head.subarray(end + HEAD_END.length));
    };
    return (chunk) => {
      this.#heardAtMs = clock.monotonic();
      try {
        if (this.#state === 'opening') begin(chunk);
        else frames.push(chunk);
      } catch (error) {
        this.cut(error);
      }
    };
  }

  /** A version without this protocol does not find the path. */
  #refused(head: Buffer): void {
    const line = head.toString('latin1', 0, 64).split('\r\n', 1)[0]!;
    this.#byHttp = line.startsWith('HTTP/1.1 404');
    if (this.#byHttp) this.#settleAll(BY_HTTP);
    this.cut(new AppError('unavailable', `it takes no requests now (${line.trim()})`));
  }

  #take(frame: Buffer): void {
    const answer = decodeAnswer(frame);
    if (answer) this.#settle(answer.id, answer.response ? { kind: 'answered', response: answer.response } : BY_HTTP);
    else this.#state = 'over';
    this.#endWhenDone();
  }

  /**
   * One that says nothing at all any more is given up with all that wait for it. So is one that is still being opened: what is
   * said not to have been sent must not be sent once it opens.
   */
  #late(id: number): void {
    const { clock, answerMs } = this.#options;
    const error = new AppError('deadline', `it did not answer within ${answerMs / 1000} s`);
    const silent = this.#state === 'opening' || clock.monotonic() - this.#heardAtMs >= answerMs;
    if (silent && this.#state !== 'over') this.cut(error);
    else this.#settle(id, { kind: 'lost', error });
  }

  #settle(id: number, handed: Handed): void {
    const waiting = this.#waiting.get(id);
    if (!waiting) return;
    this.#waiting.delete(id);
    waiting.timer.cancel();
    waiting.settle(handed);
  }

  #settleAll(handed: Handed): void {
    for (const id of [...this.#waiting.keys()]) this.#settle(id, handed);
  }

  #endWhenDone(): void {
    if (this.over && this.#waiting.size === 0) this.#socket?.end();
  }
}
