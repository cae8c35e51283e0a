import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { createRoot, issueLeaf } from './certificates.ts';
import { generateKeyPem, type KeyKind, signingKeys } from './keys.ts';
import { Pkcs10CertificateRequestGenerator, SubjectAlternativeNameExtension } from './library.ts';
import { readCertificate } from './reading.ts';
import { createSigningRequest, readSigningRequest } from './signing-request.ts';

const START = Date.UTC(2026, 0, 1);
const DAY = 86_400_000;
const URI = 'spiffe://11111111-2222-3333-4444-555555555555.consul/ns/default/dc/dc1/svc/web';

async function issued(kind: KeyKind) {
  const keys = await signingKeys(await generateKeyPem(kind));
  const root = await createRoot({
    keys,
    commonName: 'test',
    names: { uris: ['spiffe://t.consul'] },
    serial: '0a',
    notBeforeMs: START,
    notAfterMs: START + 100 * DAY,
  });
  const { uri, publicKey } = await readSigningRequest(await createSigningRequest(await generateKeyPem(kind), URI));
  const leaf = await issueLeaf({
    issuer: { certificate: root, keys },
    publicKey,
    commonName: '',
    names: { uris: [uri] },
    serial: '0400',
    usages: ['client', 'server'],
    notBeforeMs: START,
    notAfterMs: START + DAY,
  });
  return { root, leaf };
}

describe('certificates', () => {
  it.each<KeyKind>([
    { type: 'ec', bits: 256 },
    { type: 'ec', bits: 384 },
    { type: 'ec', bits: 521 },
    { type: 'rsa', bits: 2048 },
  ])('with $type $bits keys are read by others as they were meant', async (kind) => {
    const { root, leaf } = await issued(kind);
    const parsed = new X509Certificate(leaf);
    expect(parsed.verify(new X509Certificate(root).publicKey)).toBe(true);
    expect(parsed.checkIssued(new X509Certificate(root))).toBe(true);
    expect(readCertificate(leaf)).toMatchObject({
      serial: '0400',
      ca: false,
      notBeforeMs: START,
      notAfterMs: START + DAY,
    });
    expect(readCertificate(root)).toMatchObject({ serial: '0a', ca: true });
    expect(parsed.subjectAltName).toBe(`URI:${URI}`);
    expect(new X509Certificate(root).subjectAltName).toBe('URI:spiffe://t.consul');
  });

  it('says the same to openssl', async () => {
    const { root, leaf } = await issued({ type: 'ec', bits: 256 });
    const show = (pem: string) => execFileSync('openssl', ['x509', '-noout', '-text'], { input: pem }).toString();
    expect(show(leaf)).toContain(`URI:${URI}`);
    expect(show(leaf)).toMatch(/Key Usage: critical\s+Digital Signature\n/);
    expect(show(leaf)).toMatch(/TLS Web Client Authentication, TLS Web Server Authentication/);
    expect(show(root)).toMatch(/CA:TRUE/);
    expect(show(root)).toMatch(/Digital Signature, Certificate Sign, CRL Sign/);
  });
});

describe('signing requests', () => {
  it('are refused with a second name', async () => {
    const keys = await signingKeys(await generateKeyPem({ type: 'ec', bits: 256 }));
    const request = await Pkcs10CertificateRequestGenerator.create({
      keys: { privateKey: keys.privateKey, publicKey: keys.publicKey },
      signingAlgorithm: keys.algorithm,
      extensions: [
        new SubjectAlternativeNameExtension([
          { type: 'url', value: URI },
          { type: 'url', value: `${URI}2` },
        ]),
      ],
    });
    await expect(readSigningRequest(request.toString('pem'))).rejects.toThrow('exactly one alternative name');
  });

  it('are refused when they were changed after they were signed', async () => {
    const pem = await createSigningRequest(await generateKeyPem({ type: 'ec', bits: 256 }), URI);
    const der = Buffer.from(pem.replace(/-----.*-----/g, ''), 'base64');
    const at = der.indexOf('svc/web');
    der.write('svc/wob', at);
    const changed = `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`;
    await expect(readSigningRequest(changed)).rejects.toThrow('is not signed by the key that it holds');
  });
});
