import { DEFAULT_NAMESPACE } from '../../api/shapes/catalog.ts';
import type { RecordKind, RecordPlace } from './keys.ts';
import { isObject, shapeProblem } from './record-shape.ts';
import { RECORD_SHAPES } from './record-shapes.ts';
import type { CheckDefinitionRecord, CheckStateRecord, InstanceContent, InstanceRecord, Ownership } from './records.ts';

/*
 * The packed form of a record: a JSON array of one object that has only what neither the key says nor goes without saying.
 * The plain form is the whole record as a JSON object. A packed record takes a quarter of the bytes.
 */

/** Kinds of which the packed form is known. */
export type PackedKind = 'instance' | 'checkDefinition' | 'checkState';

type Fields = Record<string, unknown>;
type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** The packed form of the record that lies there. */
export function packRecord(kind: PackedKind, record: object, place: RecordPlace): string {
  return JSON.stringify([packedOf(kind, record, place)]);
}

/** Whether a record's kind has a packed form. */
export function isPackedKind(kind: RecordKind): kind is PackedKind {
  return kind === 'instance' || kind === 'checkDefinition' || kind === 'checkState';
}

/** The whole record of what was parsed of either form. @throws Error for what is neither, naming the field. */
export function unpackRecord(kind: PackedKind, parsed: unknown, place: RecordPlace): object {
  const record = Array.isArray(parsed) ? unpacked(kind, onlyOf(parsed), place) : parsed;
  const problem = shapeProblem(record, RECORD_SHAPES[kind]);
  if (problem !== undefined) throw new Error(problem);
  return record as object;
}

function onlyOf(list: readonly unknown[]): Fields {
  const [packed] = list;
  if (list.length === 1 && isObject(packed)) return packed;
  throw new Error('a packed record must be a list of one object');
}

function unpacked(kind: PackedKind, packed: Fields, place: RecordPlace): object {
  if (kind === 'instance') return unpackInstance(packed, place);
  return kind === 'checkDefinition' ? unpackDefinition(packed, place) : unpackState(packed);
}

/** Without a list of their names: most have none. */
function hasFields(value: object): boolean {
  for (const _ in value) return true;
  return false;
}

function packedOf(kind: PackedKind, record: object, place: RecordPlace): Fields {
  if (kind === 'instance') return packInstance(record as InstanceRecord, place);
  return kind === 'checkDefinition'
    ? packDefinition(record as CheckDefinitionRecord, place)
    : packState(record as CheckStateRecord);
}

function packInstance({ node, namespace, content, ...ownership }: InstanceRecord, place: RecordPlace): Fields {
  const packed: Fields = {};
  packPlace(packed, node, namespace, place);
  packOwnership(packed, ownership);
  packed.content = packContent(content, place);
  return packed;
}

function packContent(content: InstanceContent, place: RecordPlace): Fields {
  const { ID, Service, Tags, Address, Meta, Port, Weights, EnableTagOverride, ...rare } = content;
  const packed: Fields = {};
  if (ID !== idOf(place)) packed.ID = ID;
  packed.Service = Service;
  if (Tags.length > 0) packed.Tags = Tags;
  if (Address !== '') packed.Address = Address;
  if (Meta !== null) packed.Meta = Meta;
  if (Port !== 0) packed.Port = Port;
  if (Weights.Passing !== 1 || Weights.Warning !== 1) packed.Weights = Weights;
  if (EnableTagOverride) packed.EnableTagOverride = true;
  return hasFields(rare) ? { ...packed, ...rare } : packed;
}

function unpackInstance(packed: Fields, place: RecordPlace): InstanceRecord {
  if (!isObject(packed.content)) throw new Error('content must be an object');
  const { ID, Service, Tags, Address, Meta, Port, Weights, EnableTagOverride, ...rare } =
    packed.content as Partial<InstanceContent>;
  const common: InstanceContent = {
    ID: ID ?? idOf(place),
    Service: Service!,
    Tags: Tags ?? [],
    Address: Address ?? '',
    Meta: Meta ?? null,
    Port: Port ?? 0,
    Weights: Weights ?? { Passing: 1, Warning: 1 },
    EnableTagOverride: EnableTagOverride ?? false,
  };
  const { owner, ref, hash, node, namespace } = packed as Partial<InstanceRecord>;
  return {
    owner: owner ?? '',
    ref: ref ?? '',
    hash: hash ?? '',
    node: node ?? place.first,
    namespace: namespace ?? namespaceAt(place),
    content: hasFields(rare) ? { ...common, ...rare } : common,
  };
}

function packDefinition(record: CheckDefinitionRecord, place: RecordPlace): Fields {
  const packed: Fields = {};
  packPlace(packed, record.node, record.namespace, place);
  packOwnership(packed, record);
  if (record.checkId !== idOf(place)) packed.checkId = record.checkId;
  if (record.name !== '') packed.name = record.name;
  if (record.notes !== '') packed.notes = record.notes;
  if (record.serviceId !== '') packed.serviceId = record.serviceId;
  if (record.type !== '') packed.type = record.type;
  if (record.interval !== '') packed.interval = record.interval;
  if (record.timeout !== '') packed.timeout = record.timeout;
  if (record.exposedPort !== 0) packed.exposedPort = record.exposedPort;
  if (hasFields(record.definition)) packed.definition = record.definition;
  if (record.state) packed.state = packState(record.state);
  if (record.heartbeatMs !== undefined) packed.heartbeatMs = record.heartbeatMs;
  if (record.serfPort !== undefined) packed.serfPort = record.serfPort;
  return packed;
}

function unpackDefinition(packed: Partial<CheckDefinitionRecord>, place: RecordPlace): CheckDefinitionRecord {
  const record: Mutable<CheckDefinitionRecord> = {
    node: packed.node ?? place.first,
    namespace: packed.namespace ?? namespaceAt(place),
    checkId: packed.checkId ?? idOf(place),
    name: packed.name ?? '',
    notes: packed.notes ?? '',
    serviceId: packed.serviceId ?? '',
    type: packed.type ?? '',
    interval: packed.interval ?? '',
    timeout: packed.timeout ?? '',
    exposedPort: packed.exposedPort ?? 0,
    definition: packed.definition ?? {},
    owner: packed.owner ?? '',
    ref: packed.ref ?? '',
    hash: packed.hash ?? '',
  };
  if (packed.state) record.state = unpackState(packed.state);
  if (packed.heartbeatMs !== undefined) record.heartbeatMs = packed.heartbeatMs;
  if (packed.serfPort !== undefined) record.serfPort = packed.serfPort;
  return record;
}

function packState({ status, output, since }: CheckStateRecord): Fields {
  const packed: Fields = { status };
  if (output !== '') packed.output = output;
  if (since !== undefined) packed.since = since;
  return packed;
}

function unpackState({ status, output, since }: Partial<CheckStateRecord>): CheckStateRecord {
  const record: Mutable<CheckStateRecord> = { status: status!, output: output ?? '' };
  if (since !== undefined) record.since = since;
  return record;
}

/** Keys hold names in lower case. */
function packPlace(packed: Fields, node: string, namespace: string, place: RecordPlace): void {
  if (node !== place.first) packed.node = node;
  if (namespace !== namespaceAt(place)) packed.namespace = namespace;
}

function packOwnership(packed: Fields, { owner, ref, hash }: Ownership): void {
  if (owner !== '') packed.owner = owner;
  if (ref !== '') packed.ref = ref;
  if (hash !== '') packed.hash = hash;
}

/** The namespace that the place of a record names. */
export function namespaceAt({ local }: RecordPlace): string {
  return local.startsWith(DEFAULT_PREFIX) ? DEFAULT_NAMESPACE : local.slice(0, local.indexOf('/'));
}

/** The id that the place of a record names. */
export function idOf({ local }: RecordPlace): string {
  return local.slice(local.startsWith(DEFAULT_PREFIX) ? DEFAULT_PREFIX.length : local.indexOf('/') + 1);
}

const DEFAULT_PREFIX = `${DEFAULT_NAMESPACE}/`;
