import { ANY, BOOL, DURATION, decodeBody, INT, list, map, object, type Schema, STRING } from '../decode.ts';
import type { OwnerState } from './owned.ts';
import type { Deregistration, Registration } from './registration.ts';

/** What Consul's own answers carry: clients send records back as they read them. */
const RAFT_INDEX = ['CreateIndex', 'ModifyIndex'];

const SERVICE_ADDRESS = object({ Address: STRING, Port: INT });

const CHECK_DEFINITION = object({
  HTTP: STRING,
  Method: STRING,
  Header: map(list(STRING)),
  Body: STRING,
  DisableRedirects: BOOL,
  TLSServerName: STRING,
  TLSSkipVerify: BOOL,
  TCP: STRING,
  TCPUseTLS: BOOL,
  TTL: DURATION,
  Interval: DURATION,
  Timeout: DURATION,
  SuccessBeforePassing: INT,
  FailuresBeforeWarning: INT,
  FailuresBeforeCritical: INT,
  DeregisterCriticalServiceAfter: DURATION,
  OutputMaxSize: INT,
  UDP: STRING,
  GRPC: STRING,
  GRPCUseTLS: BOOL,
  H2PING: STRING,
  H2PingUseTLS: BOOL,
  // Kept and shown as Consul does; no agent runs these kinds.
  OSService: STRING,
  AliasNode: STRING,
  AliasService: STRING,
  DockerContainerID: STRING,
  Shell: STRING,
  ScriptArgs: list(STRING),
});

export const CHECK = object(
  {
    Node: STRING,
    CheckID: STRING,
    Name: STRING,
    Status: STRING,
    Notes: STRING,
    Output: STRING,
    ServiceID: STRING,
    Type: STRING,
    Interval: STRING,
    Timeout: STRING,
    ExposedPort: INT,
    Definition: CHECK_DEFINITION,
    Namespace: STRING,
  },
  ['ServiceName', 'ServiceTags', 'PeerName', ...RAFT_INDEX],
);

/** Of a node or an instance. */
export const LOCALITY = object({ Region: STRING, Zone: STRING });

export const SERVICE = object(
  {
    ID: STRING,
    Service: STRING,
    Kind: STRING,
    Tags: list(STRING),
    Address: STRING,
    TaggedAddresses: map(SERVICE_ADDRESS),
    Meta: map(STRING),
    Port: INT,
    Ports: list(object({ Name: STRING, Port: INT, Default: BOOL })),
    SocketPath: STRING,
    Weights: object({ Passing: INT, Warning: INT }),
    EnableTagOverride: BOOL,
    Proxy: ANY,
    Connect: ANY,
    Namespace: STRING,
    Locality: LOCALITY,
  },
  ['PeerName', ...RAFT_INDEX],
);

export const REGISTRATION: Schema = object(
  {
    Datacenter: STRING,
    ID: STRING,
    Node: STRING,
    Address: STRING,
    TaggedAddresses: map(STRING),
    NodeMeta: map(STRING),
    Service: SERVICE,
    Check: CHECK,
    Checks: list(CHECK),
    SkipNodeUpdate: BOOL,
    Namespace: STRING,
    Locality: LOCALITY,
  },
  ['PeerName', 'WriteRequest', ...RAFT_INDEX],
);

export const DEREGISTRATION: Schema = object(
  { Datacenter: STRING, Node: STRING, ServiceID: STRING, CheckID: STRING, Namespace: STRING },
  ['Address', 'PeerName', 'WriteRequest'],
);

export const OWNER_STATE: Schema = object({ Owner: STRING, Epoch: INT });

/** Body of PUT /v1/catalog/register. Whether the values make sense together is the catalog's to say. @throws AppError `badRequest`. */
export function decodeRegistration(body: Buffer): Registration {
  const decoded = (decodeBody(REGISTRATION, body) ?? {}) as Registration;
  return { ...decoded, Node: decoded.Node ?? '' };
}

/** Body of PUT /v1/catalog/deregister. @throws AppError `badRequest`. */
export function decodeDeregistration(body: Buffer): Deregistration {
  const decoded = (decodeBody(DEREGISTRATION, body) ?? {}) as Deregistration;
  return { ...decoded, Node: decoded.Node ?? '' };
}

/** Body of PUT /v1/owner/:kind/:name. @throws AppError `badRequest`. */
export function decodeOwnerState(body: Buffer): OwnerState {
  const decoded = (decodeBody(OWNER_STATE, body) ?? {}) as Partial<OwnerState>;
  return { Owner: decoded.Owner ?? '', Epoch: decoded.Epoch ?? 0 };
}
