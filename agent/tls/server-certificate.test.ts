import { type IssuedCertificate, TestAuthority } from '../../test/support/certificates.ts';
import type { TlsSettings } from '../config/agent-config.ts';
import { readServerCertificate, type TlsFiles, validityProblem } from './server-certificate.ts';

const SETTINGS: TlsSettings = {
  section: 'tls.https',
  caFile: '',
  caPath: '',
  certFile: '/c.pem',
  keyFile: '/k.pem',
  minVersion: 'TLSv1.2',
  cipherSuites: [],
  verifyIncoming: false,
};

const filesOf = (content: Record<string, string>): TlsFiles => ({
  readFile(path) {
    if (path in content) return content[path]!;
    throw Object.assign(new Error(`open ${path}`), { code: 'ENOENT' });
  },
  readFolder(path) {
    const names = Object.keys(content).filter((name) => name.startsWith(`${path}/`));
    if (names.length === 0) throw Object.assign(new Error(`open ${path}`), { code: 'EACCES' });
    return ['..data', ...names.map((name) => name.slice(path.length + 1))];
  },
});

describe('readServerCertificate', () => {
  let authority: TestAuthority;
  let pair: IssuedCertificate;
  let other: IssuedCertificate;
  beforeAll(async () => {
    authority = await TestAuthority.create();
    pair = await authority.issue();
    other = await authority.issue();
  });
  const read = (settings: Partial<TlsSettings>, content: Record<string, string> = {}) =>
    readServerCertificate(
      { ...SETTINGS, ...settings },
      filesOf({ '/c.pem': pair.cert, '/k.pem': pair.key, ...content }),
    );

  it('gives what is served, and all authorities of a bundle or a folder', () => {
    expect(read({})).toMatchObject({ tls: { cert: pair.cert, key: pair.key, ca: [], verifyClients: false } });
    const bundle = `# ours\n${authority.pem}${other.cert}`;
    expect(read({ caFile: '/ca', verifyIncoming: true }, { '/ca': bundle }).tls.ca).toHaveLength(2);
    const folder = { '/cas/a.pem': authority.pem, '/cas/b.pem': other.cert };
    expect(read({ caPath: '/cas', verifyIncoming: true }, folder).tls).toMatchObject({
      ca: [authority.pem.trim(), other.cert.trim()],
      verifyClients: true,
    });
  });

  it.each<[string, Partial<TlsSettings>, Record<string, string>, RegExp]>([
    [
      'a missing certificate',
      { certFile: '/gone' },
      {},
      /^tls\.https\.cert_file: \/gone cannot be read \(there is no such file\); give the path of a certificate in PEM$/,
    ],
    ['a missing key', { keyFile: '/gone' }, {}, /^tls\.https\.key_file: \/gone cannot be read .*private key in PEM$/],
    ['no PEM', {}, { '/c.pem': 'hello' }, /^tls\.https\.cert_file: \/c\.pem holds no certificate in PEM/],
    ['no key', {}, { '/k.pem': 'hello' }, /^tls\.https\.key_file: \/k\.pem holds no private key in PEM/],
    [
      'an encrypted key',
      {},
      { '/k.pem': '-----BEGIN ENCRYPTED PRIVATE KEY-----\nxx\n-----END ENCRYPTED PRIVATE KEY-----' },
      /^tls\.https\.key_file: \/k\.pem is encrypted; give the key without a passphrase$/,
    ],
    [
      'no authority',
      { verifyIncoming: true },
      {},
      /^tls\.https\.verify_incoming: .* give tls\.https\.ca_file or ca_path$/,
    ],
    ['an empty authority', { caFile: '/ca' }, { '/ca': '' }, /^tls\.https\.ca_file: \/ca holds no certificate in PEM/],
    [
      'an unreadable folder',
      { caPath: '/cas' },
      {},
      /^tls\.https\.ca_path: \/cas cannot be read \(the user of the agent may not/,
    ],
  ])('refuses %s, naming file and key', (_what, settings, content, message) => {
    expect(() => read(settings, content)).toThrow(message);
  });

  it('refuses a key of another certificate, and a key in the place of the certificate', () => {
    expect(() => read({}, { '/k.pem': other.key })).toThrow(
      'tls.https.key_file: /k.pem is not the key of the certificate in /c.pem; give the key that belongs to it',
    );
    expect(() => read({}, { '/c.pem': pair.key })).toThrow(/c\.pem holds no certificate.*but a private key$/);
  });
});

describe('validityProblem', () => {
  const DAY = 86_400_000;
  const certificate = { notBeforeMs: 10 * DAY, notAfterMs: 100 * DAY };
  const advice = 'replace /c.pem and /k.pem, then reload the agent';
  it.each([
    [50 * DAY, undefined],
    [97 * DAY - 1, undefined],
    [98 * DAY, `tls.https.cert_file: the certificate in /c.pem expires at 1970-04-11T00:00:00Z: ${advice}`],
    [
      100 * DAY,
      `tls.https.cert_file: the certificate in /c.pem expired at 1970-04-11T00:00:00Z, clients refuse it: ${advice}`,
    ],
    [
      9 * DAY,
      `tls.https.cert_file: the certificate in /c.pem counts from 1970-01-11T00:00:00Z on, clients refuse it: set the clock, or ${advice}`,
    ],
  ])('at %d says %s', (now, text) => {
    expect(validityProblem(certificate, SETTINGS, now)).toBe(text);
  });
});
