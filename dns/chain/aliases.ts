import { type Aliases, NO_ALIASES } from '../answers/address-records.ts';
import { addressName } from '../answers/names.ts';
import { addressType } from '../wire/ip-address.ts';
import { isInZone } from '../wire/name.ts';
import type { ResourceRecord } from '../wire/record.ts';
import type { ChainEnv } from './handler.ts';
import { type Query, targetQuery } from './query.ts';

/** A chain of names inside the zone is followed so far (Consul follows three). */
const MAX_DEPTH = 3;

/** Questions of these types are answered with what is known of the names. */
const TYPES: ReadonlySet<string> = new Set(['A', 'AAAA', 'ANY', 'TXT', 'SRV']);

/**
 * Looks up those of `addresses` that are names, all at the same time, so that an answer can hold their addresses; outside the zone
 * only with recursors. Types other than A and AAAA want both.
 */
export async function resolveAliases(env: ChainEnv, query: Query, addresses: readonly string[]): Promise<Aliases> {
  if (!TYPES.has(query.type) || query.depth >= MAX_DEPTH) return NO_ALIASES;
  if (addresses.every((address) => addressType(address) !== undefined)) return NO_ALIASES;
  const type = query.type === 'A' || query.type === 'AAAA' ? query.type : 'ANY';
  const sought = new Map<string, Promise<readonly ResourceRecord[]>>();
  for (const address of new Set(addresses)) {
    const name = addressType(address) === undefined ? addressName(address)?.toLowerCase() : undefined;
    if (name === undefined || sought.has(name)) continue;
    const isOwn = isOurs(name, env);
    if (!isOwn && !env.foreignNames) continue;
    if (query.budget.left-- <= 0) break;
    sought.set(name, isOwn ? ownRecords(env, query, address, type) : env.foreignNames!.records(address, type));
  }
  return new Map(await Promise.all([...sought].map(async ([name, records]) => [name, await records] as const)));
}

async function ownRecords(env: ChainEnv, query: Query, name: string, type: string): Promise<ResourceRecord[]> {
  const answer = await env.resolve(targetQuery(query, name, type, env.settings));
  return answer.answers.map(({ record }) => record).filter((record) => record.type !== 'TXT');
}

function isOurs(name: string, env: ChainEnv): boolean {
  const { domain, altDomain } = env.settings;
  return isInZone(name, domain) || (altDomain !== undefined && isInZone(name, altDomain));
}
