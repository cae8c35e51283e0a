import { AppError } from '../../core/errors.ts';

/** The longest key, namespace included, in bytes as it is stored; the rest is for what the store puts before it. */
const MAX_BYTES = 1400;

/** Characters that the store does not take, or that stand for those. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: keys may hold any character, the store does not take these
const TO_ESCAPE = /[\0\u0001\u{10FFFE}\u{10FFFF}]/gu;
// biome-ignore lint/suspicious/noControlCharactersInRegex: as above
const ESCAPED = /\u0001[\u0001\u0002]|\u{10FFFE}[\u0001\u0002]/gu;
const ESCAPES: Readonly<Record<string, string>> = {
  '\0': '\u0001\u0001',
  '\u0001': '\u0001\u0002',
  '\u{10FFFE}': '\u{10FFFE}\u0001',
  '\u{10FFFF}': '\u{10FFFE}\u0002',
};
const UNESCAPES = new Map(Object.entries(ESCAPES).map(([plain, escaped]) => [escaped, plain]));

/**
 * The place of a key, or of all keys with a prefix: namespace and key, case kept. The order of keys and their being
 * prefixes of each other stay. @throws AppError `badRequest` when it is too long.
 */
export function kvRest(namespace: string, key: string): string {
  const plain = key.toWellFormed();
  const rest = `${namespace}/${plain.replace(TO_ESCAPE, (character) => ESCAPES[character]!)}`;
  if (rest.length * 3 > MAX_BYTES && Buffer.byteLength(rest) > MAX_BYTES) {
    throw new AppError('badRequest', `Key is too long: with its namespace it may have ${MAX_BYTES} bytes`, {
      facts: { field: 'Key', limit: MAX_BYTES },
    });
  }
  return rest;
}

/** The key at a place. */
export function keyOfRest(rest: string): string {
  const escaped = rest.slice(rest.indexOf('/') + 1);
  return escaped.replace(ESCAPED, (pair) => UNESCAPES.get(pair)!);
}

export function namespaceOfRest(rest: string): string {
  return rest.slice(0, rest.indexOf('/'));
}
