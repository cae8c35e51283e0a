import { X509Certificate } from 'node:crypto';
import type { TlsSettings } from '../../agent/config/agent-config.ts';
import { pemBlocks, type ServerCertificate } from '../../agent/tls/server-certificate.ts';
import { AppError } from '../../core/errors.ts';

/** Extended key usages (RFC 5280 section 4.2.1.12). */
const SERVER = '1.3.6.1.5.5.7.3.1';
const CLIENT = '1.3.6.1.5.5.7.3.2';
const ANY = '2.5.29.37.0';

/**
 * Refuses a certificate that the other members of etcd, or the own one, would not accept: etcd itself would merely close
 * connections. Whether it counts at present is not looked at.
 * @throws AppError `config` naming the key, what is missing and what to do.
 */
export function checkMemberCertificate(
  { tls: { cert, ca } }: ServerCertificate,
  settings: Pick<TlsSettings, 'section' | 'certFile'>,
  needs: { readonly address: string; readonly serverName: string | undefined },
): void {
  const chain = pemBlocks(cert).map((pem) => new X509Certificate(pem));
  const [own] = chain;
  const { section, certFile } = settings;
  const refuse = (what: string, advice: string) => {
    const text = `${section}.cert_file: the certificate in ${certFile} ${what}; ${advice}`;
    return new AppError('config', text, { facts: { field: `${section}.cert_file` } });
  };
  const { address, serverName } = needs;
  const renew = `lictor tls cert create -server -additional-ipaddress ${address}`;
  if (
    !own ||
    !isSigned(
      own,
      chain,
      ca.map((pem) => new X509Certificate(pem)),
    )
  ) {
    throw refuse(
      'is signed by no authority that this server trusts',
      `give one that an authority of ${section}.ca_file or ca_path has signed`,
    );
  }
  if (own.checkIP(address) === undefined) {
    throw refuse(
      `is not for ${address}, where the other servers reach the etcd of this one`,
      `make one that names this address, too (${renew}), or give another -advertise`,
    );
  }
  if (serverName !== undefined && own.checkHost(serverName) === undefined) {
    throw refuse(`is not for ${serverName}, which verify_server_hostname asks of every server`, `make one (${renew})`);
  }
  const usages: readonly string[] | undefined = own.keyUsage;
  if (usages && !usages.includes(ANY) && !(usages.includes(SERVER) && usages.includes(CLIENT))) {
    throw refuse(
      'is not for servers and clients both (extended key usage), and members of etcd are both to each other',
      `make one (${renew})`,
    );
  }
}

function isSigned(
  own: X509Certificate,
  chain: readonly X509Certificate[],
  trusted: readonly X509Certificate[],
): boolean {
  let one = own;
  for (let step = 0; step < chain.length; step++) {
    const signs = (by: X509Certificate) => one.checkIssued(by) && one.verify(by.publicKey);
    if (trusted.some(signs)) return true;
    const next = chain.find((by) => by !== one && signs(by));
    if (!next) return false;
    one = next;
  }
  return false;
}
