import { encode, RECURSION_DESIRED, type RecordType } from 'dns-packet';

/** A query as a stub resolver sends it: one question, recursion desired. The name is without escapes. */
export function encodeQuery(name: string, type: 'A' | 'AAAA' | 'ANY'): Uint8Array {
  return encode({ type: 'query', id: 0, flags: RECURSION_DESIRED, questions: [{ name, type: type as RecordType }] });
}
