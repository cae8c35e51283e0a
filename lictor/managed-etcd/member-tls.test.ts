import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemConfigFiles } from '../../agent/config/system-files.ts';
import { type AgentConfig, parseAgentConfig } from '../../agent/config.ts';
import { SystemClock } from '../../core/clock.ts';
import { type IssuedCertificate, TestAuthority } from '../../test/support/certificates.ts';
import { removeFolder, tempFolder } from '../../test/support/processes/temp-folder.ts';
import { MemberTls } from './member-tls.ts';

describe('MemberTls', () => {
  let folder: string;
  let ours: TestAuthority;
  beforeEach(async () => {
    folder = tempFolder('member-tls');
    ours = await TestAuthority.create();
    mkdirSync(join(folder, 'cas'));
    writeFileSync(join(folder, 'cas', 'a.pem'), ours.pem);
  });
  afterEach(() => removeFolder(folder));

  const save = ({ cert, key }: IssuedCertificate) => {
    writeFileSync(join(folder, 'cert.pem'), cert);
    writeFileSync(join(folder, 'key.pem'), key);
  };
  const config = (more = ''): AgentConfig => {
    const text = `ca_path = "${folder}/cas" cert_file = "${folder}/cert.pem" key_file = "${folder}/key.pem"`;
    writeFileSync(join(folder, 'c.hcl'), `tls { internal_rpc { ${text} verify_outgoing = true ${more} } }`);
    const flags = ['-server', '-data-dir', folder, '-retry-join', '127.0.0.1', '-config-file', join(folder, 'c.hcl')];
    return parseAgentConfig(flags, systemConfigFiles).config;
  };
  const open = (given: AgentConfig) =>
    new MemberTls({ files: systemConfigFiles, clock: new SystemClock() }, given, {
      folder: join(folder, 'tls'),
      address: '127.0.0.1',
    });

  it('gives etcd copies that its owner alone reads, of all authorities in one file', async () => {
    const another = await TestAuthority.create('another');
    writeFileSync(join(folder, 'cas', 'b.pem'), another.pem);
    const pair = await ours.issue();
    save(pair);
    const tls = open(config());
    tls.save();
    const { caFile, certFile, keyFile, peerName } = tls.files;
    expect(readFileSync(certFile, 'utf8')).toBe(pair.cert);
    expect(readFileSync(keyFile, 'utf8')).toBe(pair.key);
    expect(statSync(keyFile).mode & 0o777).toBe(0o600);
    const together = readFileSync(caFile, 'utf8');
    for (const { pem } of [ours, another]) expect(together).toContain(pem.trim());
    expect(peerName).toBeUndefined();
    expect(tls.client.serverName).toBe('127.0.0.1');
  });

  it('refuses a certificate that has expired, and tells when etcd has to be started again', async () => {
    save(await ours.issue({ expired: true }));
    expect(() => open(config())).toThrow(/^tls.internal_rpc.cert_file: .* expired at /);
    save(await ours.issue());
    const tls = open(config());
    tls.save();
    const renewed = await ours.issue();
    save(renewed);
    expect(tls.prepare(config())()).toBe(false);
    expect(readFileSync(tls.files.certFile, 'utf8')).toBe(renewed.cert);
    writeFileSync(join(folder, 'cas', 'b.pem'), (await TestAuthority.create('another')).pem);
    expect(tls.prepare(config())()).toBe(true);
    const suite = 'TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256';
    expect(tls.prepare(config(`tls_min_version = "TLSv1_3" tls_cipher_suites = "${suite}"`))()).toBe(true);
    expect(tls.files).toMatchObject({ minVersion: 'TLSv1.3', cipherSuites: [suite] });
  });

  it('changes nothing for a certificate that would not do', async () => {
    const pair = await ours.issue();
    save(pair);
    const tls = open(config());
    tls.save();
    expect(() => tls.prepare(config('verify_server_hostname = true'))).toThrow(/is not for server.dc1.consul/);
    save(await ours.issue({ name: 'elsewhere' }));
    expect(() => tls.prepare(config())).toThrow(/is not for 127.0.0.1/);
    expect(readFileSync(tls.files.certFile, 'utf8')).toBe(pair.cert);
  });
});
