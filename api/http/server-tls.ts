import type { SecureContextOptions } from 'node:tls';

/** What a listener needs for TLS; all of it may change while it runs, for connections to come. */
export interface ServerTls {
  /** PEM: the certificate and those that lead to its root. */
  readonly cert: string;
  /** PEM, not encrypted. */
  readonly key: string;
  /** PEM: whose certificates clients may show. Never empty when clients are verified. */
  readonly ca: readonly string[];
  /** Whether a client must show a certificate that one of `ca` has signed. */
  readonly verifyClients: boolean;
  readonly minVersion: 'TLSv1' | 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3';
  /** OpenSSL's names of suites up to TLS 1.2; the runtime's own choice when empty. */
  readonly cipherSuites: readonly string[];
}

/** Of TLS 1.3, which are not chosen: a list without them would switch TLS 1.3 off. */
const SUITES_1_3 = 'TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256';

/** The options of Node's secure context. */
export function contextOptions(
  tls: Pick<ServerTls, 'ca' | 'minVersion' | 'cipherSuites'> & Partial<Pick<ServerTls, 'cert' | 'key'>>,
): SecureContextOptions {
  const chosen = tls.cipherSuites.length > 0 ? `${SUITES_1_3}:${tls.cipherSuites.join(':')}` : undefined;
  // OpenSSL 3 has versions below 1.2 at its lowest security level only (its manual, "SSL_CTX_set_security_level").
  const old = tls.minVersion === 'TLSv1' || tls.minVersion === 'TLSv1.1';
  const ciphers = old ? `${chosen ?? 'DEFAULT'}:@SECLEVEL=0` : chosen;
  return {
    ...(tls.cert === undefined ? {} : { cert: tls.cert, key: tls.key }),
    minVersion: tls.minVersion,
    ...(tls.ca.length > 0 ? { ca: [...tls.ca] } : {}),
    ...(ciphers === undefined ? {} : { ciphers }),
  };
}
