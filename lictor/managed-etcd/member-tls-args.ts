import type { MemberTlsFiles } from './member-tls.ts';

/** Flags that narrow TLS. An etcd that runs without them has its own choice. */
export const NARROWING_FLAGS = ['--tls-min-version', '--cipher-suites'] as const;

/** Go serves HTTP/2 with one of these alone (RFC 9113 section 9.2.2). */
const OF_HTTP_2 = ['TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256', 'TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256'];

/**
 * What an etcd is started with. Whom the peer port and the client port take is verified by certificates. No name is asked
 * for at the client port: the JSON gateway behind it, which calls etcd with etcd's own certificate, would be refused.
 */
export function tlsArgs(tls: MemberTlsFiles, flags: ReadonlySet<string>): string[] {
  const { caFile, certFile, keyFile, peerName, cipherSuites } = tls;
  return [
    ...['--cert-file', certFile, '--key-file', keyFile, '--trusted-ca-file', caFile, '--client-cert-auth'],
    ...['--peer-cert-file', certFile, '--peer-key-file', keyFile, '--peer-trusted-ca-file', caFile],
    '--peer-client-cert-auth',
    ...(peerName === undefined ? [] : ['--peer-cert-allowed-hostname', peerName]),
    // Etcd has no version before 1.2.
    ...(only13(tls) && flags.has('--tls-min-version') ? ['--tls-min-version', 'TLS1.3'] : []),
    ...(choosesSuites(tls) && servesHttp2(tls) ? ['--cipher-suites', cipherSuites.join(',')] : []),
  ];
}

/** What the configuration asks of TLS and etcd's ports do not do, one line each. */
export function tlsShortfalls(tls: MemberTlsFiles, flags: ReadonlySet<string>): string[] {
  const lines: string[] = [];
  if (only13(tls) && !flags.has('--tls-min-version')) {
    lines.push(
      'tls.internal_rpc.tls_min_version: this etcd cannot be told a version, so its ports take TLS 1.2, too; use one with --tls-min-version, such as etcd 3.6',
    );
  }
  if (choosesSuites(tls) && !servesHttp2(tls)) {
    lines.push(
      `tls.internal_rpc.tls_cipher_suites: etcd serves HTTP/2 and needs one of ${OF_HTTP_2.join(', ')} among them, so its ports take suites of its own choice; add one of these`,
    );
  }
  return lines;
}

function only13({ minVersion }: MemberTlsFiles): boolean {
  return minVersion === 'TLSv1.3';
}

/** The suites of TLS 1.3 are not chosen, and etcd refuses others beside it. */
function choosesSuites(tls: MemberTlsFiles): boolean {
  return tls.cipherSuites.length > 0 && !only13(tls);
}

function servesHttp2({ cipherSuites }: MemberTlsFiles): boolean {
  return OF_HTTP_2.some((one) => cipherSuites.includes(one));
}
