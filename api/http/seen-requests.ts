import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Clock } from '../../core/clock.ts';
import { setIdleTimeout } from '../../core/idle-timeout.ts';
import type { HttpPolicy } from './http-policy.ts';
import { KEEP_ALIVE_MS } from './listener.ts';
import { type ReadyAnswer, rawHeader } from './ready-answers.ts';
import { type Prepared, STALLED_MS } from './respond.ts';

/** Longer requests are not remembered: what clients send must not fill the memory. */
const MAX_REQUEST_BYTES = 512;
const MAX_REQUESTS = 16_384;
/** Of headers and body; larger answers are left to Node, which knows what to do when a client does not take all at once. */
const MAX_ANSWER_BYTES = 64 * 1024;
/** Enough for the headers that are the same in all answers. */
const REST_BYTES = 256;
const END = '\r\n\r\n';

/** How to answer a request that was seen before, for whom it was remembered. */
export interface Seen extends ReadyAnswer {
  readonly pretty: boolean;
  readonly gzip: boolean;
}

export interface SeenRequestsDeps {
  readonly clock: Pick<Clock, 'now'>;
  /** As it is now. Asked before a request is looked for: a changed one may have all of them forgotten. */
  readonly policy: () => HttpPolicy;
  /** The answer that is sent now, of status 200 and at most so many bytes; undefined when the request has to be read. */
  readonly again: (seen: Seen, policy: HttpPolicy, socket: Socket, maxBytes: number) => Prepared | undefined;
}

/** A connection whose bytes are looked at before Node's parser gets them. */
interface Tap {
  /** What the parser is reading. */
  chunk: Buffer | undefined;
  /** Whether nothing was unfinished before that. */
  whole: boolean;
  /** Requests that it has found in there. */
  found: number;
  /** Whether the last one has no body. */
  bodiless: boolean;
  /** Whether the next byte begins a request. */
  atStart: boolean;
  /** Requests whose answers have not ended. */
  open: number;
}

/**
 * Requests whose very bytes were answered before, on connections that ask again and again: they are answered without being
 * parsed. All others, and all that does not begin and end with what was read at once, are read by Node as ever; so is
 * everything until a connection has repeated a request.
 */
export class SeenRequests {
  readonly #deps: SeenRequestsDeps;
  readonly #known = new Map<string, Seen>();
  readonly #taps = new WeakMap<Socket, Tap>();
  /** Where answers are put together. */
  #space = Buffer.allocUnsafeSlow(MAX_ANSWER_BYTES + REST_BYTES);
  #second = 0;
  #tail = '';

  constructor(deps: SeenRequestsDeps) {
    this.#deps = deps;
  }

  forget(): void {
    this.#known.clear();
  }

  /** To be told of each request that the parser has found, before it is answered. */
  found(request: IncomingMessage, response: ServerResponse): void {
    const tap = this.#taps.get(request.socket);
    if (!tap) return;
    tap.found++;
    tap.bodiless =
      rawHeader(request, 'content-length') === undefined && rawHeader(request, 'transfer-encoding') === undefined;
    tap.open++;
    response.once('close', () => tap.open--);
  }

  /** Remembers how to answer a GET whose headers change nothing and that was answered at once. */
  answered(request: IncomingMessage, seen: Seen): void {
    const tap = this.#taps.get(request.socket);
    if (!tap) {
      this.#tap(request.socket);
      return;
    }
    const { chunk } = tap;
    if (!chunk || !tap.whole || tap.found !== 1 || chunk.length > MAX_REQUEST_BYTES) return;
    const text = chunk.toString('latin1');
    // One request and nothing else, after which the connection stays open.
    if (!text.startsWith(`GET ${request.url} HTTP/1.1\r\n`) || text.indexOf(END) !== text.length - END.length) return;
    if ((rawHeader(request, 'connection') ?? 'keep-alive').toLowerCase() !== 'keep-alive') return;
    this.#known.delete(text);
    this.#known.set(text, seen);
    if (this.#known.size > MAX_REQUESTS) this.#known.delete(this.#known.keys().next().value!);
  }

  #tap(socket: Socket): void {
    const [parse, ...others] = socket.listeners('data') as ((chunk: Buffer) => void)[];
    // What is encrypted is not written at once, so that it could not be put together in one place.
    if (!parse || others.length > 0 || (socket as TLSSocket).encrypted) return;
    const tap: Tap = { chunk: undefined, whole: false, found: 0, bodiless: false, atStart: false, open: 0 };
    this.#taps.set(socket, tap);
    // Node's parser stops reading from the connection by itself when somebody else listens.
    socket.on('data', (chunk: Buffer) => {
      if (tap.atStart && tap.open === 0 && this.#answer(socket, chunk)) return;
      tap.chunk = chunk;
      tap.whole = tap.atStart;
      tap.found = 0;
      parse.call(socket, chunk);
      // After a request without a body nothing but the beginning of another one can follow; the end of its headers would
      // have made it a request that was found.
      tap.atStart = tap.found > 0 && tap.bodiless && endsHeaders(chunk);
      tap.chunk = undefined;
    });
    socket.removeListener('data', parse);
  }

  #answer(socket: Socket, chunk: Buffer): boolean {
    if (chunk.length > MAX_REQUEST_BYTES || socket.writableLength > 0 || !socket.writable) return false;
    const policy = this.#deps.policy();
    const seen = this.#known.get(chunk.toString('latin1'));
    const answer = seen && this.#deps.again(seen, policy, socket, MAX_ANSWER_BYTES);
    if (!answer) return false;
    const { head, bytes } = answer;
    const rest = this.#rest();
    const headSize = head.length + rest.length;
    const size = headSize + bytes.length;
    const space = this.#space;
    space.write(head, 0, 'latin1');
    space.write(rest, head.length, 'latin1');
    space.set(bytes, headSize);
    let stalled = false;
    socket.write(space.subarray(0, size), () => {
      // A request that came meanwhile has its own time.
      if (stalled) setIdleTimeout(socket, this.#taps.get(socket)?.open === 0 ? KEEP_ALIVE_MS : 0);
    });
    if (socket.writableLength > 0) {
      // The rest is sent from there.
      this.#space = Buffer.allocUnsafeSlow(MAX_ANSWER_BYTES + REST_BYTES);
      stalled = true;
      setIdleTimeout(socket, STALLED_MS);
    }
    return true;
  }

  /** The headers that Node adds to each answer. */
  #rest(): string {
    const second = Math.floor(this.#deps.clock.now() / 1000);
    if (second !== this.#second) {
      this.#second = second;
      const date = new Date(second * 1000).toUTCString();
      this.#tail = `Date: ${date}\r\nConnection: keep-alive\r\nKeep-Alive: timeout=${KEEP_ALIVE_MS / 1000}${END}`;
    }
    return this.#tail;
  }
}

function endsHeaders(chunk: Buffer): boolean {
  return chunk.length >= END.length && chunk.toString('latin1', chunk.length - END.length) === END;
}
