import { DEFAULT_POLICY, type HttpPolicy } from '../api/http/http-policy.ts';
import type { RequestTimings } from '../api/http/request-timings.ts';
import type { Route } from '../api/http/route.ts';
import { createHttpServer, type HttpServer } from '../api/http/server.ts';
import type { Clock } from '../core/clock.ts';
import type { Runnable } from '../core/lifecycle.ts';
import type { Logger } from '../core/log.ts';
import type { Metrics } from '../core/metrics.ts';
import { blockListOf } from './config/http.ts';
import type { AgentConfig, ConfigReloads } from './config.ts';
import { socketOwner } from './socket-owner.ts';
import { CertificateWatch, type Served } from './tls/certificate-watch.ts';
import { readServerCertificate, type TlsFiles } from './tls/server-certificate.ts';

export interface HttpListenersDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly timings: RequestTimings;
  /** Certificates and keys. */
  readonly files: TlsFiles;
  readonly reloads?: ConfigReloads | undefined;
}

/** Where an agent serves its API: of several addresses the first; undefined what its configuration switches off. */
export interface HttpListeners {
  readonly http: HttpServer | undefined;
  readonly https: HttpServer | undefined;
  /** All of them, and what watches over the certificate. */
  readonly members: readonly Runnable[];
}

/**
 * The HTTP and HTTPS listeners of an agent over the same routes, kept in step with its configuration.
 * @throws AppError `config` for certificates and keys that cannot be served.
 */
export function agentHttpListeners(
  config: AgentConfig,
  deps: HttpListenersDeps,
  routes: readonly Route[],
): HttpListeners {
  const current = () => deps.reloads?.current ?? config;
  let policy = httpPolicy(config);
  deps.reloads?.add((next) => {
    const changed = httpPolicy(next);
    return () => {
      policy = changed;
    };
  });
  const shared = {
    routes,
    maxConnectionsPerClient: () => current().maxConnectionsPerClient,
    maxHeaderBytes: config.maxHeaderBytes,
    socketFile: socketOwner(config.unixSockets, deps.files.readFile),
    policy: () => policy,
    logsRequests: true,
  };
  const { ports, addresses } = config;
  const plain = (host: string) => createHttpServer(deps, { ...shared, host, port: ports.http, portFlag: '-http-port' });
  const unencrypted = ports.http < 0 ? [] : addresses.http.map(plain);
  const [http] = unencrypted;
  if (ports.https < 0 || config.tls.https.certFile === '') return { http, https: undefined, members: unencrypted };
  const read = (from: AgentConfig): Served => {
    const settings = from.tls.https;
    return { settings, certificate: readServerCertificate(settings, deps.files) };
  };
  let served = read(config);
  const encrypted = addresses.https.map((host) =>
    createHttpServer(deps, {
      ...shared,
      name: 'https',
      host,
      port: ports.https,
      portFlag: '-https-port',
      tls: served.certificate.tls,
      handshakeTimeoutMs: config.httpsHandshakeTimeoutMs,
    }),
  );
  const watch = new CertificateWatch(deps, () => served);
  deps.reloads?.add((next) => {
    const changed = read(next);
    return () => {
      served = changed;
      for (const https of encrypted) https.setTls(changed.certificate.tls);
      watch.look();
    };
  });
  return { http, https: encrypted[0], members: [...unencrypted, ...encrypted, watch] };
}

/** What an agent's configuration says of requests to its API. */
export function httpPolicy({ http, mode }: Pick<AgentConfig, 'http' | 'mode'>): HttpPolicy {
  const networks = blockListOf(http.allowWriteFrom, 'http_config.allow_write_http_from');
  const headers = Object.entries(http.responseHeaders).map(([name, value]) => [name.toLowerCase(), value]);
  if (http.translateWanAddresses) headers.push(['x-consul-translate-addresses', 'true']);
  return {
    ...DEFAULT_POLICY,
    blockedPrefixes: http.blockEndpoints,
    headers: Object.fromEntries(headers),
    // Who reaches a socket file is on this machine.
    mayWrite:
      http.allowWriteFrom.length === 0
        ? DEFAULT_POLICY.mayWrite
        : (address) => networks.check(address || '127.0.0.1', address.includes(':') ? 'ipv6' : 'ipv4'),
    useCache: http.useCache,
    defaultQueryMs: http.defaultQueryMs,
    maxQueryMs: http.maxQueryMs,
    discoveryMaxStaleMs: http.discoveryMaxStaleMs,
    pretty: mode === 'dev',
  };
}
