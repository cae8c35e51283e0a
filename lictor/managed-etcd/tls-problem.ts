import { errorText } from '../../core/errors.ts';

/** Verification errors of Node (its manual, "X509 certificate error codes") of an authority that is not ours. */
const OTHER_AUTHORITY = new Set([
  'CERT_SIGNATURE_FAILURE',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);

/** What TLS has to do with a call that failed and what to do; undefined when it has nothing to do with it. */
export function tlsProblem(cause: unknown, secure: boolean): string | undefined {
  const { code = '' } = (cause ?? {}) as { code?: string };
  const text = errorText(cause);
  const closed = code === 'UND_ERR_SOCKET' || code === 'ECONNRESET' || code === 'EPIPE';
  if (!secure) {
    return closed || /parse/i.test(text)
      ? 'it closed the connection: if it speaks TLS alone, give this server tls.internal_rpc as the others have it'
      : undefined;
  }
  if (OTHER_AUTHORITY.has(code)) {
    return 'its certificate is of no authority that this server trusts: give all servers certificates of those in tls.internal_rpc.ca_file or ca_path';
  }
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID')
    return 'its certificate is not for the name that verify_server_hostname asks for: renew tls.internal_rpc.cert_file there';
  if (code === 'CERT_HAS_EXPIRED' || code === 'CERT_NOT_YET_VALID')
    return 'its certificate does not count now: renew tls.internal_rpc.cert_file there, or set the clocks';
  if (/wrong version number|packet length too long|http request/i.test(text))
    return 'it speaks no TLS: give it tls.internal_rpc as this server has it';
  if (/alert|certificate required/i.test(text) || closed) {
    return 'it ended the handshake: it may not trust the certificate in tls.internal_rpc.cert_file of this server; give all servers certificates of one authority';
  }
  return undefined;
}
