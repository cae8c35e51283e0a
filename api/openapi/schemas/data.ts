import type { PreparedQuery, QueryFailover, QueryService, QueryTarget } from '../../shapes/prepared-query.ts';
import type { Session, SessionServiceCheck } from '../../shapes/session.ts';
import type { TxnError } from '../../shapes/txn.ts';
import type { UserEvent } from '../../shapes/user-event.ts';
import {
  always,
  bool,
  choice,
  count,
  int,
  type JsonSchema,
  listOf,
  mapOf,
  object,
  oneOf,
  orNull,
  record,
  ref,
  text,
} from '../schema.ts';
import { CHECK_FIELDS, INDEXES, INSTANCE_FIELDS } from './catalog.ts';

const UINT64: JsonSchema = { type: 'integer', minimum: 0, format: 'uint64' };
const texts = orNull(listOf(text()));

/** What answers repeat of their headers in the body. */
export const BODY_META = {
  LastContact: always(0),
  KnownLeader: bool(),
  ConsistencyLevel: text(),
  NotModified: always(false),
  Backend: always(0),
  ResultsFilteredByACLs: always(false),
};

/** Keys, sessions, transactions, prepared queries and events. */
export const DATA_SCHEMAS: Readonly<Record<string, JsonSchema>> = {
  KvPair: object({
    LockIndex: count('How often the key was acquired.'),
    Key: text(),
    Flags: { ...UINT64, description: 'Any 64 bits that the writer gave.' },
    Value: orNull({ type: 'string', contentEncoding: 'base64' }),
    'Session?': text('The session that holds the key.'),
    'Namespace?': text('When it is not `default`.'),
    ...INDEXES,
  }),
  Session: record<Session>({
    ID: text(),
    Name: text(),
    Node: text(),
    LockDelay: count('Nanoseconds in which a lock that was lost cannot be acquired.'),
    Behavior: choice(['release', 'delete'], 'What becomes of its keys when it ends.'),
    TTL: text('It ends when it is not renewed for so long; empty: it lives as long as its checks.'),
    NodeChecks: listOf(text()),
    ServiceChecks: orNull(listOf(record<SessionServiceCheck>({ ID: text(), 'Namespace?': text() }))),
    'Namespace?': text('When it is not `default`.'),
    ...INDEXES,
  }),
  TxnError: record<TxnError>({ OpIndex: int('Which operation.'), What: text() }),
  TxnResult: oneOf([
    object({ KV: ref('KvPair') }),
    object({ Node: ref('Node') }),
    object({ Service: object({ ...INSTANCE_FIELDS, Tags: texts }) }),
    object({ Check: object({ ...CHECK_FIELDS, ServiceTags: texts }) }),
  ]),
  TxnAnswer: object({
    Results: orNull(listOf(ref('TxnResult'))),
    Errors: orNull(listOf(ref('TxnError'))),
    'Index?': count(),
    ...Object.fromEntries(Object.entries(BODY_META).map(([name, schema]) => [`${name}?`, schema])),
  }),
  PreparedQuery: record<PreparedQuery>({
    ID: text(),
    Name: text('Empty: it is asked for by its id.'),
    Session: text('It goes with this session.'),
    Token: text(),
    Template: object({
      Type: text('`name_prefix_match`, or empty: no template.'),
      Regexp: text(),
      RemoveEmptyTags: bool(),
    }),
    Service: ref('QueryService'),
    DNS: object({ TTL: text() }),
    ...INDEXES,
  }),
  QueryService: record<QueryService>({
    Service: text(),
    'Namespace?': text('Of the service; that of whoever asks when it is not there.'),
    SamenessGroup: text(),
    Failover: record<QueryFailover>({
      NearestN: int(),
      Datacenters: texts,
      Targets: orNull(listOf(record<QueryTarget>({ Peer: text(), Datacenter: text() }))),
    }),
    OnlyPassing: bool(),
    IgnoreCheckIDs: texts,
    Near: text(),
    Tags: texts,
    NodeMeta: orNull(mapOf(text())),
    ServiceMeta: orNull(mapOf(text())),
    Connect: bool(),
    Peer: text(),
  }),
  QueryAnswer: object({
    Service: text(),
    Nodes: listOf(ref('HealthEntry')),
    DNS: object({ TTL: text() }),
    Datacenter: text(),
    PeerName: text(),
    Failovers: int(),
    Index: count(),
    ...BODY_META,
  }),
  QueryExplained: object({ Query: ref('PreparedQuery'), Index: count(), ...BODY_META }),
  UserEvent: record<UserEvent>({
    ID: text(),
    Name: text(),
    Payload: orNull({ type: 'string', contentEncoding: 'base64' }),
    NodeFilter: text('Regular expressions; empty takes all.'),
    ServiceFilter: text(),
    TagFilter: text(),
    Version: int(),
    LTime: count('Orders events; 0 in the answer to the one who fired it.'),
  }),
};
