import { createPublicKey } from 'node:crypto';
import { AppError } from '../errors.ts';
import { keyKindOf, signingKeys } from './keys.ts';
import {
  Pkcs10CertificateRequest,
  Pkcs10CertificateRequestGenerator,
  SubjectAlternativeNameExtension,
} from './library.ts';

/** A request for one RSA key of the greatest size with its names is below 4 KiB. */
const MAX_CSR_CHARACTERS = 16_384;

/** A request in PEM for one identity, signed with its private key. */
export async function createSigningRequest(keyPem: string, uri: string): Promise<string> {
  const keys = await signingKeys(keyPem);
  const request = await Pkcs10CertificateRequestGenerator.create({
    keys: { privateKey: keys.privateKey, publicKey: keys.publicKey },
    signingAlgorithm: keys.algorithm,
    extensions: [new SubjectAlternativeNameExtension([{ type: 'url', value: uri }])],
  });
  return `${request.toString('pem').trimEnd()}\n`;
}

/** What a checked request asks for. */
export interface SigningRequest {
  readonly uri: string;
  /** SPKI in DER. */
  readonly publicKey: Uint8Array;
}

/**
 * Reads and checks a request: its own signature, a supported key, and exactly one alternative name, a URI: a second one
 * would be signed for without having been looked at (CVE-2022-40716).
 * @throws AppError `badRequest` saying what is wrong.
 */
export async function readSigningRequest(pem: string): Promise<SigningRequest> {
  if (pem.length > MAX_CSR_CHARACTERS) throw bad(`is longer than ${MAX_CSR_CHARACTERS} characters`);
  if (pem.split('-----BEGIN').length !== 2) throw bad('must be one certificate request in PEM');
  const request = readable('must be one certificate request in PEM', () => new Pkcs10CertificateRequest(pem));
  // The library reads parts when they are asked for.
  const publicKey = readable('holds a public key that cannot be read', () => publicKeyOf(request));
  const names = readable('has alternative names that cannot be read', () => namesOf(request));
  if (names.length !== 1 || names[0]!.type !== 'url') {
    throw bad(`must have exactly one alternative name, a SPIFFE URI; it has ${names.length}`);
  }
  if (!(await request.verify().catch(() => false))) throw bad('is not signed by the key that it holds');
  return { uri: names[0]!.value, publicKey };
}

function publicKeyOf(request: Pkcs10CertificateRequest): Uint8Array {
  const spki = new Uint8Array(request.publicKey.rawData);
  keyKindOf(createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' }));
  return spki;
}

function namesOf(request: Pkcs10CertificateRequest): { type: string; value: string }[] {
  return request.extensions
    .filter((extension) => extension.type === '2.5.29.17')
    .flatMap((extension) => new SubjectAlternativeNameExtension(extension.rawData).names.toJSON());
}

function readable<T>(otherwise: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw error instanceof AppError ? error : bad(otherwise);
  }
}

function bad(what: string): AppError {
  return new AppError('badRequest', `the certificate request ${what}`, { facts: { field: 'CSR' } });
}
