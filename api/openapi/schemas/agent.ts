import type { AgentServiceInstance } from '../../shapes/agent-service.ts';
import {
  always,
  anyObject,
  anything,
  bool,
  choice,
  count,
  int,
  type JsonSchema,
  listOf,
  mapOf,
  number,
  object,
  orNull,
  type record,
  ref,
  text,
} from '../schema.ts';
import { NAMESPACE_SHOWN, STATUS } from './catalog.ts';

const ZERO_INDEXES = { CreateIndex: always(0), ModifyIndex: always(0) };

const AGENT_SERVICE_FIELDS = {
  'Kind?': text(),
  ID: text(),
  Service: text('The name of the service.'),
  Tags: listOf(text()),
  Meta: mapOf(text()),
  Port: int(),
  'Ports?': listOf(ref('NamedPort')),
  Address: text(),
  'TaggedAddresses?': mapOf(ref('ServiceAddress')),
  'SocketPath?': text(),
  'Locality?': ref('Locality'),
  Weights: ref('Weights'),
  EnableTagOverride: bool(),
  'Proxy?': anyObject(),
  'Connect?': anyObject(),
} satisfies Parameters<typeof record<AgentServiceInstance>>[0];

const SHOWN = { ...AGENT_SERVICE_FIELDS, 'Namespace?': NAMESPACE_SHOWN, Datacenter: text() };

const CHECK_FIELDS = {
  Node: text(),
  CheckID: text(),
  Name: text(),
  Status: STATUS,
  Notes: text(),
  Output: text('What the last run said.'),
  ServiceID: text('Empty for a check of the node.'),
  ServiceName: text(),
  'Namespace?': NAMESPACE_SHOWN,
  ExposedPort: always(0),
  ...ZERO_INDEXES,
};

const METRIC = { Name: text(), Labels: mapOf(text()) };
const AGGREGATED = listOf(
  object({
    ...METRIC,
    Count: number(),
    Rate: number(),
    Sum: number(),
    Min: number(),
    Max: number(),
    Mean: number(),
    Stddev: number(),
  }),
);

/** What an agent tells about itself and what it owns. */
export const AGENT_SCHEMAS: Readonly<Record<string, JsonSchema>> = {
  AgentService: object(SHOWN, 'A service instance of this agent.'),
  AgentServiceWithHash: object({ ...SHOWN, ContentHash: text('To wait from with `hash`.') }),
  AgentCheck: object(
    {
      ...CHECK_FIELDS,
      ServiceTags: listOf(text()),
      Type: text(),
      Interval: text(),
      Timeout: text(),
      Definition: object({}),
    },
    'A check of this agent.',
  ),
  AgentServiceHealth: object({
    AggregatedStatus: choice(['passing', 'warning', 'critical', 'maintenance']),
    Service: orNull(ref('AgentService')),
    Checks: orNull(
      listOf(object({ ...CHECK_FIELDS, ServiceTags: always(null), Type: always(''), Definition: anyObject() })),
    ),
  }),
  Member: object(
    {
      Name: text(),
      Addr: text(),
      Port: int(),
      Tags: mapOf(text()),
      Status: { ...int('1 alive, 2 leaving, 3 left, 4 failed.'), enum: [1, 2, 3, 4] },
      ProtocolMin: int(),
      ProtocolMax: int(),
      ProtocolCur: int(),
      DelegateMin: int(),
      DelegateMax: int(),
      DelegateCur: int(),
    },
    'A node that has an agent.',
  ),
  AgentSelf: object({
    Config: object({
      Datacenter: text(),
      PrimaryDatacenter: text(),
      NodeName: text(),
      NodeID: text(),
      Revision: text(),
      Server: bool(),
      Version: text('The version of Consul whose API this is.'),
      BuildDate: text(),
    }),
    DebugConfig: anyObject('What is in force, under Consul’s names; which there are may change.'),
    Stats: mapOf(mapOf(text())),
    Meta: mapOf(text()),
    xDS: anyObject(),
    Coord: ref('Coordinate'),
    Member: ref('Member'),
  }),
  AgentHost: object({
    Memory: object({ total: count(), available: count(), used: count(), usedPercent: number() }, 'Bytes.'),
    CPU: listOf(object({ cpu: int(), modelName: text(), mhz: number() })),
    Host: object({ hostname: text(), uptime: int(), os: text(), kernelVersion: text(), kernelArch: text() }),
    Disk: orNull(
      object(
        { path: text(), total: count(), free: count(), used: count(), usedPercent: number() },
        'Of the data folder.',
      ),
    ),
    CollectionTime: number('Nanoseconds since 1970.'),
    Errors: orNull(listOf(text())),
  }),
  AgentVersion: object({ SHA: text(), BuildDate: text(), HumanVersion: text(), FIPS: text() }),
  Metrics: object(
    {
      Timestamp: text(),
      Gauges: listOf(object({ ...METRIC, Value: number() })),
      Points: listOf(anything()),
      Counters: AGGREGATED,
      Samples: AGGREGATED,
    },
    '`consul.…`: of the last interval; `lictor_…`: sums since the start.',
  ),
};
