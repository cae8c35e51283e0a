import { aggregateStatus, type CheckStatus, type HealthEntry } from '../../api/shapes/catalog.ts';
import { drawn, type Random } from '../../core/random.ts';
import { addressType } from '../wire/ip-address.ts';
import type { ResourceRecord } from '../wire/record.ts';
import { type Aliases, addressAnswers, addressRecord } from './address-records.ts';
import { type AnswerRecord, bare } from './answer.ts';
import { metaRecords } from './meta-text.ts';
import type { ServiceForm } from './name-form.ts';
import { addrDnsName, addressName, nodeDnsName } from './names.ts';
import { type AnswerSettings, serviceTtl } from './settings.ts';

/** An instance that may be answered with, and the status that its weight hangs on. */
export interface LiveInstance {
  readonly entry: HealthEntry;
  readonly status: CheckStatus;
}

/** How instances are answered with. */
export interface AnswerForm extends Pick<ServiceForm, 'service' | 'port'> {
  /** Instead of the service's own time to live. */
  readonly ttlSeconds?: number;
  /** The instances are in the order that the answer is to have. */
  readonly inOrder?: boolean;
}

const SRV_PRIORITY = 1;

/**
 * The instances that fit the form's tag and port and are healthy enough: critical ones (maintenance is a critical
 * check) never are, those with a warning unless `onlyPassing`.
 */
export function liveInstances(
  entries: readonly HealthEntry[],
  form: Pick<ServiceForm, 'tag' | 'port'>,
  settings: Pick<AnswerSettings, 'onlyPassing'>,
): LiveInstance[] {
  const live: LiveInstance[] = [];
  for (const entry of entries) {
    if (form.tag !== undefined && !hasTag(entry, form.tag)) continue;
    if (form.port !== undefined && servicePort(entry, form.port) === undefined) continue;
    const status = aggregateStatus(entry.Checks);
    if (status === 'critical' || (status === 'warning' && settings.onlyPassing)) continue;
    live.push({ entry, status });
  }
  return live;
}

function hasTag(entry: HealthEntry, tag: string): boolean {
  const wanted = tag.toLowerCase();
  return entry.Service.Tags.some((candidate) => candidate.toLowerCase() === wanted);
}

/** The port with this name (without case), or the default one. */
function servicePort(entry: HealthEntry, port: string | undefined): number | undefined {
  if (port === undefined) return entry.Service.Port;
  const wanted = port.toLowerCase();
  return entry.Service.Ports?.find((candidate) => candidate.Name.toLowerCase() === wanted)?.Port;
}

/** An instance's own address, else its node's. */
export function instanceAddress(entry: HealthEntry): string {
  return entry.Service.Address || entry.Node.Address;
}

/** What the records of a service are made with. */
export interface RecordContext {
  readonly zone: string;
  readonly aliases: Aliases;
  readonly random: Pick<Random, 'next'>;
  /** So many records are enough. */
  readonly most: number;
}

/**
 * The answer records of a service lookup, in random order. TXT gets the addresses, as from Consul. No record means: not with
 * this type.
 */
export function serviceRecords(
  question: { readonly name: string; readonly type: string },
  form: AnswerForm,
  live: readonly LiveInstance[],
  context: RecordContext,
  settings: AnswerSettings,
): AnswerRecord[] {
  const { name, type } = question;
  const { aliases, most } = context;
  const ttl = form.ttlSeconds ?? serviceTtl(form.service, settings.serviceTtlSeconds);
  const order = form.inOrder ? live : drawn(live, context.random);
  switch (type) {
    case 'A':
    case 'AAAA':
    case 'ANY':
    case 'TXT':
      return addressAnswers({ name, ttl, type: type === 'TXT' ? 'ANY' : type }, addressesOf(order), aliases, most);
    case 'CNAME':
      return aliasOf(name, ttl, [...addressesOf(order)]);
    case 'SRV':
      return srvRecords(name, ttl, form, order, context, settings);
    default:
      return [];
  }
}

function* addressesOf(order: Iterable<LiveInstance>): Generator<string, void, undefined> {
  for (const { entry } of order) yield instanceAddress(entry);
}

/** The CNAME of a service whose instances all have names for addresses. */
function aliasOf(name: string, ttl: number, addresses: readonly string[]): AnswerRecord[] {
  if (addresses.some((address) => addressType(address) !== undefined)) return [];
  const target = addresses.map(addressName).find((candidate) => candidate !== undefined);
  return target === undefined ? [] : [bare({ type: 'CNAME', name, ttl, target })];
}

function srvRecords(
  name: string,
  ttl: number,
  form: AnswerForm,
  order: Iterable<LiveInstance>,
  context: RecordContext,
  settings: AnswerSettings,
): AnswerRecord[] {
  const seen = new Set<string>();
  const records: AnswerRecord[] = [];
  for (const instance of order) {
    if (records.length >= context.most) break;
    const { entry } = instance;
    const port = servicePort(entry, form.port) ?? 0;
    const key = `${entry.Node.Node}\n${instanceAddress(entry)}\n${port}`;
    if (seen.has(key)) continue;
    seen.add(key);
    const target = srvTarget(entry, ttl, context, settings);
    if (!target) continue;
    const weight = weightOf(instance);
    const record: ResourceRecord = {
      type: 'SRV',
      name,
      ttl,
      priority: SRV_PRIORITY,
      weight,
      port: uint16(port),
      target: target.name,
    };
    records.push({
      record,
      glue: target.glue,
      extras: settings.nodeMetaTxt ? nodeMeta(entry, ttl, context.zone, settings) : [],
    });
  }
  return records;
}

/** Where an SRV record points: the node's name, the `.addr` name of an instance's own address, or a name as it is. */
function srvTarget(
  entry: HealthEntry,
  ttl: number,
  context: Pick<RecordContext, 'zone' | 'aliases'>,
  settings: AnswerSettings,
): { name: string; glue: readonly ResourceRecord[] } | undefined {
  const { zone, aliases } = context;
  const address = instanceAddress(entry);
  const type = addressType(address);
  if (type === undefined) {
    const name = addressName(address);
    return name === undefined ? undefined : { name, glue: aliases.get(name.toLowerCase()) ?? [] };
  }
  const datacenter = entry.Node.Datacenter || settings.datacenter;
  const nodeName = entry.Service.Address === '' ? nodeDnsName(entry.Node, zone, datacenter) : undefined;
  const name = nodeName ?? addrDnsName(address, type, zone, datacenter);
  const glue = addressRecord(name, ttl, address);
  return { name, glue: glue ? [glue] : [] };
}

function nodeMeta(entry: HealthEntry, ttl: number, zone: string, settings: AnswerSettings): readonly ResourceRecord[] {
  if (entry.Node.Meta === null) return [];
  const name = nodeDnsName(entry.Node, zone, settings.datacenter);
  return name === undefined ? [] : metaRecords(name, ttl, entry.Node.Meta);
}

/** Weights.Passing or Weights.Warning, as 16 bits; 1 where none is given. */
function weightOf({ entry, status }: LiveInstance): number {
  const weights = entry.Service.Weights;
  return uint16((status === 'warning' ? weights?.Warning : weights?.Passing) ?? 1);
}

function uint16(value: number): number {
  return Math.min(Math.max(0, Math.trunc(value)), 0xffff);
}
