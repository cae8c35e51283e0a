import type { Clock } from '../../core/clock.ts';
import type { Runnable } from '../../core/lifecycle.ts';
import type { Logger } from '../../core/log.ts';
import type { Metrics } from '../../core/metrics.ts';
import type { BodyLimits } from './body-watch.ts';
import type { HttpPolicy } from './http-policy.ts';
import type { ListenerOptions } from './listener.ts';
import type { RequestTimings } from './request-timings.ts';
import type { Route } from './route.ts';
import type { ServerTls } from './server-tls.ts';
import type { SocketFileOptions } from './unix-socket.ts';
import type { Upgrade } from './upgrades.ts';

export interface HttpServerDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** Hears how long each answer took, until its first byte. */
  readonly timings?: RequestTimings | undefined;
}

export interface HttpServerOptions extends ListenerOptions {
  readonly routes: readonly Route[];
  /** Other protocols that connections may turn to. */
  readonly upgrades?: readonly Upgrade[];
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
  /** Whether each request is told of at `debug` when it has ended. */
  readonly logsRequests?: boolean;
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
