import { errorText } from '../core/errors.ts';
import type { ApiOptions } from './api-options.ts';

/** Verification errors of Node (its manual, "X509 certificate error codes") that a missing authority causes. */
const UNKNOWN_AUTHORITY = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);

/** Why an address could not be spoken to, in one line, and what to do about it. */
export function connectionAdvice(
  cause: unknown,
  options: Pick<ApiOptions, 'address' | 'clientCert'>,
): { reason: string; advice: string } {
  const code = (cause as { code?: unknown }).code;
  const reason = errorText(cause);
  const secure = options.address.startsWith('https:');
  if (UNKNOWN_AUTHORITY.has(String(code))) {
    return { reason, advice: 'give the authority of its certificate with -ca-file or CONSUL_CACERT' };
  }
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return {
      reason: reason.trim(),
      advice: 'give a name of its certificate with -tls-server-name or CONSUL_TLS_SERVER_NAME',
    };
  }
  if (code === 'CERT_HAS_EXPIRED') return { reason, advice: 'its agent needs a new certificate' };
  if (secure && /wrong version number|packet length too long/.test(reason)) {
    return {
      reason: 'it speaks no TLS',
      advice: `write ${options.address.replace('https:', 'http:')}, or the port for HTTPS`,
    };
  }
  if (
    secure &&
    options.clientCert === undefined &&
    /certificate required|handshake failure|other side closed/.test(reason)
  ) {
    const advice =
      'if it asks for a client certificate, give -client-cert and -client-key (CONSUL_CLIENT_CERT, CONSUL_CLIENT_KEY)';
    return { reason, advice };
  }
  if (!secure && code === 'UND_ERR_SOCKET') {
    return { reason, advice: 'if this is a port for HTTPS, write https:// or set CONSUL_HTTP_SSL=true' };
  }
  return { reason, advice: 'is an agent running there? Set -http-addr or CONSUL_HTTP_ADDR' };
}
