import type { GatewayService } from '../../shapes/gateway.ts';
import type {
  CatalogOverview,
  IntentionDecision,
  ListedService,
  NodeWithContent,
  ServiceSummary,
  ServiceTopology,
  StatusCount,
  TopologySource,
  TopologySummary,
} from '../../shapes/ui.ts';
import {
  always,
  bool,
  choice,
  count,
  type Described,
  int,
  type JsonSchema,
  listOf,
  mapOf,
  object,
  orNull,
  record,
  ref,
  text,
} from '../schema.ts';
import { INDEXES } from './catalog.ts';

const TEXTS = orNull(listOf(text()));
const SOURCES: readonly TopologySource[] = [
  'proxy-registration',
  'routing-config',
  'specific-intention',
  'wildcard-intention',
  'default-allow',
];

const SUMMARY: Described<ServiceSummary> = {
  'Kind?': text('Of the mesh’s own services.'),
  Name: text(),
  Datacenter: text(),
  Tags: TEXTS,
  Nodes: listOf(text()),
  ExternalSources: TEXTS,
  InstanceCount: count(),
  ChecksPassing: count(),
  ChecksWarning: count(),
  ChecksCritical: count(),
  GatewayConfig: object({ 'AssociatedServiceCount?': count(), 'Addresses?': listOf(text()) }),
  TransparentProxy: bool(),
  ConnectNative: bool(),
};

/** Gateways, and what Consul's user interface asks. */
export const UI_SCHEMAS: Readonly<Record<string, JsonSchema>> = {
  GatewayService: record<GatewayService>({
    Gateway: object({ Name: text() }),
    Service: object({ Name: text() }),
    GatewayKind: choice(['terminating-gateway', 'ingress-gateway', 'api-gateway']),
    'Port?': int('Of the listener.'),
    'Protocol?': text(),
    'Hosts?': listOf(text()),
    'CAFile?': text(),
    'CertFile?': text(),
    'KeyFile?': text(),
    'SNI?': text(),
    'AutoHostRewrite?': always(true),
    'FromWildcard?': always(true),
    'ServiceKind?': choice(['service', 'destination']),
    ...INDEXES,
  }),
  ServiceSummary: record<ServiceSummary>(SUMMARY, 'What the instances of a service have in common.'),
  ListedService: record<ListedService>({ ...SUMMARY, ConnectedWithProxy: bool(), ConnectedWithGateway: bool() }),
  NodeWithContent: record<NodeWithContent>({
    ID: text(),
    Node: text(),
    Address: text(),
    Datacenter: text(),
    TaggedAddresses: orNull(mapOf(text())),
    Meta: orNull(mapOf(text())),
    'Locality?': ref('Locality'),
    Services: listOf(ref('ServiceInstance')),
    Checks: listOf(ref('HealthCheck')),
    ...INDEXES,
  }),
  StatusCount: record<StatusCount>({
    'Name?': text(),
    Total: count(),
    Passing: count(),
    Warning: count(),
    Critical: count(),
  }),
  CatalogOverview: record<CatalogOverview>({
    Nodes: listOf(ref('StatusCount')),
    Services: listOf(ref('StatusCount')),
    Checks: listOf(ref('StatusCount')),
  }),
  TopologySummary: record<TopologySummary>({
    ...SUMMARY,
    Source: choice(SOURCES),
    Intention: record<IntentionDecision>({
      DefaultAllow: bool(),
      Allowed: bool(),
      HasPermissions: bool(),
      ExternalSource: text(),
      HasExact: bool(),
    }),
  }),
  ServiceTopology: record<ServiceTopology>({
    Protocol: text(),
    TransparentProxy: bool(),
    Upstreams: listOf(ref('TopologySummary')),
    Downstreams: listOf(ref('TopologySummary')),
    FilteredByACLs: always(false),
  }),
};
