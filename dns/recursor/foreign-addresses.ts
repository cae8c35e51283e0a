import { decodeMessage } from '../wire/decode-message.ts';
import { addressType } from '../wire/ip-address.ts';
import { nameFromText, nameLength } from '../wire/name.ts';
import type { ResourceRecord } from '../wire/record.ts';

/** An answer of our own takes so many records of a name outside the zones (Consul's limit). */
const MAX_RECORDS = 5;

/**
 * The aliases and addresses in another server's message that an answer of ours can hold: their names are valid.
 * @throws AppError `decode`.
 */
export function foreignAddresses(message: Uint8Array): ResourceRecord[] {
  const found: ResourceRecord[] = [];
  for (const record of decodeMessage(message).answers ?? []) {
    const ttl = 'ttl' in record ? (record.ttl ?? 0) : 0;
    const data = 'data' in record && typeof record.data === 'string' ? record.data : '';
    const name = validName(record.name);
    if (name === undefined) continue;
    if ((record.type === 'A' || record.type === 'AAAA') && addressType(data) === record.type) {
      found.push({ type: record.type, name, ttl, address: data });
    } else if (record.type === 'CNAME') {
      const target = validName(data);
      if (target) found.push({ type: 'CNAME', name, ttl, target });
    }
  }
  return found.slice(0, MAX_RECORDS);
}

/** Bytes in a label that are a dot, or no text, can make it none. */
function validName(text: string): string | undefined {
  const name = nameFromText(text);
  return nameLength(name) === undefined ? undefined : name;
}
