import type { Answer } from '../answers/answer.ts';
import { nameError, noData, soaRecord } from '../answers/zone-answer.ts';
import type { ChainEnv } from './handler.ts';
import type { Query } from './query.ts';

/** NXDOMAIN or NODATA with the SOA record of the zone that was asked (RFC 2308). */
export function negative(
  env: Pick<ChainEnv, 'clock' | 'settings'>,
  query: Query,
  kind: 'nameError' | 'noData',
): Promise<Answer> {
  const soa = soaRecord(query.zone ?? env.settings.domain, env.clock.now(), env.settings);
  return Promise.resolve(kind === 'nameError' ? nameError(soa) : noData(soa));
}
