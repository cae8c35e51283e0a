/** Codes of Node and undici. */
const NOT_SENT: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EPROTO',
  'UND_ERR_CONNECT_TIMEOUT',
  // The connections were closed before it could be sent.
  'UND_ERR_CLOSED',
]);
/** Of a handshake: its certificate, or ours, was refused. */
const HANDSHAKE = /^(CERT_|ERR_TLS_|ERR_SSL_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_)/;

/** Whether a request failed before anything of it can have been taken by the other side: it may be repeated. */
export function wasNotSent(error: unknown): boolean {
  const { code } = (error ?? {}) as { code?: unknown };
  return typeof code === 'string' && (NOT_SENT.has(code) || HANDSHAKE.test(code));
}
