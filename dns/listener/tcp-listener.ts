import { createServer, type Server, type Socket } from 'node:net';
import type { Clock, Timer } from '../../core/clock.ts';
import type { Logger } from '../../core/log.ts';
import type { CounterMetric, GaugeMetric, Metrics } from '../../core/metrics.ts';
import type { ListenerOptions } from '../dns-options.ts';
import type { Responder } from '../responder.ts';
import { TcpConnection } from './tcp-connection.ts';

/** How often deadlines of connections are looked at: they are seconds long, a timer for each would be waste. */
const SWEEP_MS = 1_000;

/** Serves DNS over TCP (RFC 7766) with a bounded number of connections. */
export class TcpListener {
  readonly #server: Server;
  readonly #connections = new Set<TcpConnection>();
  readonly #deps: { responder: Responder; clock: Clock; log: Logger };
  readonly #options: ListenerOptions;
  readonly #refused: CounterMetric;
  readonly #open: GaugeMetric;
  #sweep: Timer | undefined;
  #emptied: () => void = () => {};

  constructor(deps: { responder: Responder; clock: Clock; log: Logger; metrics: Metrics }, options: ListenerOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#refused = deps.metrics.counter({
      name: 'lictor_dns_tcp_refused_total',
      help: 'DNS connections closed at once because there were too many.',
    });
    this.#open = deps.metrics.gauge({ name: 'lictor_dns_tcp_connections', help: 'Open DNS connections.' });
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.#accept(socket));
  }

  /** Starts listening; gives the port. Rejects with the system's error. */
  listen(host: string, port: number): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen({ host, port, exclusive: true }, () => {
        this.#server.off('error', reject);
        this.#server.on('error', (error) => this.#deps.log.error('the DNS TCP socket failed', { err: error }));
        this.#armSweep();
        resolve((this.#server.address() as { port: number }).port);
      });
    });
  }

  /** Accepts nothing more, lets connections finish what is in work, and closes them after `graceMs` at the latest. */
  async close(graceMs: number): Promise<void> {
    this.#sweep?.cancel();
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    if (this.#connections.size > 0) {
      const grace = new AbortController();
      const emptied = new Promise<void>((resolve) => {
        this.#emptied = resolve;
      });
      for (const connection of this.#connections) connection.finish();
      await Promise.race([emptied, this.#deps.clock.sleep(graceMs, grace.signal)]);
      grace.abort();
      for (const connection of this.#connections) connection.destroy();
    }
    await closed;
  }

  #accept(socket: Socket): void {
    if (this.#connections.size >= this.#options.maxTcpConnections && !this.#closeLongestIdle()) {
      this.#refused.add();
      socket.on('error', () => {});
      socket.destroy();
      return;
    }
    const connection = new TcpConnection({ ...this.#deps, socket }, this.#options);
    this.#connections.add(connection);
    this.#open.set(this.#connections.size);
    socket.on('close', () => {
      this.#connections.delete(connection);
      this.#open.set(this.#connections.size);
      if (this.#connections.size === 0) this.#emptied();
    });
  }

  /** Makes room by closing the connection that has been without work for the longest time (RFC 7766 section 6.2.3). */
  #closeLongestIdle(): boolean {
    let longest: TcpConnection | undefined;
    for (const connection of this.#connections) {
      const since = connection.idleSince;
      if (since !== undefined && since < (longest?.idleSince ?? Number.POSITIVE_INFINITY)) longest = connection;
    }
    if (!longest) return false;
    this.#connections.delete(longest);
    longest.destroy();
    return true;
  }

  #armSweep(): void {
    this.#sweep = this.#deps.clock.after(SWEEP_MS, () => {
      for (const connection of this.#connections) connection.checkDeadlines();
      this.#armSweep();
    });
  }
}
