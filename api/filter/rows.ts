import { BOOL, INT, list, map, STRING, struct } from './fields.ts';

const INDEXES = { CreateIndex: INT, ModifyIndex: INT };
const WEIGHTS = struct({ Passing: INT, Warning: INT });
const ADDRESSES = map(struct({ Address: STRING, Port: INT }));
const UPSTREAM = struct({
  DestinationType: STRING,
  DestinationNamespace: STRING,
  DestinationPeer: STRING,
  DestinationName: STRING,
  Datacenter: STRING,
  LocalBindAddress: STRING,
  LocalBindPort: INT,
  LocalBindSocketPath: STRING,
  LocalBindSocketMode: STRING,
  MeshGateway: struct({ Mode: STRING }),
});
const PROXY = struct({
  DestinationServiceName: STRING,
  DestinationServiceID: STRING,
  LocalServiceAddress: STRING,
  LocalServicePort: INT,
  LocalServiceSocketPath: STRING,
  Mode: STRING,
  Upstreams: list(UPSTREAM),
  MeshGateway: struct({ Mode: STRING }),
  Expose: struct({
    Checks: BOOL,
    Paths: list(struct({ ListenerPort: INT, Path: STRING, LocalPathPort: INT, Protocol: STRING })),
  }),
  TransparentProxy: struct({ OutboundListenerPort: INT, DialedDirectly: BOOL }),
});
const CONNECT = struct({ Native: BOOL });

/** What filters may ask of a node. */
export const NODE_ROW = struct({
  ID: STRING,
  Node: STRING,
  Address: STRING,
  Datacenter: STRING,
  PeerName: STRING,
  TaggedAddresses: map(STRING),
  Meta: map(STRING),
  ...INDEXES,
});

/** Of an instance, as agents and the lists of a node's instances show it. */
export const INSTANCE_ROW = struct({
  Kind: STRING,
  ID: STRING,
  Service: STRING,
  Tags: list(STRING),
  Address: STRING,
  TaggedAddresses: ADDRESSES,
  Meta: map(STRING),
  Port: INT,
  Ports: list(struct({ Name: STRING, Port: INT, Default: BOOL })),
  SocketPath: STRING,
  Weights: WEIGHTS,
  EnableTagOverride: BOOL,
  PeerName: STRING,
  Proxy: PROXY,
  Connect: CONNECT,
  ...INDEXES,
});

export const CHECK_ROW = struct({
  Node: STRING,
  CheckID: STRING,
  Name: STRING,
  Status: STRING,
  Notes: STRING,
  Output: STRING,
  ServiceID: STRING,
  ServiceName: STRING,
  ServiceTags: list(STRING),
  Type: STRING,
  Interval: STRING,
  Timeout: STRING,
  ExposedPort: INT,
  PeerName: STRING,
  Definition: struct({
    HTTP: STRING,
    Header: map(list(STRING)),
    Method: STRING,
    Body: STRING,
    DisableRedirects: BOOL,
    TLSServerName: STRING,
    TLSSkipVerify: BOOL,
    TCP: STRING,
    TCPUseTLS: BOOL,
    UDP: STRING,
    GRPC: STRING,
    GRPCUseTLS: BOOL,
    H2PING: STRING,
    OSService: STRING,
  }),
  ...INDEXES,
});

/** Of /v1/health/service and its kin. */
export const HEALTH_ROW = struct({ Node: NODE_ROW, Service: INSTANCE_ROW, Checks: list(CHECK_ROW) });

/** Of a node with its instances and checks. */
export const NODE_CONTENT_ROW = struct({
  ID: STRING,
  Node: STRING,
  Address: STRING,
  Datacenter: STRING,
  TaggedAddresses: map(STRING),
  Meta: map(STRING),
  Services: list(INSTANCE_ROW),
  Checks: list(CHECK_ROW),
  ...INDEXES,
});

/** Of /v1/catalog/service: the node's and the instance's fields side by side. */
export const CATALOG_ROW = struct({
  ID: STRING,
  Node: STRING,
  Address: STRING,
  Datacenter: STRING,
  TaggedAddresses: map(STRING),
  NodeMeta: map(STRING),
  ServiceKind: STRING,
  ServiceID: STRING,
  ServiceName: STRING,
  ServiceTags: list(STRING),
  ServiceAddress: STRING,
  ServiceTaggedAddresses: ADDRESSES,
  ServiceWeights: WEIGHTS,
  ServiceMeta: map(STRING),
  ServicePort: INT,
  ServicePorts: list(struct({ Name: STRING, Port: INT, Default: BOOL })),
  ServiceSocketPath: STRING,
  ServiceEnableTagOverride: BOOL,
  ServiceProxy: PROXY,
  ServiceConnect: CONNECT,
  PeerName: STRING,
  ...INDEXES,
});

/** Of /v1/agent/members. */
export const MEMBER_ROW = struct({
  Name: STRING,
  Addr: STRING,
  Port: INT,
  Tags: map(STRING),
  Status: INT,
  ProtocolMin: INT,
  ProtocolMax: INT,
  ProtocolCur: INT,
  DelegateMin: INT,
  DelegateMax: INT,
  DelegateCur: INT,
});

/** What filters may ask of a configuration entry, whatever its kind. */
export const CONFIG_ENTRY_ROW = struct({ Kind: STRING, Name: STRING, Meta: map(STRING), ...INDEXES });

/** Of an intention. */
export const INTENTION_ROW = struct({
  ID: STRING,
  Description: STRING,
  SourceNS: STRING,
  SourceName: STRING,
  SourcePeer: STRING,
  SourceType: STRING,
  DestinationNS: STRING,
  DestinationName: STRING,
  Action: STRING,
  Precedence: INT,
  Meta: map(STRING),
  ...INDEXES,
});
