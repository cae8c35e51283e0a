import type { Socket } from 'node:net';
import { errorResponse } from '../../api/http/respond.ts';
import { doesNotWait, type Route, type RouteRequest, type RouteResponse } from '../../api/http/route.ts';
import type { Upgrade, UpgradedConnection } from '../../api/http/upgrades.ts';
import type { Clock } from '../../core/clock.ts';
import { errorRow, errorText } from '../../core/errors.ts';
import { LengthFrames } from '../../core/length-frames.ts';
import type { Logger } from '../../core/log.ts';
import type { LabelledCounter, Metrics } from '../../core/metrics.ts';
import { TurnWriter } from '../../core/turn-writer.ts';
import {
  decodeRequest,
  encodeAnswer,
  encodeLast,
  HAND_ON_PATH,
  HAND_ON_PROTOCOL,
  type HandedRequest,
  MAX_READ_ANSWER_BYTES,
  MAX_REQUEST_BYTES,
} from './handed-requests.ts';

/** Requests of one server that are answered at a time; more are not read. */
const MAX_UNDER_WAY = 1024;
/** Answers that a server has not taken yet: while there are more, no further requests of it are read. */
const MAX_UNTAKEN_BYTES = 4 * 1024 * 1024;

export interface HandOnDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
}

/** Takes what other servers hand on, and answers it as the routes do. */
export function handOnUpgrade(deps: HandOnDeps, routes: readonly Route[]): Upgrade {
  const byName = new Map(routes.map((route) => [`${route.method} ${route.path}`, route]));
  const handed = deps.metrics.counter({
    name: 'lictor_leadership_handed_requests_total',
    help: 'Requests that other servers have handed on to this one, by method and status',
    labels: ['method', 'status'],
  });
  return {
    path: HAND_ON_PATH,
    protocol: HAND_ON_PROTOCOL,
    accept: (connection) => new Peer({ ...deps, handed, routes: byName }, connection),
  };
}

/** One server that hands on, for as long as its connection lasts. */
class Peer {
  readonly #deps: HandOnDeps & { readonly handed: LabelledCounter; readonly routes: ReadonlyMap<string, Route> };
  readonly #socket: Socket;
  readonly #writer: TurnWriter;
  readonly #gone = new AbortController();
  readonly #frames: LengthFrames;
  #underWay = 0;
  #ended = false;

  constructor(
    deps: HandOnDeps & { readonly handed: LabelledCounter; readonly routes: ReadonlyMap<string, Route> },
    { socket, head, stopping, drainMs }: UpgradedConnection,
  ) {
    this.#deps = deps;
    this.#socket = socket;
    this.#writer = new TurnWriter(socket);
    this.#frames = new LengthFrames({ maxBytes: MAX_REQUEST_BYTES }, (frame) => this.#take(decodeRequest(frame)));
    const stop = () => {
      this.#write(encodeLast());
      deps.clock.after(drainMs, () => socket.destroy());
    };
    socket.once('close', () => {
      stopping.removeEventListener('abort', stop);
      this.#gone.abort();
    });
    socket.on('error', () => socket.destroy());
    socket.on('drain', () => this.#regulate());
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
    socket.on('end', () => {
      this.#ended = true;
      this.#endWhenDone();
    });
    stopping.addEventListener('abort', stop, { once: true });
    this.#read(head);
  }

  #read(chunk: Buffer): void {
    try {
      this.#frames.push(chunk);
    } catch (error) {
      const { remoteAddress } = this.#socket;
      this.#deps.log.warn('a server sent what is no request', { remoteAddress, text: errorText(error) });
      this.#socket.destroy();
    }
    this.#regulate();
  }

  #take(handed: HandedRequest): void {
    const name = `${handed.method} ${handed.route}`;
    const route = this.#deps.routes.get(name);
    this.#underWay++;
    let result: Promise<RouteResponse> | RouteResponse | undefined;
    try {
      result = route?.handle(this.#requestOf(handed));
    } catch (error) {
      result = this.#failure(error, name);
    }
    if (!(result instanceof Promise)) this.#answer(handed, result);
    else {
      result.then(
        (response) => this.#answer(handed, response),
        (error: unknown) => this.#answer(handed, this.#failure(error, name)),
      );
    }
  }

  #requestOf({ method, path, params, query, headers, body }: HandedRequest): RouteRequest {
    const { signal } = this.#gone;
    const from = { remoteAddress: this.#socket.remoteAddress ?? '', signal, hold: doesNotWait };
    return { method, path, params, query: new URLSearchParams(query), headers, body, ...from };
  }

  #failure(error: unknown, route: string): RouteResponse {
    if (errorRow(error) === errorRow(undefined)) this.#deps.log.error('a request failed', { route, err: error });
    return errorResponse(error);
  }

  #answer({ id, method }: HandedRequest, response: RouteResponse | undefined): void {
    this.#underWay--;
    const streamed = response?.stream;
    streamed?.destroy();
    let frame = encodeAnswer(id, streamed ? undefined : response);
    if (method === 'GET' && frame.byteLength > MAX_READ_ANSWER_BYTES) frame = encodeAnswer(id, undefined);
    else if (response && !streamed) this.#deps.handed.add(1, { method, status: response.status ?? 200 });
    this.#write(frame);
    this.#regulate();
    this.#endWhenDone();
  }

  #write(frame: Buffer): void {
    if (!this.#socket.destroyed && !this.#socket.writableEnded) this.#writer.write(frame);
  }

  #regulate(): void {
    const full = this.#underWay >= MAX_UNDER_WAY || this.#socket.writableLength > MAX_UNTAKEN_BYTES;
    if (full) this.#socket.pause();
    else if (this.#socket.isPaused()) this.#socket.resume();
  }

  #endWhenDone(): void {
    if (this.#ended && this.#underWay === 0) this.#socket.end();
  }
}
