import type { Node } from '../../api/shapes/catalog.ts';
import { type Random, shuffled } from '../../core/random.ts';
import type { ResourceRecord, SoaRecord } from '../wire/record.ts';
import { addressRecord } from './address-records.ts';
import { type Answer, answerOf, bare } from './answer.ts';
import { nodeDnsName } from './names.ts';
import type { AnswerSettings } from './settings.ts';

/** Consul names up to three servers. */
const MAX_NAME_SERVERS = 3;

/** The start of authority of `zone`; its serial is the time of the answer in seconds, for data may differ each second. */
export function soaRecord(zone: string, nowMs: number, settings: Pick<AnswerSettings, 'soa'>): SoaRecord {
  const { refresh, retry, expire, minTtl } = settings.soa;
  return {
    type: 'SOA',
    name: zone,
    ttl: minTtl,
    primary: `ns.${zone}`,
    mailbox: `hostmaster.${zone}`,
    serial: Math.floor(nowMs / 1000) >>> 0,
    refresh,
    retry,
    expire,
    minimum: minTtl,
  };
}

/** The name does not exist (RFC 2308 section 2.1). */
export function nameError(soa: SoaRecord): Answer {
  return answerOf({ rcode: 'NXDOMAIN', authority: [soa] });
}

/** The name exists, but not with this type (RFC 2308 section 2.2). */
export function noData(soa: SoaRecord): Answer {
  return answerOf({ authority: [soa] });
}

/** Answers NS for the zone: up to three servers, chosen at random, with their addresses. */
export function nameServerAnswer(
  zone: string,
  servers: readonly Node[],
  random: Pick<Random, 'next'>,
  settings: AnswerSettings,
): Answer {
  const chosen = nameServers(zone, servers, random, settings);
  return answerOf({ answers: chosen.map(({ record, glue }) => ({ record, glue, extras: [] })) });
}

/** Answers SOA, with the servers beside it. */
export function soaAnswer(
  soa: SoaRecord,
  zone: string,
  servers: readonly Node[],
  random: Pick<Random, 'next'>,
  settings: AnswerSettings,
): Answer {
  const chosen = nameServers(zone, servers, random, settings);
  return answerOf({
    answers: [bare(soa)],
    authority: chosen.map(({ record }) => record),
    additional: chosen.flatMap(({ glue }) => glue),
  });
}

function nameServers(
  zone: string,
  servers: readonly Node[],
  random: Pick<Random, 'next'>,
  settings: AnswerSettings,
): { record: ResourceRecord; glue: ResourceRecord[] }[] {
  const ttl = settings.nodeTtlSeconds;
  const found: { record: ResourceRecord; glue: ResourceRecord[] }[] = [];
  for (const server of shuffled(servers, random)) {
    const target = nodeDnsName(server, zone, settings.datacenter);
    if (target === undefined) continue;
    const address = addressRecord(target, ttl, server.Address);
    found.push({ record: { type: 'NS', name: zone, ttl, target }, glue: address ? [address] : [] });
    if (found.length === MAX_NAME_SERVERS) break;
  }
  return found;
}
