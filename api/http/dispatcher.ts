import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { AppError, errorRow, errorText } from '../../core/errors.ts';
import { AnswerCounts } from './answer-counts.ts';
import { answerForm } from './answer-form.ts';
import { type Exchange, handle } from './exchange.ts';
import { DEFAULT_POLICY, type HttpPolicy } from './http-policy.ts';
import { RepeatedRequests } from './repeated-requests.ts';
import { errorResponse, respond, respondAgain } from './respond.ts';
import type { RouteResponse } from './route.ts';
import type { MountedPath } from './route-table.ts';
import type { HttpServerDeps, HttpServerOptions } from './server-options.ts';
import { WaitingLimit } from './waiting-limit.ts';

export interface DispatcherOptions {
  /** Of the listener. */
  readonly name: string;
  /** Aborts when the listener is to end: waiting reads are answered then. */
  readonly stopping: AbortSignal;
  readonly policy: HttpServerOptions['policy'];
  /** Whether nothing more is answered on this connection. */
  readonly isRefused: (socket: Socket) => boolean;
}

/** Runs the routes of one listener and sends what they give, by the rules that all of them share. */
export class Dispatcher {
  readonly counts: AnswerCounts;
  readonly #deps: HttpServerDeps;
  readonly #options: DispatcherOptions;
  readonly #waiting = new WaitingLimit();
  readonly #repeated: RepeatedRequests;
  #policy: HttpPolicy = DEFAULT_POLICY;

  constructor(deps: HttpServerDeps, options: DispatcherOptions) {
    this.#deps = deps;
    this.#options = options;
    this.counts = new AnswerCounts(deps);
    this.#repeated = new RepeatedRequests({
      ...deps,
      counts: this.counts,
      waiting: this.#waiting,
      failure: (error, route) => this.#failure(error, route),
      policy: () => {
        this.followPolicy();
        return this.#policy;
      },
      isRefused: options.isRefused,
    });
  }

  /** As it was followed last. */
  get policy(): HttpPolicy {
    return this.#policy;
  }

  /** From now on the policy as it is now. A changed one counts for URLs too that were asked before. */
  followPolicy(): void {
    const policy = this.#options.policy?.() ?? DEFAULT_POLICY;
    if (policy === this.#policy) return;
    this.#policy = policy;
    this.#repeated.forget();
  }

  /** Answers a request that was asked before and has the same answer still; whether it did. */
  answerAgain(request: IncomingMessage, response: ServerResponse): boolean {
    return this.#repeated.answer(request, response, this.#policy);
  }

  /** Ends reads that wait to be answered again. */
  stop(): void {
    this.#repeated.stop();
  }

  /** Answers by the route of this path. */
  dispatch(path: MountedPath, exchange: Exchange): void {
    const { timings } = this.#deps;
    const { raw, response } = exchange;
    const { socket } = raw;
    const start = timings?.start() ?? 0;
    const answered = (answer: RouteResponse) => {
      this.answer(raw, response, answer, path.path);
      timings?.record(raw.method ?? 'GET', path.path, start);
    };
    if (this.#waiting.isFull(socket)) {
      answered(errorResponse(new AppError('rateLimited', 'too many requests wait on this connection')));
      return;
    }
    const result = this.#resultOf(path, exchange);
    if (!(result instanceof Promise)) {
      answered(result);
      return;
    }
    this.#waiting.enter(socket);
    const settled = (answer: RouteResponse) => {
      this.#waiting.leave(socket);
      answered(answer);
    };
    result.then(settled, (error: unknown) => settled(this.#failure(error, path.path)));
  }

  #resultOf(path: MountedPath, exchange: Exchange): Promise<RouteResponse> | RouteResponse {
    try {
      return handle(path, exchange, {
        policy: this.#policy,
        stopping: this.#options.stopping,
        hold: (read) => this.#repeated.hold(exchange.raw, exchange.response, path.path, read),
      });
    } catch (error) {
      return this.#failure(error, path.path);
    }
  }

  #failure(error: unknown, route: string): RouteResponse {
    const row = errorRow(error);
    if (row === errorRow(undefined)) {
      this.#deps.log.error('a request failed', { listener: this.#options.name, route, err: error });
    } else if (row.http >= 500) {
      this.#deps.log.debug('a request was refused', { listener: this.#options.name, route, text: errorText(error) });
    }
    return errorResponse(error);
  }

  /** `route`: as it is counted. */
  answer(raw: IncomingMessage, response: ServerResponse, answer: RouteResponse, route: string): void {
    this.counts.count(raw.method ?? 'GET', route, answer.status ?? 200);
    const form = answerForm(raw, this.#options.stopping.aborted, this.#policy);
    try {
      this.#repeated.note(raw, route, answer);
      if (answer.shared) respondAgain(response, answer, form);
      else respond(response, answer, form);
    } catch (error) {
      this.#deps.log.error('an answer could not be sent', { listener: this.#options.name, route, err: error });
      if (!response.headersSent) respond(response, errorResponse(error), form);
      else response.destroy();
    }
  }
}
