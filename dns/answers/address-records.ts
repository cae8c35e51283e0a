import { addressType } from '../wire/ip-address.ts';
import type { ResourceRecord } from '../wire/record.ts';
import { type AnswerRecord, bare } from './answer.ts';
import { addressName } from './names.ts';

/**
 * Address records of names inside the zone that instances or nodes use as their address, looked up beforehand. Keys
 * are in lower case and presentation form.
 */
export type Aliases = ReadonlyMap<string, readonly ResourceRecord[]>;

export const NO_ALIASES: Aliases = new Map();

/** The A or AAAA record of an address; undefined when it is no IP address. */
export function addressRecord(name: string, ttl: number, address: string): ResourceRecord | undefined {
  const type = addressType(address);
  return type && { type, name, ttl, address };
}

/** Whether a question of this type wants address records of the type `record`. */
export function wantsAddress(questionType: string, record: 'A' | 'AAAA'): boolean {
  return questionType === 'ANY' || questionType === record;
}

/**
 * Address records for `addresses`, each value once, in their order, `most` at most. Where none is of the wanted type but one is a
 * name, a CNAME with that name (one only: RFC 2181 section 10.1) and what is known of it.
 */
export function addressAnswers(
  question: { readonly name: string; readonly ttl: number; readonly type: string },
  addresses: Iterable<string>,
  aliases: Aliases,
  most: number = Number.POSITIVE_INFINITY,
): AnswerRecord[] {
  const { name, ttl, type: wanted } = question;
  const seen = new Set<string>();
  const records: AnswerRecord[] = [];
  let alias: string | undefined;
  for (const address of addresses) {
    if (records.length >= most) break;
    if (seen.has(address)) continue;
    seen.add(address);
    const type = addressType(address);
    if (type === undefined) alias ??= addressName(address);
    else if (wantsAddress(wanted, type)) records.push(bare({ type, name, ttl, address }));
  }
  if (records.length > 0 || alias === undefined) return records;
  return [bare({ type: 'CNAME', name, ttl, target: alias }), ...aliasAnswers(alias, wanted, aliases)];
}

function aliasAnswers(alias: string, questionType: string, aliases: Aliases): AnswerRecord[] {
  const known = aliases.get(alias.toLowerCase()) ?? [];
  return known
    .filter((record) => record.type === 'CNAME' || wantsAddress(questionType, record.type as 'A' | 'AAAA'))
    .map(bare);
}
