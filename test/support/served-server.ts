import { createHttpServer } from '../../api/http/server.ts';
import { SystemClock } from '../../core/clock.ts';
import { silentLogger } from '../../core/log.ts';
import { Metrics } from '../../core/metrics.ts';
import { RunningServer } from './running-server.ts';
import { started } from './started.ts';

export interface HttpAnswer {
  readonly status: number;
  readonly text: string;
  readonly index: number;
  header(name: string): string | null;
}

/** A composed server behind its real HTTP listener. */
export class ServedServer {
  readonly server: RunningServer;
  readonly origin: string;
  readonly #stop: () => Promise<void>;

  constructor(server: RunningServer, origin: string, stop: () => Promise<void>) {
    this.server = server;
    this.origin = origin;
    this.#stop = stop;
  }

  static async start(): Promise<ServedServer> {
    const server = await RunningServer.start();
    const http = createHttpServer(
      { clock: new SystemClock(), log: silentLogger, metrics: new Metrics() },
      { routes: server.composed.routes, host: '127.0.0.1', port: 0, drainMs: 100 },
    );
    const stop = await started(http);
    return new ServedServer(server, `http://127.0.0.1:${http.address().port}`, async () => {
      await stop();
      await server.stop();
    });
  }

  stop(): Promise<void> {
    return this.#stop();
  }

  /** `line`: method and path. Errors are answers here. */
  async call(line: string, body?: unknown): Promise<HttpAnswer> {
    const [method, path] = line.split(' ') as [string, string];
    const response = await fetch(this.origin + path, {
      method,
      body: body === undefined ? null : JSON.stringify(body),
    });
    return {
      status: response.status,
      text: await response.text(),
      index: Number(response.headers.get('x-consul-index') ?? 0),
      header: (name) => response.headers.get(name),
    };
  }

  async json<T>(path: string): Promise<T> {
    const { status, text } = await this.call(`GET ${path}`);
    if (status !== 200) throw new Error(`${path}: ${status} ${text}`);
    return JSON.parse(text) as T;
  }

  /** A write that has to succeed. */
  async put(path: string, body: unknown): Promise<void> {
    const { status, text } = await this.call(`PUT ${path}`, body);
    if (status !== 200) throw new Error(`${path}: ${status} ${text}`);
  }
}
