import type { ClientTls } from '../../api/http/client-tls.ts';
import type { ServerTls } from '../../api/http/server-tls.ts';
import type { Clock } from '../../core/clock.ts';
import { AppError } from '../../core/errors.ts';
import type { Runnable } from '../../core/lifecycle.ts';
import type { Logger } from '../../core/log.ts';
import type { Metrics } from '../../core/metrics.ts';
import type { AgentConfig, ConfigReloads } from '../config.ts';
import { CertificateWatch, type Served } from './certificate-watch.ts';
import { readClientTls, readServerCertificate, type TlsFiles } from './server-certificate.ts';

export interface RpcTlsDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly files: TlsFiles;
  readonly reloads?: ConfigReloads | undefined;
}

interface Read {
  readonly served: Served | undefined;
  readonly outgoing: ClientTls | undefined;
}

/** TLS between agents and servers and among servers, kept in step with the configuration and its files. */
export class RpcTls {
  /** What servers are spoken to with now; undefined when they are spoken to in the clear. */
  readonly outgoing: (() => ClientTls) | undefined;
  readonly #deps: RpcTlsDeps;
  #current: Read;
  #listener: { setTls(tls: ServerTls): void } | undefined;
  #watch: CertificateWatch | undefined;

  /** @throws AppError `config` for certificates and keys that cannot be used. */
  constructor(deps: RpcTlsDeps, config: AgentConfig) {
    this.#deps = deps;
    this.#current = this.#read(config);
    this.outgoing = this.#current.outgoing && (() => this.#current.outgoing!);
    deps.reloads?.add((next) => {
      const changed = this.#read(next);
      for (const part of ['served', 'outgoing'] as const) {
        if ((changed[part] === undefined) === (this.#current[part] === undefined)) continue;
        throw new AppError('config', 'tls.internal_rpc: TLS goes on or off with a restart of the agent only');
      }
      return () => {
        this.#current = changed;
        if (changed.served) this.#listener?.setTls(changed.served.certificate.tls);
        this.#watch?.look();
      };
    });
  }

  /** What the servers' own port begins with; undefined when it is served in the clear. */
  get served(): ServerTls | undefined {
    return this.#current.served?.certificate.tls;
  }

  /** From now on this listener, which began with `served`, is given what replaces it. */
  attach(listener: { setTls(tls: ServerTls): void }): void {
    this.#listener = listener;
  }

  /** As `attach`. What is given watches over the certificate. */
  keep(listener: { setTls(tls: ServerTls): void }): Runnable[] {
    if (!this.#current.served) return [];
    this.attach(listener);
    this.#watch = new CertificateWatch(this.#deps, () => this.#current.served!, 'server');
    return [this.#watch];
  }

  #read(config: AgentConfig): Read {
    const { files } = this.#deps;
    const { mode, ports } = config;
    const settings = config.tls.internalRpc;
    const serves = mode !== 'client' && ports.server >= 0 && (settings.verifyIncoming || settings.verifyOutgoing);
    return {
      served: serves ? { settings, certificate: readServerCertificate(settings, files) } : undefined,
      // Servers call each other at the ports that they serve.
      outgoing: settings.verifyOutgoing || serves ? readClientTls(settings, rpcServerName(config), files) : undefined,
    };
  }
}

/** The name that every server's certificate must be for; undefined when the signature of an authority is enough. */
export function rpcServerName({ tls: { internalRpc }, datacenter, dns: { domain } }: AgentConfig): string | undefined {
  return internalRpc.verifyServerHostname ? `server.${datacenter}.${domain}` : undefined;
}
