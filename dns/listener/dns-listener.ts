import { isIP } from 'node:net';
import type { Clock } from '../../core/clock.ts';
import { AppError, errorText } from '../../core/errors.ts';
import { aborted, type RunContext, type Runnable } from '../../core/lifecycle.ts';
import type { Logger } from '../../core/log.ts';
import type { Metrics } from '../../core/metrics.ts';
import { type ListenerOptions, listenerOptions } from '../dns-options.ts';
import type { Responder } from '../responder.ts';
import { TcpListener } from './tcp-listener.ts';
import { UdpListener } from './udp-listener.ts';

export interface DnsListenerDeps {
  readonly responder: Responder;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
}

/** Where to listen. */
export interface DnsListenerOptions extends Partial<ListenerOptions> {
  readonly host: string;
  readonly port: number;
}

/** A runnable that can say where it listens. */
export interface Listening extends Runnable {
  /** The port is the real one, even when 0 was asked for. @throws AppError `unavailable` before it is ready. */
  address(): { readonly host: string; readonly port: number };
}

/** Free TCP ports whose UDP twin is taken are rare; so many in a row mean something else. */
const PORT_ATTEMPTS = 20;
/** Longer than a lookup may take, so that every question in work gets its answer. */
const DRAIN_MS = 3_000;

/**
 * UDP and TCP on one port. `run` rejects with `addressInUse` or `config` when the port cannot be had; when stopped, it
 * answers what is in work before it closes.
 */
export function createDnsListener(deps: DnsListenerDeps, options: DnsListenerOptions): Listening {
  return new DnsListener(deps, options);
}

interface Sockets {
  readonly udp: UdpListener;
  readonly tcp: TcpListener;
  readonly port: number;
}

class DnsListener implements Listening {
  readonly name = 'dns';
  readonly #deps: DnsListenerDeps;
  readonly #host: string;
  readonly #port: number;
  readonly #options: ListenerOptions;
  #bound: number | undefined;

  constructor(deps: DnsListenerDeps, options: DnsListenerOptions) {
    this.#deps = deps;
    this.#host = options.host;
    this.#port = options.port;
    this.#options = listenerOptions(options);
  }

  address(): { host: string; port: number } {
    if (this.#bound === undefined) throw new AppError('unavailable', 'the DNS server does not listen yet');
    return { host: this.#host, port: this.#bound };
  }

  async run(ctx: RunContext): Promise<void> {
    const { udp, tcp, port } = await this.#open();
    this.#bound = port;
    this.#deps.log.info('DNS is listening', { host: this.#host, port });
    ctx.ready();
    await aborted(ctx.signal);
    await Promise.all([udp.close(DRAIN_MS), tcp.close(DRAIN_MS)]);
    this.#bound = undefined;
  }

  async #open(): Promise<Sockets> {
    if (isIP(this.#host) === 0) {
      throw new AppError('config', `DNS: addresses.dns "${this.#host}" is no IP address; write one like 127.0.0.1`, {
        facts: { field: 'addresses.dns' },
      });
    }
    for (let attempt = 1; ; attempt++) {
      const tcp = new TcpListener(this.#deps, this.#options);
      const port = await tcp.listen(this.#host, this.#port).catch((error) => this.#fail('tcp', error));
      const udp = new UdpListener(this.#deps, { ...this.#options, host: this.#host });
      try {
        await udp.listen(this.#host, port);
        return { udp, tcp, port };
      } catch (error) {
        await Promise.all([tcp.close(0), udp.close(0)]);
        const mayRetry = this.#port === 0 && attempt < PORT_ATTEMPTS && codeOf(error) === 'EADDRINUSE';
        if (!mayRetry) return this.#fail('udp', error);
      }
    }
  }

  #fail(protocol: 'udp' | 'tcp', error: unknown): never {
    const where = `${this.#host} port ${this.#port}/${protocol}`;
    const facts = { field: 'ports.dns', host: this.#host, port: this.#port };
    switch (codeOf(error)) {
      case 'EADDRINUSE':
        throw new AppError(
          'addressInUse',
          `DNS: ${where} is taken by another process; stop it or choose another port with -dns-port (ports.dns)`,
          {
            facts,
            cause: error,
          },
        );
      case 'EACCES':
        throw new AppError(
          'config',
          `DNS: no right to listen on ${where}; choose a port from 1024 on with -dns-port (ports.dns)`,
          {
            facts,
            cause: error,
          },
        );
      case 'EADDRNOTAVAIL':
        throw new AppError('config', `DNS: ${this.#host} is no address of this machine; choose another addresses.dns`, {
          facts,
          cause: error,
        });
      default:
        throw new AppError('internal', `DNS: cannot listen on ${where}: ${errorText(error)}`, { facts, cause: error });
    }
  }
}

/** The system's name of an error (EADDRINUSE, …). */
function codeOf(error: unknown): unknown {
  return (error as { code?: unknown } | null | undefined)?.code;
}
