import type { MemberTlsFiles } from './member-tls.ts';
import { tlsArgs, tlsShortfalls } from './member-tls-args.ts';

const OLD = new Set(['--cipher-suites']);
const NEW = new Set(['--cipher-suites', '--tls-min-version', '--tls-max-version']);
const GCM_128 = 'TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256';
const GCM_256 = 'TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384';

describe('the TLS that an etcd is started with', () => {
  const files = (minVersion: MemberTlsFiles['minVersion'], ...cipherSuites: string[]): MemberTlsFiles => ({
    ...{ caFile: 'ca', certFile: 'cert', keyFile: 'key', peerName: undefined },
    ...{ minVersion, cipherSuites },
  });

  it.each<[string, MemberTlsFiles, Set<string>, string, RegExp | undefined]>([
    ['nothing by default', files('TLSv1.2'), NEW, '', undefined],
    ['nothing for versions that it has not', files('TLSv1'), NEW, '', undefined],
    ['TLS 1.3 where it can', files('TLSv1.3'), NEW, '--tls-min-version TLS1.3', undefined],
    ['a warning where it cannot', files('TLSv1.3'), OLD, '', /^tls\.internal_rpc\.tls_min_version: .* etcd 3\.6/],
    ['suites', files('TLSv1.2', GCM_256, GCM_128), OLD, `--cipher-suites ${GCM_256},${GCM_128}`, undefined],
    ['no suites beside TLS 1.3', files('TLSv1.3', GCM_128), NEW, '--tls-min-version TLS1.3', undefined],
    ['a warning without one of HTTP/2', files('TLSv1.2', GCM_256), NEW, '', /^tls\.internal_rpc\.tls_cipher_suites: /],
  ])('has of narrowing flags: %s', (_, tls, flags, expected, warning) => {
    const args = tlsArgs(tls, flags);
    const [min, suites] = ['--tls-min-version', '--cipher-suites'].map((flag) => args.indexOf(flag));
    const found = [min!, suites!].filter((at) => at >= 0).flatMap((at) => args.slice(at, at + 2));
    expect(found.join(' ')).toBe(expected);
    const lines = tlsShortfalls(tls, flags);
    expect(lines).toEqual(warning ? [expect.stringMatching(warning)] : []);
  });
});
