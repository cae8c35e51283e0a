/** Codes of the system; a connection that was there may end with the same ones. */
const NOT_CONNECTED: ReadonlySet<string> = new Set(['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH']);
/** Codes of Node and undici. */
const NOT_SENT: ReadonlySet<string> = new Set([
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
  const { code, syscall } = (error ?? {}) as { code?: unknown; syscall?: unknown };
  if (typeof code !== 'string') return false;
  return NOT_SENT.has(code) || HANDSHAKE.test(code) || (NOT_CONNECTED.has(code) && syscall === 'connect');
}
