import type { IncomingMessage, RequestListener, Server } from 'node:http';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https';
import type { TLSSocket } from 'node:tls';
import { errorText } from '../../core/errors.ts';
import { createServer } from '../../core/node-http.ts';
import { contextOptions, type ServerTls } from './server-tls.ts';
import { type Upgrade, upgradeOf } from './upgrades.ts';

export interface ListenerOptions {
  /** Plain when not given. */
  readonly tls?: ServerTls | undefined;
  /** Time for a TLS handshake; 5 s when not given (Consul's https_handshake_timeout). */
  readonly handshakeTimeoutMs?: number | undefined;
  /** Time to receive the headers; 10 s when not given. */
  readonly headersTimeoutMs?: number | undefined;
  /** Of a request's line and headers; 64 KiB when not given. More is answered 431. */
  readonly maxHeaderBytes?: number | undefined;
  /** Other protocols that connections may turn to; who asks for any other one is answered by HTTP. */
  readonly upgrades?: readonly Upgrade[] | undefined;
}

/** Beyond this the parser leaves headers out: such a request is refused. */
export const MAX_HEADERS = 1_000;
/** Above the 90 s of Go's default transport: the client closes first and never meets a closed connection. */
export const KEEP_ALIVE_MS = 120_000;
export const DEFAULT_HEADER_BYTES = 64 * 1024;

/** Hears of handshakes that fail: whose, and why. */
export type OnTlsFailure = (remoteAddress: string, reason: string) => void;

/** Node's server, with or without TLS, and the time limits of its connections. */
export function createListener(options: ListenerOptions, handler: RequestListener, onTlsFailure: OnTlsFailure): Server {
  const limits = {
    headersTimeout: options.headersTimeoutMs ?? 10_000,
    // Bodies have their own watch, since archives take as long as they take (body-watch.ts).
    requestTimeout: 0,
    // How late a connection may be found that was too slow.
    connectionsCheckingInterval: 1_000,
    keepAliveTimeout: KEEP_ALIVE_MS,
    maxHeaderSize: options.maxHeaderBytes ?? DEFAULT_HEADER_BYTES,
  };
  const { tls, upgrades = [] } = options;
  if (upgrades.length > 0) {
    Object.assign(limits, {
      shouldUpgradeCallback: (asked: IncomingMessage) => upgradeOf(asked, upgrades) !== undefined,
    });
  }
  if (!tls) return counted(createServer(limits, handler));
  const server = createTlsServer(
    {
      ...limits,
      ...contextOptions(tls),
      handshakeTimeout: options.handshakeTimeoutMs ?? 5_000,
      requestCert: tls.verifyClients,
      rejectUnauthorized: tls.verifyClients,
    },
    handler,
  );
  server.on('tlsClientError', (error: Error, socket: TLSSocket) => {
    onTlsFailure(socket.remoteAddress ?? '', reasonOf(error, socket));
  });
  // A subclass of the same class in all that is used here.
  return counted(server as unknown as Server);
}

function counted(server: Server): Server {
  server.maxHeadersCount = MAX_HEADERS;
  return server;
}

/** Connections to come use this; those that are open keep what they have. Sessions of before cannot be resumed. */
export function replaceTls(listener: Server, tls: ServerTls): void {
  const server = listener as unknown as TlsServer & { requestCert: boolean; rejectUnauthorized: boolean };
  server.setSecureContext(contextOptions(tls));
  // Node reads both for each connection (node:tls, `tlsConnectionListener`); setSecureContext does not take them.
  server.requestCert = tls.verifyClients;
  server.rejectUnauthorized = tls.verifyClients;
}

/** A client's certificate that was not accepted ends as a broken connection; why is known only here. */
function reasonOf(error: Error, socket: TLSSocket): string {
  return socket.authorizationError ? `its certificate was refused: ${socket.authorizationError}` : errorText(error);
}
