/** What the system was doing when it failed: there was no connection yet. The same codes may end one that was there. */
const CONNECTING: ReadonlySet<unknown> = new Set(['connect', 'getaddrinfo']);
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
  const { code, syscall, errors } = (error ?? {}) as { code?: unknown; syscall?: unknown; errors?: unknown };
  // One failure for each address of a name.
  if (Array.isArray(errors) && errors.length > 0) return errors.every(wasNotSent);
  if (typeof code !== 'string') return false;
  return NOT_SENT.has(code) || HANDSHAKE.test(code) || CONNECTING.has(syscall);
}
