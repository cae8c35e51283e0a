import { decodeMessage } from '../wire/decode-message.ts';
import { encodeQuery } from '../wire/encode-query.ts';
import { addressType } from '../wire/ip-address.ts';
import { nameFromText } from '../wire/name.ts';
import type { ResourceRecord } from '../wire/record.ts';
import type { Recursor } from './recursor.ts';

/** An answer of our own takes so many records of a name outside the zones (Consul's limit). */
const MAX_RECORDS = 5;

/**
 * What recursors say of a name outside the zones: its aliases and addresses. Nothing when they do not know: the answer
 * that the name is part of is right without them.
 */
export async function foreignAddresses(
  recursor: Pick<Recursor, 'ask'>,
  name: string,
  type: 'A' | 'AAAA' | 'ANY',
): Promise<ResourceRecord[]> {
  const found: ResourceRecord[] = [];
  try {
    const message = decodeMessage(await recursor.ask(encodeQuery(name, type), 'udp'));
    for (const record of message.answers ?? []) {
      const ttl = 'ttl' in record ? (record.ttl ?? 0) : 0;
      const data = 'data' in record && typeof record.data === 'string' ? record.data : '';
      const owner = nameFromText(record.name);
      if ((record.type === 'A' || record.type === 'AAAA') && addressType(data) === record.type)
        found.push({ type: record.type, name: owner, ttl, address: data });
      else if (record.type === 'CNAME' && data !== '')
        found.push({ type: 'CNAME', name: owner, ttl, target: nameFromText(data) });
    }
  } catch {
    return [];
  }
  return found.slice(0, MAX_RECORDS);
}
