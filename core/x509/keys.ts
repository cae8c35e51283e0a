import { createHash, createPrivateKey, createPublicKey, generateKeyPair, type KeyObject, webcrypto } from 'node:crypto';
import { promisify } from 'node:util';
import { AppError } from '../errors.ts';
import type { Random } from '../random.ts';

/** Kind and size of a private key, as configurations name them. */
export interface KeyKind {
  readonly type: 'ec' | 'rsa';
  readonly bits: number;
}

const CURVES: Readonly<Record<number, string>> = { 256: 'P-256', 384: 'P-384', 521: 'P-521' };
const CURVE_NAMES: Readonly<Record<string, number>> = { prime256v1: 256, secp384r1: 384, secp521r1: 521 };
const HASHES: Readonly<Record<number, string>> = { 256: 'SHA-256', 384: 'SHA-384', 521: 'SHA-512' };
const RSA_BITS: readonly number[] = [2048, 3072, 4096];

const generate = promisify(generateKeyPair);

/** Whether keys of this kind are made and signed for: P-256, P-384, P-521, RSA with 2048, 3072 or 4096 bits. */
export function supportedKey(kind: KeyKind): boolean {
  return kind.type === 'ec' ? kind.bits in CURVES : RSA_BITS.includes(kind.bits);
}

/** A new private key as PEM: `EC PRIVATE KEY` (SEC 1) or `RSA PRIVATE KEY` (PKCS #1). @throws AppError `badRequest`. */
export async function generateKeyPem(kind: KeyKind): Promise<string> {
  if (!supportedKey(kind)) throw unsupported(`${kind.type} ${kind.bits}`);
  if (kind.type === 'ec') {
    const { privateKey } = await generate('ec', { namedCurve: CURVES[kind.bits]! });
    return privateKey.export({ type: 'sec1', format: 'pem' }).toString();
  }
  const { privateKey } = await generate('rsa', { modulusLength: kind.bits });
  return privateKey.export({ type: 'pkcs1', format: 'pem' }).toString();
}

/** The kind of a private or public key in PEM. @throws AppError `badRequest` for what is no key or of another kind. */
export function keyKindOf(key: KeyObject): KeyKind {
  const details = key.asymmetricKeyDetails;
  const kind: KeyKind =
    key.asymmetricKeyType === 'ec'
      ? { type: 'ec', bits: CURVE_NAMES[details?.namedCurve ?? ''] ?? 0 }
      : { type: 'rsa', bits: key.asymmetricKeyType === 'rsa' ? (details?.modulusLength ?? 0) : 0 };
  if (!supportedKey(kind)) throw unsupported(key.asymmetricKeyType ?? 'unknown');
  return kind;
}

/** @throws AppError `badRequest`; the text never holds the key. */
export function readPrivateKey(pem: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch {
    throw new AppError('badRequest', 'PrivateKey: must be an unencrypted private key in PEM');
  }
}

/** A key pair as the certificate library takes it. */
export interface SigningKeys {
  readonly kind: KeyKind;
  readonly privateKey: webcrypto.CryptoKey;
  readonly publicKey: webcrypto.CryptoKey;
  readonly algorithm: { name: string; hash: string };
}

/** @throws AppError `badRequest` for what is no supported private key. */
export async function signingKeys(pem: string): Promise<SigningKeys> {
  const key = readPrivateKey(pem);
  const kind = keyKindOf(key);
  const importing =
    kind.type === 'ec'
      ? { name: 'ECDSA', namedCurve: CURVES[kind.bits]! }
      : { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' };
  const { subtle } = webcrypto;
  const privateDer = key.export({ type: 'pkcs8', format: 'der' });
  const publicDer = createPublicKey(key).export({ type: 'spki', format: 'der' });
  return {
    kind,
    privateKey: await subtle.importKey('pkcs8', privateDer, importing, false, ['sign']),
    publicKey: await subtle.importKey('spki', publicDer, importing, true, ['verify']),
    algorithm: { name: importing.name, hash: kind.type === 'ec' ? HASHES[kind.bits]! : 'SHA-256' },
  };
}

/** The identifier of a public key: the SHA-256 of its SPKI, as hexadecimal digits. */
export function keyIdOf(spki: Uint8Array): string {
  return createHash('sha256').update(spki).digest('hex');
}

/** Sixteen random bytes in hexadecimal, a positive number (RFC 5280 section 4.1.2.2). */
export function newSerial(random: Random): string {
  const digits = random.uuid().replaceAll('-', '');
  return `${(Number.parseInt(digits[0]!, 16) & 7) | 4}${digits.slice(1)}`;
}

/** Bytes in hexadecimal with a colon between them, as Consul shows serial numbers and key ids. */
export function colonHex(hex: string): string {
  return hex.toLowerCase().match(/../g)?.join(':') ?? '';
}

function unsupported(what: string): AppError {
  return new AppError(
    'badRequest',
    `keys of kind ${what} are not supported: want EC 256, 384, 521 or RSA 2048, 3072, 4096`,
  );
}
