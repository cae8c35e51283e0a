import { AppError } from '../../core/errors.ts';

export const DEFAULT_PORT = 2379;

/** A member of etcd as grpc-js wants it, e.g. `10.0.0.1:2379` or `[::1]:2379`. */
export interface Endpoint {
  readonly target: string;
  /** Without port and brackets. */
  readonly host: string;
  readonly tls: boolean;
}

/**
 * Reads endpoints such as `https://etcd-0.etcd:2379`, `http://127.0.0.1:2379` or `etcd-0:2379` (which is https when TLS is
 * configured).
 * @throws AppError `config` naming the endpoint that is wrong.
 */
export function parseEndpoints(endpoints: readonly string[], tlsConfigured: boolean): Endpoint[] {
  if (endpoints.length === 0)
    throw new AppError('config', 'etcd needs at least one endpoint, e.g. http://127.0.0.1:2379');
  const parsed = endpoints.map((endpoint) => parseEndpoint(endpoint, tlsConfigured));
  const plain = parsed.findIndex((endpoint) => !endpoint.tls);
  if (tlsConfigured && plain >= 0) {
    throw new AppError(
      'config',
      `etcd endpoint ${endpoints[plain]} is http, but a certificate or CA for etcd is given`,
    );
  }
  return parsed;
}

function parseEndpoint(text: string, tlsConfigured: boolean): Endpoint {
  const wrong = (why: string): AppError =>
    new AppError('config', `etcd endpoint ${JSON.stringify(text)} ${why}; right is e.g. https://etcd-0.etcd:2379`);
  const full = text.includes('://') ? text : `${tlsConfigured ? 'https' : 'http'}://${text}`;
  if (!URL.canParse(full)) throw wrong('is not a URL');
  const url = new URL(full);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') throw wrong('must begin with http:// or https://');
  if (url.username || url.password) throw wrong('must not have a user or password');
  if ((url.pathname !== '/' && url.pathname !== '') || url.search || url.hash) throw wrong('must not have a path');
  if (url.hostname === '') throw wrong('has no host');
  // URL leaves out the default port of its scheme: it must have been written.
  const schemePort = url.protocol === 'https:' ? '443' : '80';
  const port =
    url.port || (full.endsWith(`:${schemePort}`) || full.endsWith(`:${schemePort}/`) ? schemePort : DEFAULT_PORT);
  return {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    target: `${url.hostname}:${port}`,
    tls: url.protocol === 'https:',
  };
}
