import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from 'fastify';
import { AppError, errorText } from '../../core/errors.ts';
import { aborted, type RunContext } from '../../core/lifecycle.ts';
import type { CounterMetric } from '../../core/metrics.ts';
import { bind } from './bind.ts';
import { announcesBody, BODY_LIMITS, isPlainEncoding, watchBody } from './body-watch.ts';
import { answerClientError, type ClientError, TOO_MANY_HEADERS } from './client-errors.ts';
import { sendBeforeClosing } from './close-idle.ts';
import { collectBody } from './collect-body.ts';
import { type Connections, limitConnections } from './connection-limit.ts';
import { Dispatcher } from './dispatcher.ts';
import { rememberMethod } from './exchange.ts';
import { notFound } from './fixed-answers.ts';
import { closeWithLinger } from './linger.ts';
import { createListener, DEFAULT_HEADER_BYTES, MAX_HEADERS, replaceTls } from './listener.ts';
import { RequestLog } from './request-log.ts';
import { errorResponse, respond } from './respond.ts';
import type { RouteResponse } from './route.ts';
import { type MountedPath, mountPaths, redirectsOf } from './route-table.ts';
import type { HttpServer, HttpServerDeps, HttpServerOptions } from './server-options.ts';
import type { ServerTls } from './server-tls.ts';
import { listenPrivately, socketPath } from './unix-socket.ts';
import { serveUpgrades } from './upgrades.ts';

export type { HttpServer, HttpServerDeps, HttpServerOptions } from './server-options.ts';

const DRAIN_MS = 5000;
const ALL_METHODS = ['GET', 'PUT', 'POST', 'DELETE', 'PATCH', 'HEAD', 'OPTIONS', 'TRACE'];
const ROUTED_METHODS: ReadonlySet<string> = new Set(ALL_METHODS);

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
  readonly #requests: RequestLog | undefined;
  readonly #handshakes: CounterMetric;
  readonly #stopping = new AbortController();
  readonly #dispatcher: Dispatcher;
  readonly #maxBodyBytes: number;
  /** Fixed paths whose bodies are collected. */
  readonly #direct = new Map<string, MountedPath>();
  /** Paths whose bodies are streamed. */
  readonly #streamed: ReadonlySet<string>;
  #tls: ServerTls | undefined;
  #listener: Server | undefined;
  #connections: Connections | undefined;
  #bound: { host: string; port: number } | undefined;

  constructor(deps: HttpServerDeps, options: HttpServerOptions) {
    this.name = options.name ?? 'http';
    this.#deps = deps;
    this.#options = options;
    this.#tls = options.tls;
    if (options.logsRequests) this.#requests = new RequestLog(deps);
    this.#maxBodyBytes = options.maxBodyBytes ?? 1024 * 1024;
    this.#streamed = new Set(options.routes.filter((route) => route.streamsBody).map((route) => route.path));
    this.#handshakes = deps.metrics.counter({
      name: 'lictor_http_tls_failures_total',
      help: 'TLS handshakes of HTTP clients that failed, by listener',
      labels: ['listener'],
    });
    this.#dispatcher = new Dispatcher(deps, {
      name: this.name,
      stopping: this.#stopping.signal,
      policy: options.policy,
      isRefused: (socket) => this.#isRefused(socket),
    });
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
    this.#bound = await bind(app, { ...this.#options, name: this.name });
    this.#deps.log.info('listening', { listener: this.name, host: this.#bound?.host, port: this.#bound?.port });
    ctx.ready();
    await aborted(ctx.signal);
    await this.#drain(app);
  }

  #createApp(): FastifyInstance {
    const app = fastify({
      logger: false,
      bodyLimit: this.#maxBodyBytes,
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
      if (this.#isRefused(request.socket)) return;
      if (this.#requests?.wanted()) this.#requests.follow(request, response);
      this.#dispatcher.followPolicy();
      if (request.rawHeaders.length >= 2 * MAX_HEADERS) {
        this.#refuse(request, response, { status: 431, text: TOO_MANY_HEADERS });
        return;
      }
      if (this.#dispatcher.answerAgain(request, response)) return;
      // Content types carry no meaning for Consul's API; a malformed one must not refuse the request.
      delete request.headers['content-type'];
      if (announcesBody(request)) {
        if (!isPlainEncoding(request)) {
          this.#refuse(request, response, { status: 501, text: 'Unsupported transfer encoding' });
          return;
        }
        this.#watch(request, response);
        if (this.#takeDirectly(request, response)) return;
      }
      // The framework refuses some methods in its own words before it looks for a route.
      if (!ROUTED_METHODS.has(request.method ?? '')) {
        rememberMethod(request);
        request.method = 'TRACE';
      }
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
    sendBeforeClosing(server, { tls: this.#tls !== undefined });
    serveUpgrades(server, this.#options.upgrades ?? [], {
      stopping: this.#stopping.signal,
      drainMs: this.#options.drainMs ?? DRAIN_MS,
      isRefused: (socket) => this.#isRefused(socket),
    });
    this.#listener = server;
    return server;
  }

  #isRefused(socket: Socket): boolean {
    return this.#connections?.isRefused(socket) ?? false;
  }

  /**
   * Routes a request with a body by itself where that takes no more than a look-up: most writes are to fixed paths. Whether
   * it did.
   */
  #takeDirectly(request: IncomingMessage, response: ServerResponse): boolean {
    const path = request.method === 'PUT' ? this.#direct.get(request.url ?? '') : undefined;
    if (!path || this.#stopping.signal.aborted) return false;
    collectBody(request, this.#maxBodyBytes, (body) => {
      // What was refused while it came is not carried out, whatever still comes of it.
      if (this.#isRefused(request.socket)) return;
      if (body) this.#dispatcher.dispatch(path, { raw: request, response, params: {}, body });
      else this.#refuse(request, response, errorResponse(this.#tooLarge()));
    });
    return true;
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
    this.#dispatcher.counts.count(request.method ?? 'GET', 'unknown', answer.status ?? 500);
    if (response.headersSent || response.destroyed) {
      socket.destroy();
      return;
    }
    // What is sent after it could be anything.
    this.#connections?.refuse(socket);
    closeWithLinger(this.#deps.clock, socket);
    // Once it is answered, Node does not tell who still reads the body that it has ended.
    socket.once('close', () => request.destroy(new AppError('deadline', 'the request was refused while it came')));
    respond(response, answer, {
      pretty: false,
      gzip: false,
      head: false,
      close: true,
      extra: this.#dispatcher.policy.headers,
    });
  }

  #mount(app: FastifyInstance): void {
    const paths = mountPaths(this.#options.routes);
    for (const path of paths) if (path.pattern === path.path && !path.streamsBody) this.#direct.set(path.path, path);
    const mount = (into: FastifyInstance, streamsBody: boolean) => {
      for (const path of paths.filter((one) => one.streamsBody === streamsBody)) {
        into.route({
          method: ALL_METHODS,
          url: path.pattern,
          handler: ({ raw, params, body }, reply) => {
            reply.hijack();
            this.#dispatcher.dispatch(path, {
              raw,
              response: reply.raw,
              params: params as Record<string, string>,
              body,
            });
          },
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
      reply.hijack();
      this.#dispatcher.answer(request.raw, reply.raw, notFound(request.raw.url ?? '/'), 'unknown');
    });
  }

  #redirect(path: string, request: FastifyRequest, reply: FastifyReply): void {
    const url = request.raw.url ?? path;
    const location = `${path}/${url.slice(path.length)}`;
    reply.hijack();
    this.#dispatcher.answer(request.raw, reply.raw, { status: 307, headers: { location } }, path);
  }

  /** Errors that arise before a route is reached: a body over its limit, a broken URL. */
  #frameworkError(error: unknown, reply: FastifyReply): void {
    const status = (error as { statusCode?: number }).statusCode ?? 500;
    if (!reply.sent) reply.hijack();
    const failure =
      status === 413
        ? this.#tooLarge()
        : new AppError(status < 500 ? 'badRequest' : 'internal', errorText(error), { cause: error });
    if (status >= 500) this.#deps.log.error('a request failed', { listener: this.name, err: error });
    // What is left of the body is not read: the connection cannot be used again.
    this.#refuse(reply.request.raw, reply.raw, errorResponse(failure));
  }

  #tooLarge(): AppError {
    return new AppError('tooLarge', `Request body too large, max size: ${this.#maxBodyBytes} bytes`);
  }

  /** New connections are refused, blocked queries are ended, answers under way get `drainMs`. */
  async #drain(app: FastifyInstance): Promise<void> {
    this.#stopping.abort();
    this.#dispatcher.stop();
    this.#connections?.closeUnfinished();
    const timer = this.#deps.clock.after(
      this.#options.drainMs ?? DRAIN_MS,
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

function noSchemas(): never {
  throw new AppError('internal', 'routes have no schemas');
}
