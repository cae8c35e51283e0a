import type { ResourceRecord } from '../wire/record.ts';

/** Texts longer than this cannot be of use to a DNS client and would not fit a record together with its neighbours. */
const MAX_TEXT_BYTES = 32 * 1024;
/** Metadata under such a key is given verbatim, for texts that follow another convention (Consul, "DNS reference"). */
const VERBATIM_PREFIX = 'rfc1035-';

/** A node's metadata as TXT records of `name`, in the order of the keys. */
export function metaRecords(
  name: string,
  ttl: number,
  meta: Readonly<Record<string, string>> | null,
): readonly ResourceRecord[] {
  if (meta === null) return [];
  return Object.keys(meta)
    .sort()
    .map((key) => metaText(key, meta[key]!))
    .filter((text) => Buffer.byteLength(text) <= MAX_TEXT_BYTES)
    .map((text) => ({ type: 'TXT', name, ttl, text }));
}

/**
 * `key=value` by RFC 1464: in the key, `=` and the grave accent are quoted by a grave accent wherever they stand, tabs
 * and spaces at either end. The value needs no quoting, since only the first unquoted `=` separates.
 */
export function metaText(key: string, value: string): string {
  if (key.toLowerCase().startsWith(VERBATIM_PREFIX)) return value;
  const lead = /^[ \t]*/.exec(key)![0].length;
  const trail = /[ \t]*$/.exec(key)![0].length;
  let quoted = '';
  for (let i = 0; i < key.length; i++) {
    const char = key[i]!;
    const isOuterSpace = i < lead || i >= key.length - trail;
    quoted += char === '=' || char === '`' || isOuterSpace ? `\`${char}` : char;
  }
  return `${quoted}=${value}`;
}
