import type { ServedChain } from '../../routes/chain-routes.ts';
import type { ExportedService } from '../../routes/config-routes.ts';
import { CONFIG_KINDS, SPECS } from '../../shapes/config-entry/decode.ts';
import type { ConfigKind } from '../../shapes/config-entry/entry.ts';
import type {
  Authorization,
  CaConfiguration,
  CaRoot,
  CaRoots,
  IssuedCertificate,
  LeafCertificate,
} from '../../shapes/connect.ts';
import type { ChainNode, ChainResolver, ChainSplit, ChainTarget } from '../../shapes/discovery-chain.ts';
import type { Intention } from '../../shapes/intention.ts';
import type { AssignedAddresses } from '../../shapes/virtual-address.ts';
import { shownFields } from '../body-schema.ts';
import {
  always,
  anyObject,
  bool,
  choice,
  count,
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
import { INDEXES } from './catalog.ts';

const BOUND_REFERENCE = object({ Kind: text(), Name: text(), SectionName: text() });
const PEM = text('In PEM.');
const VALIDITY = { ValidAfter: time(), ValidBefore: time() };

/** `ServiceDefaultsEntry`. */
function schemaName(kind: ConfigKind): string {
  const words = kind.split('-').map((word) => `${word[0]!.toUpperCase()}${word.slice(1)}`);
  return `${words.join('')}Entry`;
}

/** Of one kind, as it is shown; a body may have the same fields. */
function entrySchema(kind: ConfigKind): JsonSchema {
  const optional = Object.entries(shownFields(SPECS[kind].fields)).map(([name, schema]) => [`${name}?`, schema]);
  return object({
    Kind: always(kind),
    // What there is one of need not be named.
    [SPECS[kind].only === undefined ? 'Name' : 'Name?']: text(),
    'Meta?': mapOf(text()),
    ...Object.fromEntries(optional),
    'Hash?': count('In answers: of its content.'),
    'CreateIndex?': count('In answers.'),
    'ModifyIndex?': count('In answers.'),
  });
}

/** Certificates, intentions, configuration entries, discovery chains. */
export const MESH_SCHEMAS: Readonly<Record<string, JsonSchema>> = {
  CaRoot: record<CaRoot>({
    ID: text(),
    Name: text(),
    SerialNumber: number(),
    SigningKeyID: text(),
    ExternalTrustDomain: text(),
    NotBefore: time(),
    NotAfter: time(),
    RootCert: PEM,
    IntermediateCerts: orNull(listOf(PEM)),
    Active: bool(),
    PrivateKeyType: text(),
    PrivateKeyBits: int(),
    ...INDEXES,
  }),
  CaRoots: record<CaRoots>({ ActiveRootID: text(), TrustDomain: text(), Roots: listOf(ref('CaRoot')) }),
  CaConfiguration: record<CaConfiguration>({
    Provider: text(),
    Config: anyObject('Never a private key.'),
    State: always(null),
    ForceWithoutCrossSigning: bool(),
    ...INDEXES,
  }),
  LeafCertificate: record<LeafCertificate>({
    SerialNumber: text(),
    CertPEM: PEM,
    PrivateKeyPEM: PEM,
    Service: text(),
    ServiceURI: text('A SPIFFE ID.'),
    ...VALIDITY,
    ...INDEXES,
  }),
  IssuedCertificate: record<IssuedCertificate>({
    SerialNumber: text(),
    CertPEM: PEM,
    URI: text(),
    ...VALIDITY,
    RootID: text(),
    Index: count(),
  }),
  Authorization: record<Authorization>({ Authorized: bool(), Reason: text() }),
  Intention: record<Intention>({
    'ID?': text('Of those that the deprecated endpoints made.'),
    'Description?': text(),
    SourceNS: text(),
    SourceName: text(),
    'SourcePeer?': text(),
    DestinationNS: text(),
    DestinationName: text(),
    SourceType: text(),
    'Action?': choice(['allow', 'deny']),
    'Permissions?': listOf(anyObject('What of the requests is allowed or denied.')),
    'Meta?': mapOf(text()),
    Precedence: int('The highest that fits decides.'),
    'CreatedAt?': time(),
    'UpdatedAt?': time(),
    'Hash?': text(),
    ...INDEXES,
  }),
  ExportedService: record<ExportedService>({
    Service: text(),
    Consumers: object({ Peers: listOf(text()) }),
  }),
  ConfigEntry: {
    type: 'object',
    ...oneOf(CONFIG_KINDS.map((kind) => ref(schemaName(kind)))),
    discriminator: {
      propertyName: 'Kind',
      mapping: Object.fromEntries(CONFIG_KINDS.map((kind) => [kind, `#/components/schemas/${schemaName(kind)}`])),
    },
  },
  ...Object.fromEntries(CONFIG_KINDS.map((kind) => [schemaName(kind), entrySchema(kind)])),
  BoundApiGateway: object({
    Kind: choice(['bound-api-gateway']),
    Name: text(),
    Listeners: listOf(object({ Name: text(), Routes: listOf(BOUND_REFERENCE), Certificates: listOf(BOUND_REFERENCE) })),
    ...INDEXES,
  }),
  AssignedAddresses: record<AssignedAddresses>({
    Found: bool('Whether the service is in the mesh.'),
    ServiceFound: bool('The same.'),
    UnassignedFrom: listOf(object({ ServiceName: object({ Name: text() }), Peer: text() })),
  }),
  DiscoveryChain: record<ServedChain>({
    ServiceName: text(),
    Namespace: text(),
    Partition: text(),
    Datacenter: text(),
    'CustomizationHash?': text('There when the request changed something.'),
    'Default?': always(true, 'Nothing is configured for the service.'),
    Protocol: text(),
    'ServiceMeta?': mapOf(text()),
    StartNode: text(),
    Nodes: mapOf(ref('ChainNode')),
    Targets: mapOf(ref('ChainTarget')),
    AutoVirtualIPs: orNull(listOf(text())),
    ManualVirtualIPs: orNull(listOf(text())),
  }),
  ChainNode: record<ChainNode>({
    Type: choice(['router', 'splitter', 'resolver']),
    Name: text(),
    'Routes?': listOf(object({ Definition: anyObject(), NextNode: text() })),
    'Splits?': listOf(record<ChainSplit>({ Definition: anyObject(), Weight: number('In percent.'), NextNode: text() })),
    'Resolver?': record<ChainResolver>({
      'Default?': always(true),
      ConnectTimeout: text(),
      'RequestTimeout?': text(),
      Target: text(),
      'Failover?': object({ Targets: listOf(text()), 'Policy?': anyObject() }),
    }),
    'LoadBalancer?': anyObject(),
  }),
  ChainTarget: record<ChainTarget>({
    ID: text(),
    Service: text(),
    'ServiceSubset?': text(),
    Namespace: text(),
    'Partition?': text(),
    'Datacenter?': text(),
    'Peer?': text(),
    MeshGateway: anyObject(),
    Subset: anyObject(),
    TransparentProxy: anyObject(),
    ConnectTimeout: text(),
    'External?': always(true),
    SNI: text(),
    Name: text(),
  }),
};
