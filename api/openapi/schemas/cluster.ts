import type { AgentEntries, AssignedCheck } from '../../shapes/agent-sync.ts';
import type { Coordinate, CoordinateEntry, DatacenterCoordinates } from '../../shapes/coordinate.ts';
import type { ExplainedInstance, ExplainedReason, Explanation } from '../../shapes/explain.ts';
import type { Namespace } from '../../shapes/namespace.ts';
import type { AutopilotConfig, RaftServer, Usage } from '../../shapes/operator.ts';
import type { OwnedCheck, OwnedEvent, OwnedInstance, OwnerState } from '../../shapes/owned.ts';
import {
  always,
  bool,
  choice,
  count,
  duration,
  int,
  type JsonSchema,
  listOf,
  mapOf,
  number,
  object,
  oneOf,
  orNull,
  record,
  ref,
  text,
  time,
} from '../schema.ts';
import { INDEXES, STATUS } from './catalog.ts';
import { BODY_META } from './data.ts';

type OwnedKind<T extends OwnedEvent['Type']> = Extract<OwnedEvent, { Type: T }>;

const NAMED = { Namespace: text(), Node: text(), ServiceID: text() };

/** The lines of a stream of instances; `entry` is what an `upsert` holds. */
function streamLine(entry: string): JsonSchema {
  const line = (type: string, more: Readonly<Record<string, JsonSchema>> = {}) =>
    object({ Type: always(type), Index: count('To go on after this line, as `index`.'), ...more });
  return oneOf(
    [
      line('snapshot', { Index: always(0) }),
      line('resume'),
      line('upsert', { Entry: ref(entry) }),
      line('delete', NAMED),
      line('synced'),
      line('heartbeat'),
    ],
    '`snapshot`: forget what you have; `resume`: keep it. Then the instances (`upsert`), then `synced`; changes follow. `heartbeat` comes after at most 10 s of silence.',
  );
}

const AUTOPILOT = {
  CleanupDeadServers: bool(),
  LastContactThreshold: duration(),
  MaxTrailingLogs: int(),
  MinQuorum: int(),
  ServerStabilizationTime: duration(),
  RedundancyZoneTag: text(),
  DisableUpgradeMigration: bool(),
  UpgradeVersionTag: text(),
} satisfies Parameters<typeof record<AutopilotConfig>>[0];

const SERVER = {
  ID: text(),
  Name: text(),
  Address: text(),
  Version: text(),
  LastContact: text(),
  LastTerm: count(),
  LastIndex: count(),
  Healthy: bool(),
  StableSince: time(),
};

/** Servers, coordinates, namespaces, owners, streams. */
export const CLUSTER_SCHEMAS: Readonly<Record<string, JsonSchema>> = {
  Coordinate: record<Coordinate>(
    { Vec: listOf(number()), Error: number(), Adjustment: number(), Height: number() },
    'A node’s place in the network (Vivaldi with heights); seconds, but for `Error`.',
  ),
  CoordinateEntry: record<CoordinateEntry>({ Node: text(), Segment: text(), Coord: ref('Coordinate') }),
  DatacenterCoordinates: record<DatacenterCoordinates>({
    Datacenter: text(),
    AreaID: text(),
    Coordinates: listOf(ref('CoordinateEntry')),
  }),
  RaftServer: record<RaftServer>({
    ID: text(),
    Node: text(),
    Address: text(),
    Leader: bool(),
    ProtocolVersion: text(),
    Voter: bool(),
    LastIndex: count(),
  }),
  RaftConfiguration: object({ Servers: listOf(ref('RaftServer')), Index: count() }),
  AutopilotConfiguration: object({ ...AUTOPILOT, ...INDEXES }),
  AutopilotHealth: object({
    Healthy: bool(),
    FailureTolerance: count('How many healthy servers may fail.'),
    Servers: listOf(object({ ...SERVER, SerfStatus: choice(['alive', 'failed']), Leader: bool(), Voter: bool() })),
  }),
  AutopilotState: object({
    Healthy: bool(),
    FailureTolerance: count(),
    OptimisticFailureTolerance: count(),
    Servers: mapOf(
      object({
        ...SERVER,
        NodeStatus: choice(['alive', 'failed']),
        Status: choice(['leader', 'voter', 'non-voter']),
        Meta: always(null),
        NodeType: text(),
      }),
    ),
    Leader: text('An id.'),
    Voters: listOf(text()),
  }),
  Usage: object({
    Usage: mapOf(
      record<Usage>({
        Services: count(),
        ServiceInstances: count(),
        ConnectServiceInstances: mapOf(count()),
        BillableServiceInstances: count(),
        Nodes: count(),
      }),
      'By datacenter.',
    ),
    Index: count(),
    ...BODY_META,
  }),
  Namespace: record<Namespace>({ Name: text(), Description: text(), Meta: orNull(mapOf(text())), ...INDEXES }),
  OwnerState: record<OwnerState>({ Owner: text(), Epoch: count() }),
  OwnedCheck: record<OwnedCheck>({
    CheckID: text(),
    Name: text(),
    Status: STATUS,
    Output: text(),
    Owner: text(),
    Ref: text(),
  }),
  OwnedInstance: record<OwnedInstance>({
    ...NAMED,
    ServiceName: text(),
    Address: text(),
    Port: int(),
    Ref: text(),
    Hash: text(),
    Checks: listOf(ref('OwnedCheck')),
  }),
  OwnedLine: oneOf([
    record<OwnedKind<'snapshot'>>({ Type: always('snapshot'), Index: count() }),
    record<OwnedKind<'upsert'>>({ Type: always('upsert'), Index: count(), Instance: ref('OwnedInstance') }),
    record<OwnedKind<'delete'>>({ Type: always('delete'), Index: count(), ...NAMED, Ref: text() }),
    record<OwnedKind<'synced'>>({ Type: always('synced'), Index: count() }),
    record<OwnedKind<'heartbeat'>>({ Type: always('heartbeat'), Index: count() }),
  ]),
  HealthLine: streamLine('HealthEntry'),
  CatalogLine: streamLine('CatalogService'),
  Explanation: record<Explanation>({
    Service: text(),
    Namespace: text(),
    'Reason?': text('Of a service without instances, where the server knows it: why there is none (`lictor dev`).'),
    Instances: listOf(
      record<ExplainedInstance>({
        Node: text(),
        ServiceID: text(),
        Address: text(),
        Port: int(),
        Status: STATUS,
        DNS: bool('Whether DNS answers with it.'),
        Passing: bool('Whether `passing` shows it.'),
        Reasons: listOf(
          record<ExplainedReason>({
            Kind: choice(['check', 'maintenance', 'agentSilent', 'tag', 'nodeMeta', 'filter']),
            Text: text('One line for people.'),
            'CheckID?': text(),
            'Status?': STATUS,
            'Output?': text(),
            'Since?': time(),
          }),
          'What keeps it back, the gravest first.',
        ),
      }),
    ),
    OtherNamespaces: listOf(text(), 'Other namespaces with a service of this name.'),
    Nearest: listOf(text(), 'For a name without instances: services with names that are near.'),
  }),
  AssignedCheck: record<AssignedCheck>({
    Namespace: text(),
    CheckID: text(),
    Name: text(),
    ServiceID: text(),
    ServiceName: text(),
    Definition: ref('CheckDefinition'),
    Status: STATUS,
    Output: text(),
    DefinitionIndex: count(),
  }),
  AgentEntries: record<AgentEntries>({
    Services: listOf(
      object({
        Namespace: text(),
        ServiceID: text(),
        Hash: text(),
        'Tags?': listOf(text('Where EnableTagOverride lets others set them.')),
      }),
    ),
    Checks: listOf(
      object({
        Namespace: text(),
        CheckID: text(),
        ServiceID: text(),
        Hash: text(),
        Status: STATUS,
        Output: text(),
      }),
    ),
  }),
};
