import { createPublicKey, type KeyObject, X509Certificate } from 'node:crypto';
import { AppError } from '../errors.ts';
import { keyIdOf } from './keys.ts';

/** When a certificate counts, in milliseconds since the Unix epoch; certificates hold whole seconds. */
export interface Validity {
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

/** What is read of a certificate. */
export interface CertificateFacts extends Validity {
  /** Hexadecimal digits, at least two. */
  readonly serial: string;
  /** SHA-1 of the whole certificate, lower case with colons. */
  readonly fingerprint: string;
  /** Of its public key: SHA-256, hexadecimal. */
  readonly keyId: string;
  readonly publicKey: KeyObject;
  readonly ca: boolean;
}

/** @throws AppError `badRequest` for what is no certificate in PEM. */
export function readCertificate(text: string): CertificateFacts {
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(text);
  } catch {
    throw new AppError('badRequest', 'must be one X.509 certificate in PEM');
  }
  const { publicKey } = certificate;
  return {
    serial: certificate.serialNumber.toLowerCase(),
    fingerprint: certificate.fingerprint.toLowerCase(),
    keyId: keyIdOf(publicKey.export({ type: 'spki', format: 'der' })),
    publicKey,
    ca: certificate.ca,
    notBeforeMs: Date.parse(certificate.validFrom),
    notAfterMs: Date.parse(certificate.validTo),
  };
}

/** Whether a private key is that of a certificate. */
export function belongsTo(key: KeyObject, certificate: CertificateFacts): boolean {
  const publicKey = createPublicKey(key).export({ type: 'spki', format: 'der' });
  return keyIdOf(publicKey) === certificate.keyId;
}
