import { keyIdOf, type SigningKeys } from './keys.ts';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from './library.ts';
import { readCertificate, type Validity } from './reading.ts';

/** Names that a certificate speaks for. */
export interface AlternativeNames {
  readonly uris?: readonly string[];
  readonly dns?: readonly string[];
  readonly ips?: readonly string[];
}

export interface RootRequest extends Validity {
  readonly keys: SigningKeys;
  readonly commonName: string;
  readonly names: AlternativeNames;
  /** Hexadecimal digits. */
  readonly serial: string;
  /** DNS names that its certificates may be for, with those below them; all when absent (RFC 5280, section 4.2.1.10). */
  readonly permittedDns?: readonly string[];
}

/** Who signs: a root and its key. */
export interface Issuer {
  readonly certificate: string;
  readonly keys: SigningKeys;
}

export interface LeafRequest extends Validity {
  readonly issuer: Issuer;
  /** Of the one who asks: SPKI in DER. */
  readonly publicKey: Uint8Array;
  /** '' = the alternative names alone say who it is. */
  readonly commonName: string;
  readonly names: AlternativeNames;
  readonly serial: string;
  readonly usages: readonly ('server' | 'client')[];
  /** Beside signatures: what RSA key exchange needs. */
  readonly keyEncipherment?: boolean;
}

/** A self-signed root in PEM that may sign leaf certificates and lists of revoked ones. */
export async function createRoot(request: RootRequest): Promise<string> {
  const { keys, serial, commonName, names } = request;
  const usages = KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign | KeyUsageFlags.digitalSignature;
  const keyId = keyIdOf(await spkiOf(keys));
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: serial,
    name: nameOf(commonName),
    ...validity(request),
    keys: { privateKey: keys.privateKey, publicKey: keys.publicKey },
    signingAlgorithm: keys.algorithm,
    extensions: [
      new BasicConstraintsExtension(true, undefined, true),
      new KeyUsagesExtension(usages, true),
      new SubjectKeyIdentifierExtension(keyId),
      new AuthorityKeyIdentifierExtension(keyId),
      ...namesExtension(names, false),
      ...nameConstraints(request.permittedDns ?? []),
    ],
  });
  return pem(certificate);
}

/** A certificate in PEM of which no further ones can be signed. */
export async function issueLeaf(request: LeafRequest): Promise<string> {
  const { issuer, serial, commonName, names } = request;
  const signer = new X509Certificate(issuer.certificate);
  const both = KeyUsageFlags.digitalSignature | KeyUsageFlags.keyEncipherment;
  const certificate = await X509CertificateGenerator.create({
    serialNumber: serial,
    subject: nameOf(commonName),
    issuer: signer.subject,
    ...validity(request),
    publicKey: Buffer.from(request.publicKey),
    signingKey: issuer.keys.privateKey,
    signingAlgorithm: issuer.keys.algorithm,
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(request.keyEncipherment ? both : KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension(
        request.usages.map((usage) => (usage === 'server' ? ExtendedKeyUsage.serverAuth : ExtendedKeyUsage.clientAuth)),
      ),
      new SubjectKeyIdentifierExtension(keyIdOf(request.publicKey)),
      new AuthorityKeyIdentifierExtension(readCertificate(issuer.certificate).keyId),
      // RFC 5280 section 4.2.1.6: critical when there is no subject.
      ...namesExtension(names, commonName === ''),
    ],
  });
  return pem(certificate);
}

/**
 * A root's name and key, signed for by the one before it: whoever knows only the old root accepts what the new one signs.
 */
export async function crossSign(root: string, issuer: Issuer, request: Validity & { serial: string }): Promise<string> {
  const subject = new X509Certificate(root);
  const signer = new X509Certificate(issuer.certificate);
  const certificate = await X509CertificateGenerator.create({
    serialNumber: request.serial,
    subject: subject.subject,
    issuer: signer.subject,
    ...validity(request),
    publicKey: subject.publicKey,
    signingKey: issuer.keys.privateKey,
    signingAlgorithm: issuer.keys.algorithm,
    extensions: [
      new BasicConstraintsExtension(true, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign | KeyUsageFlags.digitalSignature, true),
      new SubjectKeyIdentifierExtension(readCertificate(root).keyId),
      new AuthorityKeyIdentifierExtension(readCertificate(issuer.certificate).keyId),
      ...subject.extensions.filter((extension) => extension.type === '2.5.29.17'),
    ],
  });
  return pem(certificate);
}

function validity({ notBeforeMs, notAfterMs }: Validity): { notBefore: Date; notAfter: Date } {
  return { notBefore: new Date(notBeforeMs), notAfter: new Date(notAfterMs) };
}

function nameOf(commonName: string): { CN: string[] }[] {
  return commonName === '' ? [] : [{ CN: [commonName] }];
}

function namesExtension({ uris = [], dns = [], ips = [] }: AlternativeNames, critical: boolean): Extension[] {
  const names = [
    ...uris.map((value) => ({ type: 'url' as const, value })),
    ...dns.map((value) => ({ type: 'dns' as const, value })),
    ...ips.map((value) => ({ type: 'ip' as const, value })),
  ];
  return names.length === 0 ? [] : [new SubjectAlternativeNameExtension(names, critical)];
}

/** SEQUENCE { [0] permittedSubtrees { SEQUENCE { [2] dNSName } … } }, critical: who cannot read it must not go on. */
function nameConstraints(permittedDns: readonly string[]): Extension[] {
  if (permittedDns.length === 0) return [];
  const subtrees = permittedDns.map((name) => der(0x30, der(0x82, Buffer.from(name, 'ascii'))));
  return [new Extension('2.5.29.30', true, der(0x30, der(0xa0, Buffer.concat(subtrees))))];
}

/** A value of ASN.1 in DER. */
function der(tag: number, content: Buffer): Buffer {
  const { length } = content;
  const bytes = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  if (length > 0xffff) throw new RangeError(`${length} bytes are more than a name constraint may have`);
  return Buffer.concat([Buffer.from([tag, ...bytes]), content]);
}

async function spkiOf(keys: SigningKeys): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.exportKey('spki', keys.publicKey as CryptoKey));
}

function pem(certificate: X509Certificate): string {
  return `${certificate.toString('pem').trimEnd()}\n`;
}
