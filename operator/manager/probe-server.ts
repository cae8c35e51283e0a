import { AppError, errorText } from '../../core/errors.ts';
import { aborted, type RunContext, type Runnable } from '../../core/lifecycle.ts';
import type { Metrics } from '../../core/metrics.ts';
import { createServer } from '../../core/node-http.ts';

export interface ProbeServerOptions {
  readonly host: string;
  /** 0 = any free one. */
  readonly port: number;
}

interface ProbeAnswer {
  readonly status: number;
  readonly text: string;
}

/** Answers /healthz (the process works), /readyz (it knows its world) and /metrics (Prometheus text). */
export class ProbeServer implements Runnable {
  readonly name = 'probes and metrics';
  readonly #deps: { metrics: Pick<Metrics, 'text'>; notReady: () => string | undefined };
  readonly #options: ProbeServerOptions;
  #port = 0;

  /** `notReady` gives the reason as a sentence, or undefined when ready. */
  constructor(
    deps: { metrics: Pick<Metrics, 'text'>; notReady: () => string | undefined },
    options: ProbeServerOptions,
  ) {
    this.#deps = deps;
    this.#options = options;
  }

  /** The port listened on, once ready. */
  get port(): number {
    return this.#port;
  }

  async run(ctx: RunContext): Promise<void> {
    const server = createServer({ requestTimeout: 10_000, headersTimeout: 5_000 }, (request, response) => {
      const send = ({ status, text }: ProbeAnswer): void => {
        response.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8' });
        response.end(text);
      };
      const failed = (error: unknown) => ({ status: 500, text: `the answer could not be made: ${errorText(error)}\n` });
      void this.#answer(request.url ?? '')
        .catch(failed)
        .then(send);
    });
    server.maxConnections = 64;
    const { host, port } = this.#options;
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error: NodeJS.ErrnoException) => {
        const taken = error.code === 'EADDRINUSE';
        const text = taken ? 'is in use; choose another with --metrics-addr' : `cannot be listened on (${error.code})`;
        reject(new AppError(taken ? 'addressInUse' : 'config', `${host}:${port} ${text}`));
      });
      server.listen(port, host, resolve);
    });
    this.#port = (server.address() as { port: number }).port;
    ctx.ready();
    await aborted(ctx.signal);
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }

  async #answer(url: string): Promise<ProbeAnswer> {
    const [path] = url.split('?');
    if (path === '/healthz') return { status: 200, text: 'ok\n' };
    if (path === '/metrics') return { status: 200, text: await this.#deps.metrics.text() };
    if (path !== '/readyz') return { status: 404, text: 'use /healthz, /readyz or /metrics\n' };
    const reason = this.#deps.notReady();
    return reason === undefined ? { status: 200, text: 'ok\n' } : { status: 503, text: `${reason}\n` };
  }
}
