import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { AppError } from '../../core/errors.ts';
import type { AnswerCounts } from './answer-counts.ts';
import { acceptsGzip, wantsPretty } from './answer-form.ts';
import { type HeldGroup, type HeldRead, HeldReads, type HeldReadsDeps } from './held-reads.ts';
import type { HttpPolicy } from './http-policy.ts';
import { isPlain, type ReadyAnswer, ReadyAnswers, rawHeader } from './ready-answers.ts';
import type { RequestTimings } from './request-timings.ts';
import { type AnswerForm, type Prepared, prepared, respond, respondAgain } from './respond.ts';
import type { RouteResponse } from './route.ts';
import { type Seen, SeenRequests } from './seen-requests.ts';
import type { HttpServerDeps } from './server-options.ts';
import type { WaitingLimit } from './waiting-limit.ts';

export interface RepeatedRequestsDeps extends HttpServerDeps {
  readonly counts: AnswerCounts;
  readonly waiting: WaitingLimit;
  readonly failure: HeldReadsDeps['failure'];
  /** As it is now. */
  readonly policy: () => HttpPolicy;
  /** Whether nothing more of a connection is served. */
  readonly isRefused: (socket: Socket) => boolean;
}

/**
 * Requests for URLs that others have asked for too: they are answered again with what was answered before while it is
 * true, or wait together with those who wait for the same, without routing, decoding and parsing.
 */
export class RepeatedRequests {
  readonly #counts: AnswerCounts;
  readonly #timings: RequestTimings | undefined;
  readonly #log: HttpServerDeps['log'];
  readonly #failure: HeldReadsDeps['failure'];
  readonly #waiting: WaitingLimit;
  readonly #ready: ReadyAnswers;
  readonly #held: HeldReads;
  readonly #seen: SeenRequests;
  #stopped = false;

  constructor(deps: RepeatedRequestsDeps) {
    this.#counts = deps.counts;
    this.#timings = deps.timings;
    this.#log = deps.log;
    this.#failure = deps.failure;
    this.#waiting = deps.waiting;
    this.#ready = new ReadyAnswers((route) => this.#counts.bound('GET', route, 200));
    this.#held = new HeldReads(deps);
    this.#seen = new SeenRequests({
      clock: deps.clock,
      policy: deps.policy,
      again: (seen, policy, socket, maxBytes) =>
        // What is told of a request is told of one that was read.
        this.#stopped || deps.isRefused(socket) || deps.log.wants('debug')
          ? undefined
          : this.#unread(seen, policy, maxBytes),
    });
  }

  /** Answers the request, now or when there is something new; false when it has to be looked at. */
  answer(request: IncomingMessage, response: ServerResponse, policy: HttpPolicy): boolean {
    this.#seen.found(request, response);
    if (request.method !== 'GET' || this.#stopped) return false;
    const ready = this.#ready.find(request);
    if (ready) return this.#answerAgain(ready, request, response, policy);
    const group = this.#held.find(request.url ?? '');
    return group !== undefined && isPlain(request) && this.#join(group, request, response, policy);
  }

  /** Remembers a request that was answered in its usual form. */
  note(request: IncomingMessage, route: string, answer: RouteResponse): void {
    this.#ready.note(request, route, answer);
  }

  /** Holds a request that was looked at. @throws AppError `rateLimited`, `shuttingDown`, what the read throws. */
  hold(request: IncomingMessage, response: ServerResponse, route: string, read: HeldRead): Promise<RouteResponse> {
    return new Promise((resolve, reject) => {
      const gone = () => reject(new AppError('shuttingDown', 'the client has gone'));
      if (this.#stopped) throw new AppError('shuttingDown', 'the server is stopping');
      if (response.destroyed) return gone();
      const shared = read.shared && request.method === 'GET' && isPlain(request);
      const leave = this.#held.hold(shared ? (request.url ?? '') : undefined, route, read, resolve);
      response.once('close', () => {
        leave();
        if (!response.writableFinished) gone();
      });
    });
  }

  /** Looks at every URL anew, when what they ask for may have changed. */
  forget(): void {
    this.#ready.clear();
    this.#held.closeAll();
    this.#seen.forget();
  }

  /** Ends all waits; no request is answered from here any more. */
  stop(): void {
    this.#stopped = true;
    this.#held.stop();
  }

  /** What goes wrong is answered as the first time. */
  #answerAgain(ready: ReadyAnswer, request: IncomingMessage, response: ServerResponse, policy: HttpPolicy): boolean {
    const form = formOf(request, policy);
    const start = this.#timings?.start() ?? 0;
    try {
      const answer = ready.again();
      if (!answer) {
        this.#ready.forget(request);
        return false;
      }
      ready.count();
      respondAgain(response, answer, form);
      this.#timings?.record('GET', ready.route, start);
      this.#seen.answered(request, { ...ready, pretty: form.pretty, gzip: form.gzip });
    } catch (error) {
      const answer = this.#failure(error, ready.route);
      this.#counts.count('GET', ready.route, answer.status ?? 500);
      respond(response, answer, form);
    }
    return true;
  }

  /** What goes wrong is answered when the request is read. */
  #unread(seen: Seen, { headers: extra }: HttpPolicy, maxBytes: number): Prepared | undefined {
    const start = this.#timings?.start() ?? 0;
    try {
      const answer = seen.again();
      const { pretty, gzip } = seen;
      const sent =
        answer?.status === undefined && answer?.bytes ? prepared(answer, { pretty, gzip, extra }) : undefined;
      if (!sent || sent.head.length + sent.bytes.length > maxBytes) return undefined;
      seen.count();
      this.#timings?.record('GET', seen.route, start);
      return sent;
    } catch {
      return undefined;
    }
  }

  #join(group: HeldGroup, request: IncomingMessage, response: ServerResponse, policy: HttpPolicy): boolean {
    const { socket } = request;
    // What is refused is refused in the words of the route.
    if (response.destroyed || this.#waiting.isFull(socket) || !group.mayJoin()) return false;
    const start = this.#timings?.start() ?? 0;
    const form = formOf(request, policy);
    const take = (answer: RouteResponse): void => {
      this.#waiting.leave(socket);
      this.#give(answer, response, group.route, { ...form, close: this.#stopped });
      this.#timings?.record('GET', group.route, start);
    };
    let leave: () => boolean;
    try {
      leave = group.add(take);
    } catch {
      return false;
    }
    this.#waiting.enter(socket);
    response.on('close', () => {
      if (leave()) this.#waiting.leave(socket);
    });
    return true;
  }

  #give(answer: RouteResponse, response: ServerResponse, route: string, form: AnswerForm): void {
    const { status = 200 } = answer;
    this.#counts.count('GET', route, status);
    try {
      if (answer.bytes) respondAgain(response, answer, form);
      else respond(response, answer, form);
    } catch (error) {
      this.#log.error('an answer could not be sent', { route, err: error });
      response.destroy();
    }
  }
}

function formOf(request: IncomingMessage, policy: HttpPolicy): AnswerForm {
  const gzip = acceptsGzip(rawHeader(request, 'accept-encoding'));
  const pretty = policy.pretty || wantsPretty(request.url ?? '');
  return { pretty, gzip, head: false, close: false, extra: policy.headers };
}
