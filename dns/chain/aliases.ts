import { type Aliases, NO_ALIASES } from '../answers/address-records.ts';
import { addressName } from '../answers/names.ts';
import { foreignAddresses } from '../recursor/foreign-addresses.ts';
import { addressType } from '../wire/ip-address.ts';
import { isInZone } from '../wire/name.ts';
import type { ResourceRecord } from '../wire/record.ts';
import type { ChainEnv } from './handler.ts';
import { type Query, targetQuery } from './query.ts';

/** A chain of names inside the zone is followed so far (Consul follows three). */
const MAX_DEPTH = 3;

/**
 * Looks up those of `addresses` that are names, outside the zone only with recursors, so that an answer can hold their addresses. Types
 * other than A and AAAA want both.
 */
export async function resolveAliases(env: ChainEnv, query: Query, addresses: readonly string[]): Promise<Aliases> {
  if (addresses.every((address) => addressType(address) !== undefined) || query.depth >= MAX_DEPTH) return NO_ALIASES;
  const type = query.type === 'A' || query.type === 'AAAA' ? query.type : 'ANY';
  const found = new Map<string, readonly ResourceRecord[]>();
  for (const address of new Set(addresses)) {
    const name = addressType(address) === undefined ? addressName(address)?.toLowerCase() : undefined;
    if (name === undefined || found.has(name) || !(env.recursor || isOurs(name, env))) continue;
    if (query.budget.left-- <= 0) break;
    if (env.recursor && !isOurs(name, env)) {
      found.set(name, await foreignAddresses(env.recursor, address, type));
      continue;
    }
    const answer = await env.resolve(targetQuery(query, address, type, env.settings));
    found.set(
      name,
      answer.answers.map(({ record }) => record).filter((record) => record.type !== 'TXT'),
    );
  }
  return found;
}

function isOurs(name: string, env: ChainEnv): boolean {
  const { domain, altDomain } = env.settings;
  return isInZone(name, domain) || (altDomain !== undefined && isInZone(name, altDomain));
}
