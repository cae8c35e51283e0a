import { parseAgentConfig } from '../config.ts';

const parse = (hcl: string) =>
  parseAgentConfig(['-dev', '-config-file', 'a.hcl'], {
    readFile: () => hcl,
    readFolder: () => [],
    hostname: () => 'machine',
  });

describe('the TLS section of a configuration', () => {
  it('takes the section of the interface, else the defaults', () => {
    const { config, warnings } = parse(`
      ports { https = 8501 }
      addresses { https = "0.0.0.0" }
      limits { https_handshake_timeout = "2s" }
      tls {
        defaults { ca_file = "/ca" cert_file = "/c" key_file = "/k" verify_incoming = true tls_min_version = "TLSv1_3" }
        https { verify_incoming = false ca_path = "/cas" tls_cipher_suites = "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, TLS_RSA_WITH_AES_256_CBC_SHA" }
        grpc { use_auto_cert = false }
      }`);
    expect(config).toMatchObject({
      addresses: { https: ['0.0.0.0'] },
      httpsHandshakeTimeoutMs: 2000,
      ports: { https: 8501 },
      tls: {
        https: {
          section: 'tls.https',
          caFile: '/ca',
          caPath: '/cas',
          certFile: '/c',
          keyFile: '/k',
          verifyIncoming: false,
          minVersion: 'TLSv1.3',
          cipherSuites: ['ECDHE-RSA-AES128-GCM-SHA256', 'AES256-SHA'],
        },
        internalRpc: { verifyIncoming: true, certFile: '/c' },
      },
    });
    expect(warnings).toEqual(['a.hcl: tls.grpc has no effect here']);
  });

  it('takes the deprecated keys with a line each, below those of the section', () => {
    const { config, warnings } = parse(`
      ca_file = "/ca" cert_file = "/c" key_file = "/k" tls_min_version = "tls13" verify_incoming_https = true
      tls { defaults { ca_file = "/newer" } }`);
    expect(config.tls.https).toMatchObject({
      caFile: '/newer',
      certFile: '/c',
      keyFile: '/k',
      minVersion: 'TLSv1.3',
      verifyIncoming: true,
    });
    expect(config.tls.internalRpc.verifyIncoming).toBe(false);
    expect(warnings).toEqual([
      'ca_file is deprecated; write tls.defaults.ca_file',
      'cert_file is deprecated; write tls.defaults.cert_file',
      'key_file is deprecated; write tls.defaults.key_file',
      'tls_min_version is deprecated; write tls.defaults.tls_min_version',
      'verify_incoming_https is deprecated; write tls.https.verify_incoming',
    ]);
    expect(parse('verify_incoming = true ca_file = "/ca" cert_file = "/c" key_file = "/k"').config.tls).toMatchObject({
      https: { verifyIncoming: true },
      internalRpc: { verifyIncoming: true },
    });
  });

  it('has TLS among agents and servers when it is to be verified; a hostname is verified by TLS alone', () => {
    const files = 'ca_file = "/ca" cert_file = "/c" key_file = "/k"';
    const rpc = (more: string) => parse(`tls { internal_rpc { ${files} ${more} } }`).config.tls.internalRpc;
    expect(rpc('')).toMatchObject({ verifyIncoming: false, verifyOutgoing: false, verifyServerHostname: false });
    expect(rpc('verify_outgoing = true')).toMatchObject({ verifyOutgoing: true, verifyServerHostname: false });
    expect(rpc('verify_server_hostname = true')).toMatchObject({ verifyOutgoing: true, verifyServerHostname: true });
    expect(parse(`verify_outgoing = true ${files}`).config.tls.internalRpc.verifyOutgoing).toBe(true);
    const off = `tls { defaults { ${files} verify_outgoing = true } internal_rpc { verify_outgoing = false } }`;
    expect(parse(off).config.tls.internalRpc.verifyOutgoing).toBe(false);
    expect(parse('tls { https { cert_file = "/c" key_file = "/k" } }').warnings).toEqual([]);
  });

  it('starts with a port and no certificate as test servers write it, and says so', () => {
    expect(parse('ports { https = 8501 }').warnings).toEqual([
      'ports.https: HTTPS is not served without a certificate; give tls.https.cert_file and key_file',
    ]);
  });

  it.each([
    ['tls { https { cert_file = "/c" } }', 'tls.https.key_file: must be given too, since cert_file is'],
    ['tls { defaults { key_file = "/k" } }', 'tls.https.cert_file: must be given too, since key_file is'],
    ['tls { https { tls_min_version = "tls12" } }', 'tls.https.tls_min_version: "tls12" must be one of TLSv1_0'],
    ['tls { defaults { tls_cipher_suites = "RC4" } }', 'tls.defaults.tls_cipher_suites: "RC4" is not a cipher suite'],
    [
      'tls { internal_rpc { verify_incoming = true } }',
      'tls.internal_rpc.verify_incoming: needs to know who signs the certificates; give tls.internal_rpc.ca_file or ca_path',
    ],
    [
      'verify_server_hostname = true ca_file = "/ca"',
      "tls.internal_rpc.verify_outgoing: needs a certificate for the servers' port; give tls.internal_rpc.cert_file and key_file",
    ],
    ['tls { https { certfile = "/c" } }', 'did you mean "tls.https.cert_file"?'],
    [
      'ports { https = 1 } tls { https { verify_incoming = true } }',
      'tls.https.verify_incoming: needs a certificate; give tls.https.cert_file and key_file',
    ],
  ])('refuses %s', (hcl, message) => {
    expect(() => parse(hcl)).toThrow(message);
  });
});
