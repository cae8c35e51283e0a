import { type IssuedCertificate, TestAuthority } from '../../test/support/certificates.ts';
import { checkMemberCertificate } from './member-certificate.ts';

describe('checkMemberCertificate', () => {
  let ours: TestAuthority;
  beforeAll(async () => {
    ours = await TestAuthority.create();
  });

  const check = (
    { cert, key }: IssuedCertificate,
    needs: { address?: string; serverName?: string; ca?: string[] } = {},
  ) => {
    const { address = '127.0.0.1', serverName, ca = [ours.pem] } = needs;
    const tls = { cert, key, ca, verifyClients: true, minVersion: 'TLSv1.2' as const, cipherSuites: [] };
    const settings = { section: 'tls.internal_rpc', certFile: 's.pem' };
    checkMemberCertificate({ tls, notBeforeMs: 0, notAfterMs: 0 }, settings, { address, serverName });
  };

  it('takes one that has all', async () => {
    const certificate = await ours.issue();
    check(certificate);
    check(certificate, { serverName: 'localhost' });
    check(certificate, { ca: [(await TestAuthority.create('another')).pem, ours.pem] });
  });

  it('refuses one that lacks something, and says what to do', async () => {
    const certificate = await ours.issue();
    expect(() => check(certificate, { address: '10.0.0.1' })).toThrow(
      'tls.internal_rpc.cert_file: the certificate in s.pem is not for 10.0.0.1, where the other servers reach the etcd of this one; make one that names this address, too (lictor tls cert create -server -additional-ipaddress 10.0.0.1), or give another -advertise',
    );
    expect(() => check(certificate, { serverName: 'server.dc1.consul' })).toThrow(
      /^tls.internal_rpc.cert_file: .* is not for server.dc1.consul, which verify_server_hostname asks/,
    );
    const another = await TestAuthority.create();
    expect(() => check(certificate, { ca: [another.pem] })).toThrow(/signed by no authority that this server trusts/);
    for (const usage of ['server', 'client'] as const) {
      const half = await ours.issue({ usages: [usage] });
      expect(() => check(half)).toThrow(/is not for servers and clients both/);
    }
  });
});
