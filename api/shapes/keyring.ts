import { AppError } from '../../core/errors.ts';
import { decodeBody, object, STRING } from '../decode.ts';

export const KEYRING_BODY = object({ Key: STRING });
/** What a gossip key is, for messages. */
export const GOSSIP_KEY = '16, 24 or 32 bytes in base64';

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
/** Keys of AES-128, AES-192 and AES-256. */
const KEY_BYTES: ReadonlySet<number> = new Set([16, 24, 32]);

/** Whether a text is a gossip key, as `encrypt` of the configuration takes it. */
export function isGossipKey(text: string): boolean {
  return text.length <= 44 && BASE64.test(text) && KEY_BYTES.has(Buffer.from(text, 'base64').length);
}

/** The key that a request is about. @throws AppError `badRequest`; never with the key, which is a secret. */
export function decodeGossipKey(body: Buffer): string {
  const { Key: key = '' } = (decodeBody(KEYRING_BODY, body) ?? {}) as { Key?: string };
  if (isGossipKey(key)) return key;
  throw new AppError('badRequest', `Invalid Key: want ${GOSSIP_KEY}`, { facts: { field: 'Key' } });
}
