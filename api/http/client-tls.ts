import type { buildConnector } from 'undici';
import { contextOptions, type ServerTls } from './server-tls.ts';

/** What a client of the servers' own port needs for TLS; all of it may change while it runs, for connections to come. */
export interface ClientTls extends Pick<ServerTls, 'ca' | 'minVersion' | 'cipherSuites'> {
  /** PEM: what is shown to servers that verify their clients; given with `key` or not at all. */
  readonly cert?: string;
  readonly key?: string;
  /** What a server's certificate must be for; undefined when the authority's signature is enough. */
  readonly serverName: string | undefined;
}

/**
 * Makes connections with the settings as they are when each begins.
 * @param build undici's; given, because not every process that may call servers loads undici.
 */
export function tlsConnector(
  build: typeof buildConnector,
  current: () => ClientTls,
  options: { readonly timeoutMs: number },
): buildConnector.connector {
  let made: { readonly from: ClientTls; readonly connect: buildConnector.connector } | undefined;
  return (target, done) => {
    const tls = current();
    // Sessions belong to the settings that they were begun with: a new authority must see the certificate.
    if (made?.from !== tls) {
      const verify = tls.serverName === undefined ? { checkServerIdentity: () => undefined } : {};
      made = { from: tls, connect: build({ ...contextOptions(tls), ...verify, timeout: options.timeoutMs }) };
    }
    made.connect(tls.serverName === undefined ? target : { ...target, servername: tls.serverName }, done);
  };
}
