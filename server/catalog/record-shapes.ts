import type { RecordKind } from './keys.ts';
import { BOOL, fields, listOf, mapOf, maybe, NAME, NUMBER, OBJECT, type Shape, TEXT } from './record-shape.ts';

const TEXTS = maybe(mapOf(TEXT));
const OWNERSHIP = { owner: maybe(TEXT), ref: maybe(TEXT), hash: maybe(TEXT) };

const CONTENT = fields({
  ID: TEXT,
  Service: TEXT,
  Tags: listOf(TEXT),
  Address: maybe(TEXT),
  Meta: TEXTS,
  Port: maybe(NUMBER),
  Weights: fields({ Passing: NUMBER, Warning: NUMBER }),
  EnableTagOverride: maybe(BOOL),
  Kind: maybe(TEXT),
  TaggedAddresses: maybe(mapOf(fields({ Address: maybe(TEXT), Port: maybe(NUMBER) }))),
  Ports: maybe(listOf(OBJECT)),
  SocketPath: maybe(TEXT),
  Locality: maybe(OBJECT),
  Proxy: maybe(OBJECT),
  Connect: maybe(OBJECT),
});

const DEFINITION = fields({
  HTTP: maybe(TEXT),
  TCP: maybe(TEXT),
  UDP: maybe(TEXT),
  GRPC: maybe(TEXT),
  H2PING: maybe(TEXT),
  TTL: maybe(TEXT),
  DeregisterCriticalServiceAfter: maybe(TEXT),
});

const CHECK_STATE = fields({ status: TEXT, output: TEXT, since: maybe(NUMBER) });

/** What the whole record of each kind has to be for the catalog to hold it and to show it. */
export const RECORD_SHAPES: Readonly<Record<RecordKind, Shape>> = {
  node: fields({
    name: NAME,
    id: TEXT,
    address: TEXT,
    taggedAddresses: TEXTS,
    meta: TEXTS,
    locality: maybe(OBJECT),
  }),
  nodeId: NAME,
  instance: fields({ node: TEXT, namespace: TEXT, content: CONTENT, ...OWNERSHIP }),
  checkDefinition: fields({
    node: TEXT,
    namespace: TEXT,
    checkId: TEXT,
    name: maybe(TEXT),
    notes: maybe(TEXT),
    serviceId: TEXT,
    type: maybe(TEXT),
    interval: maybe(TEXT),
    timeout: maybe(TEXT),
    exposedPort: maybe(NUMBER),
    definition: DEFINITION,
    state: maybe(CHECK_STATE),
    heartbeatMs: maybe(NUMBER),
    serfPort: maybe(NUMBER),
    ...OWNERSHIP,
  }),
  checkState: CHECK_STATE,
  owner: fields({ epoch: NUMBER }),
};
