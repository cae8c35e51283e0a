import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from 'fastify';
import type { Clock } from '../../core/clock.ts';
import { AppError, errorRow, errorText } from '../../core/errors.ts';
import { aborted, type RunContext, type Runnable } from '../../core/lifecycle.ts';
import type { Logger } from '../../core/log.ts';
import type { LabelledCounter, Metrics } from '../../core/metrics.ts';
import { announcesBody, BODY_LIMITS, type BodyLimits, isPlainEncoding, watchBody } from './body-watch.ts';
import { answerClientError, type ClientError, TOO_MANY_HEADERS } from './client-errors.ts';
import { type Connections, limitConnections } from './connection-limit.ts';
import { DEFAULT_POLICY, type HttpPolicy, refusalOf } from './http-policy.ts';
import { closeWithLinger } from './linger.ts';
import { createListener, DEFAULT_HEADER_BYTES, type ListenerOptions, MAX_HEADERS, replaceTls } from './listener.ts';
import { type ReadyAnswer, ReadyAnswers, rawHeader } from './ready-answers.ts';
import { decodedPath, HttpRouteRequest, isPrintablePath } from './request.ts';
import type { RequestTimings } from './request-timings.ts';
import { type AnswerForm, errorResponse, respond, respondAgain } from './respond.ts';
import type { Route, RouteResponse } from './route.ts';
import { type MountedPath, mountPaths, redirectsOf } from './route-table.ts';
import type { ServerTls } from './server-tls.ts';
import { giveSocket, listenPrivately, removeDeadSocket, type SocketFileOptions, socketPath } from './unix-socket.ts';

export interface HttpServerDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** Hears how long each answer took, until its first byte. */
  readonly timings?: RequestTimings | undefined;
}

export interface HttpServerOptions extends ListenerOptions {
  readonly routes: readonly Route[];
  /** An address, or `unix:///path` of a socket file. */
  readonly host: string;
  /** Owner and mode of the socket file; as the process makes files when not given. */
  readonly socketFile?: SocketFileOptions;
  /** 0 takes any free port; `address()` tells which. */
  readonly port: number;
  /** The name of the runnable and of the listener in log lines; `http` when not given. */
  readonly name?: string;
  /** The flag or key that sets the port, for the error text of a taken port. */
  readonly portFlag?: string;
  /** Largest request body in bytes; 1 MiB when not given (Consul's transactions and values stay below). */
  readonly maxBodyBytes?: number;
  /** Connections of one client address; 200 when not given (Consul's http_max_conns_per_client). */
  readonly maxConnectionsPerClient?: number | (() => number);
  /** How slowly bodies may come; BODY_LIMITS when not given. */
  readonly bodyLimits?: BodyLimits;
  /** What the operator sets for all requests; Consul's defaults when not given. Cheap: asked for each request. */
  readonly policy?: () => HttpPolicy;
  /** How long a stop waits for answers under way; 5 s when not given. */
  readonly drainMs?: number;
}

/** An HTTP listener as a runnable: ready when it accepts connections. */
export interface HttpServer extends Runnable {
  /** @throws AppError `unavailable` before the listener is ready. */
  address(): { host: string; port: number };
  /** Other certificates for connections to come; only for a listener that began with some. */
  setTls(tls: ServerTls): void;
}

const ALL_METHODS = ['GET', 'PUT', 'POST', 'DELETE', 'PATCH', 'HEAD', 'OPTIONS', 'TRACE'];
const ROUTED_METHODS: ReadonlySet<string> = new Set(ALL_METHODS);
/** What a client asked for with a method that no route has. */
const askedMethods = new WeakMap<IncomingMessage, string>();
/** Requests of one connection that may wait at a time: who sends ahead must not take all places to wait. */
const MAX_WAITING_PER_CONNECTION = 64;
const UI_DISABLED =
  'Consul Agent: UI disabled. To enable, set ui_config.enabled=true in the agent configuration and restart.';
const UNKNOWN_V1 = 'Invalid URL path: not a recognized HTTP API endpoint';
const UNKNOWN = "Invalid URL path: if attempting to use the HTTP API, ensure the path starts with '/v1/'";

/**
 * Serves routes by HTTP/1.1 with the rules that all of Consul's endpoints share (methods, error texts, consistency and
 * index headers, pretty printing, gzip), so that a route only reads its request and gives its answer.
 */
export function createHttpServer(deps: HttpServerDeps, options: HttpServerOptions): HttpServer {
  return new RouteServer(deps, options);
}

class RouteServer implements HttpServer {
  readonly name: string;
  readonly #deps: HttpServerDeps;
  readonly #options: HttpServerOptions;
  readonly #requests: LabelledCounter;
  readonly #handshakes: LabelledCounter;
  readonly #stopping = new AbortController();
  readonly #ready: ReadyAnswers;
  /** How many requests of a connection wait. */
  readonly #waiting = new WeakMap<Socket, number>();
  /** Paths whose bodies are streamed. */
  readonly #streamed: ReadonlySet<string>;
  #policy: HttpPolicy = DEFAULT_POLICY;
  #tls: ServerTls | undefined;
  #listener: Server | undefined;
  #connections: Connections | undefined;
  #bound: { host: string; port: number } | undefined;

  constructor(deps: HttpServerDeps, options: HttpServerOptions) {
    this.name = options.name ?? 'http';
    this.#deps = deps;
    this.#options = options;
    this.#tls = options.tls;
    this.#streamed = new Set(options.routes.filter((route) => route.streamsBody).map((route) => route.path));
    this.#requests = deps.metrics.counter({
      name: 'lictor_http_requests_total',
      help: 'HTTP requests answered, by method, route and status',
      labels: ['method', 'route', 'status'],
    });
    this.#handshakes = deps.metrics.counter({
      name: 'lictor_http_tls_failures_total',
      help: 'TLS handshakes of HTTP clients that failed, by listener',
      labels: ['listener'],
    });
    this.#ready = new ReadyAnswers((route) => this.#requests.bound({ method: 'GET', route, status: 200 }));
  }

  address(): { host: string; port: number } {
    if (!this.#bound) throw new AppError('unavailable', `${this.name} is not listening yet`);
    return this.#bound;
  }

  setTls(tls: ServerTls): void {
    this.#tls = tls;
    if (this.#listener) replaceTls(this.#listener, tls);
  }

  async run(ctx: RunContext): Promise<void> {
    const app = this.#createApp();
    this.#mount(app);
    await this.#listen(app);
    this.#deps.log.info('listening', { listener: this.name, host: this.#bound?.host, port: this.#bound?.port });
    ctx.ready();
    await aborted(ctx.signal);
    await this.#drain(app);
  }

  #createApp(): FastifyInstance {
    const app = fastify({
      logger: false,
      bodyLimit: this.#options.maxBodyBytes ?? 1024 * 1024,
      exposeHeadRoutes: false,
      // No route has a schema: neither a validator nor a serialiser is read.
      schemaController: { compilersFactory: { buildValidator: noSchemas, buildSerializer: noSchemas } },
      routerOptions: { maxParamLength: 8192, querystringParser: () => ({}) },
      forceCloseConnections: 'idle',
      frameworkErrors: (error, _request, reply) => this.#frameworkError(error, reply as FastifyReply),
      clientErrorHandler: (error, socket) =>
        answerClientError(
          this.#deps.clock,
          error as ClientError,
          socket,
          this.#options.maxHeaderBytes ?? DEFAULT_HEADER_BYTES,
        ),
      serverFactory: (handler) => this.#createListener(handler),
    });
    app.removeAllContentTypeParsers();
    app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
    app.setErrorHandler((error, _request, reply) => this.#frameworkError(error, reply));
    return app as unknown as FastifyInstance;
  }

  #createListener(handler: (request: IncomingMessage, response: ServerResponse) => void): Server {
    const onRequest = (request: IncomingMessage, response: ServerResponse) => {
      if (this.#connections?.isRefused(request.socket)) return;
      if (this.#options.policy) this.#follow(this.#options.policy());
      if (request.rawHeaders.length >= 2 * MAX_HEADERS) {
        this.#refuse(request, response, { status: 431, text: TOO_MANY_HEADERS });
        return;
      }
      const ready = this.#ready.find(request);
      if (ready && !this.#stopping.signal.aborted && this.#answerAgain(ready, request, response)) return;
      if (announcesBody(request)) {
        if (!isPlainEncoding(request)) {
          this.#refuse(request, response, { status: 501, text: 'Unsupported transfer encoding' });
          return;
        }
        this.#watch(request, response);
      }
      // The framework refuses some methods in its own words before it looks for a route.
      if (!ROUTED_METHODS.has(request.method ?? '')) {
        askedMethods.set(request, request.method ?? '');
        request.method = 'TRACE';
      }
      // Content types carry no meaning for Consul's API; a malformed one must not refuse the request.
      delete request.headers['content-type'];
      handler(request, response);
    };
    const { maxConnectionsPerClient: max = 200, host } = this.#options;
    const server = createListener({ ...this.#options, tls: this.#tls }, onRequest, (remoteAddress, reason) => {
      this.#deps.log.debug('a TLS handshake failed', { listener: this.name, remoteAddress, reason });
      this.#handshakes.add(1, { listener: this.name });
    });
    // Connections of a socket file have no client address that could be counted.
    const unix = socketPath(host) !== undefined;
    if (unix && this.#options.socketFile?.mode !== undefined) listenPrivately(server);
    this.#connections = limitConnections(server, () => (unix ? Infinity : typeof max === 'number' ? max : max()), {
      tls: this.#tls !== undefined,
    });
    this.#listener = server;
    return server;
  }

  #watch(request: IncomingMessage, response: ServerResponse): void {
    const [path = ''] = (request.url ?? '').split('?', 1);
    const limits = { ...(this.#options.bodyLimits ?? BODY_LIMITS), streamed: this.#streamed.has(path) };
    watchBody(this.#deps.clock, request, limits, () => {
      this.#refuse(request, response, { status: 408, text: 'The request body was not received in time' });
    });
  }

  /** Answers a request that is not to be read to its end, and closes its connection. */
  #refuse(request: IncomingMessage, response: ServerResponse, answer: RouteResponse): void {
    const { socket } = request;
    this.#requests.add(1, { method: request.method ?? 'GET', route: 'unknown', status: answer.status ?? 500 });
    if (response.headersSent || response.destroyed) {
      socket.destroy();
      return;
    }
    // What is sent after it could be anything.
    this.#connections?.refuse(socket);
    closeWithLinger(this.#deps.clock, socket);
    // Once it is answered, Node does not tell who still reads the body that it has ended.
    socket.once('close', () => request.destroy(new AppError('deadline', 'the request was refused while it came')));
    respond(response, answer, { pretty: false, gzip: false, head: false, close: true, extra: this.#policy.headers });
  }

  /** A changed policy counts for URLs too that were asked before. */
  #follow(policy: HttpPolicy): void {
    if (policy === this.#policy) return;
    this.#policy = policy;
    this.#ready.clear();
  }

  #mount(app: FastifyInstance): void {
    const paths = mountPaths(this.#options.routes);
    const mount = (into: FastifyInstance, streamsBody: boolean) => {
      for (const path of paths.filter((one) => one.streamsBody === streamsBody)) {
        into.route({
          method: ALL_METHODS,
          url: path.pattern,
          handler: (request, reply) => this.#dispatch(path, request, reply),
        });
      }
    };
    mount(app, false);
    // A scope of its own: its bodies are not collected.
    void app.register((scope, _options, done) => {
      scope.removeAllContentTypeParsers();
      scope.addContentTypeParser('*', (_request, body, parsed) => parsed(null, body));
      mount(scope, true);
      done();
    });
    for (const path of redirectsOf(paths)) {
      app.route({ method: ALL_METHODS, url: path, handler: (request, reply) => this.#redirect(path, request, reply) });
    }
    app.setNotFoundHandler((request, reply) => {
      const url = request.raw.url ?? '/';
      const answer: RouteResponse =
        url === '/' || url.startsWith('/?')
          ? { text: UI_DISABLED }
          : { status: 404, text: url.startsWith('/v1/') ? UNKNOWN_V1 : UNKNOWN };
      this.#answer(request, reply, isPrintablePath(url) ? answer : { status: 400 }, 'unknown');
    });
  }

  #redirect(path: string, request: FastifyRequest, reply: FastifyReply): void {
    const url = request.raw.url ?? path;
    this.#answer(request, reply, { status: 307, headers: { location: `${path}/${url.slice(path.length)}` } }, path);
  }

  #dispatch(path: MountedPath, request: FastifyRequest, reply: FastifyReply): void {
    const { timings } = this.#deps;
    const start = timings?.start() ?? 0;
    const answered = (answer: RouteResponse) => {
      this.#answer(request, reply, answer, path.path);
      timings?.record(request.raw.method ?? 'GET', path.path, start);
    };
    const { socket } = request.raw;
    const waiting = this.#waiting.get(socket) ?? 0;
    if (waiting >= MAX_WAITING_PER_CONNECTION) {
      answered(errorResponse(new AppError('rateLimited', 'too many requests wait on this connection')));
      return;
    }
    const result = this.#resultOf(path, request, reply);
    if (!(result instanceof Promise)) {
      answered(result);
      return;
    }
    reply.hijack();
    this.#waiting.set(socket, waiting + 1);
    const settled = (answer: RouteResponse) => {
      this.#waiting.set(socket, (this.#waiting.get(socket) ?? 1) - 1);
      answered(answer);
    };
    result.then(settled, (error: unknown) => settled(this.#failure(error, path)));
  }

  #resultOf(path: MountedPath, request: FastifyRequest, reply: FastifyReply): Promise<RouteResponse> | RouteResponse {
    const { raw } = request;
    if (!isPrintablePath(raw.url ?? '/')) return { status: 400 };
    const method = raw.method ?? 'GET';
    const route = path.methods.get(method);
    const refusal = refusalOf(this.#policy, method, {
      path: () => decodedPath(raw.url ?? '/') ?? '',
      remoteAddress: () => raw.socket.remoteAddress ?? '',
    });
    if (refusal !== undefined) return forbidden(refusal);
    if (!route) return otherMethod(askedMethods.get(raw) ?? method, path.allow);
    const params = request.params as Record<string, string>;
    if (path.restName !== undefined && path.restName !== '*') params[path.restName] = params['*'] ?? '';
    try {
      return route.handle(
        new HttpRouteRequest(
          { raw, response: reply.raw, stopping: this.#stopping.signal, policy: this.#policy },
          { params, body: request.body },
        ),
      );
    } catch (error) {
      return this.#failure(error, path);
    }
  }

  #failure(error: unknown, path: MountedPath): RouteResponse {
    const row = errorRow(error);
    if (row === errorRow(undefined)) {
      this.#deps.log.error('a request failed', { listener: this.name, route: path.path, err: error });
    } else if (row.http >= 500) {
      this.#deps.log.debug('a request was refused', { listener: this.name, route: path.path, text: errorText(error) });
    }
    return errorResponse(error);
  }

  /**
   * Answers a URL that was answered before; what goes wrong is answered as the first time. False when the request has to
   * be looked at anew.
   */
  #answerAgain(ready: ReadyAnswer, request: IncomingMessage, response: ServerResponse): boolean {
    const form: AnswerForm = {
      pretty: false,
      gzip: acceptsGzip(rawHeader(request, 'accept-encoding')),
      head: false,
      close: false,
      extra: this.#policy.headers,
    };
    const { timings } = this.#deps;
    const start = timings?.start() ?? 0;
    try {
      const answer = ready.again();
      if (!answer) {
        this.#ready.forget(request);
        return false;
      }
      ready.count();
      respondAgain(response, answer, form);
      timings?.record('GET', ready.route, start);
    } catch (error) {
      const answer = errorResponse(error);
      this.#requests.add(1, { method: 'GET', route: ready.route, status: answer.status ?? 500 });
      respond(response, answer, form);
    }
    return true;
  }

  #answer(request: FastifyRequest, reply: FastifyReply, answer: RouteResponse, route: string): void {
    if (!reply.sent) reply.hijack();
    const method = request.raw.method ?? 'GET';
    this.#requests.add(1, { method, route, status: answer.status ?? 200 });
    try {
      const form = this.#formOf(request.raw);
      if (!form.pretty) this.#ready.note(request.raw, route, answer);
      respond(reply.raw, answer, form);
    } catch (error) {
      this.#deps.log.error('an answer could not be sent', { listener: this.name, route, err: error });
      if (!reply.raw.headersSent) respond(reply.raw, errorResponse(error), this.#formOf(request.raw));
      else reply.raw.destroy();
    }
  }

  #formOf(raw: IncomingMessage): AnswerForm {
    const url = raw.url ?? '';
    const encodings = raw.headers['accept-encoding'];
    return {
      pretty: url.includes('pretty') && new URLSearchParams(url.slice(url.indexOf('?') + 1)).has('pretty'),
      gzip: acceptsGzip(encodings && String(encodings)),
      head: raw.method === 'HEAD',
      close: this.#stopping.signal.aborted,
      extra: this.#policy.headers,
    };
  }

  /** Errors that arise before a route is reached: a body over its limit, a broken URL. */
  #frameworkError(error: unknown, reply: FastifyReply): void {
    const status = (error as { statusCode?: number }).statusCode ?? 500;
    if (!reply.sent) reply.hijack();
    const limit = this.#options.maxBodyBytes ?? 1024 * 1024;
    const failure =
      status === 413
        ? new AppError('tooLarge', `Request body too large, max size: ${limit} bytes`)
        : new AppError(status < 500 ? 'badRequest' : 'internal', errorText(error), { cause: error });
    if (status >= 500) this.#deps.log.error('a request failed', { listener: this.name, err: error });
    // What is left of the body is not read: the connection cannot be used again.
    this.#refuse(reply.request.raw, reply.raw, errorResponse(failure));
  }

  async #listen(app: FastifyInstance): Promise<void> {
    const { host, port, portFlag } = this.#options;
    const path = socketPath(host);
    const place = path ?? `${host}:${port}`;
    try {
      if (path !== undefined) await removeDeadSocket(path);
      await app.listen(path === undefined ? { host, port, backlog: 1024 } : { path, backlog: 1024 });
      if (path !== undefined && this.#options.socketFile) giveSocket(path, this.#options.socketFile);
    } catch (error) {
      await app.close();
      if (error instanceof AppError) throw error;
      const code = (error as NodeJS.ErrnoException).code;
      const advice = portFlag ? `; stop the other process or choose another port with ${portFlag}` : '';
      if (code === 'EADDRINUSE') {
        throw new AppError('addressInUse', `${this.name}: ${place} is already in use${advice}`, {
          cause: error,
        });
      }
      throw new AppError('config', `${this.name}: cannot listen on ${place}: ${errorText(error)}`, {
        cause: error,
      });
    }
    const bound = app.server.address();
    this.#bound = typeof bound === 'object' && bound ? { host: bound.address, port: bound.port } : { host, port };
  }

  /** New connections are refused, blocked queries are ended, answers under way get `drainMs`. */
  async #drain(app: FastifyInstance): Promise<void> {
    this.#stopping.abort();
    this.#connections?.closeUnfinished();
    const timer = this.#deps.clock.after(
      this.#options.drainMs ?? 5000,
      () => {
        this.#deps.log.warn('connections were cut at the end of the drain time', {
          open: this.#connections?.count(),
        });
        app.server.closeAllConnections();
      },
      { keepAlive: true },
    );
    await app.close();
    timer.cancel();
  }
}

function acceptsGzip(encodings: string | undefined): boolean {
  return encodings !== undefined && /\bgzip\b(?!\s*;\s*q=0(\.0*)?\s*(,|$))/.test(encodings);
}

function forbidden(text: string): RouteResponse {
  return { status: 403, text, headers: { 'x-lictor-error': 'permissionDenied' } };
}

function otherMethod(method: string, allow: string): RouteResponse {
  // Consul sends its JSON media type with the empty answer to OPTIONS.
  if (method === 'OPTIONS') return { headers: { allow, 'content-type': 'application/json' } };
  return { status: 405, headers: { allow }, text: `method ${method} not allowed` };
}

function noSchemas(): never {
  throw new AppError('internal', 'routes have no schemas');
}
