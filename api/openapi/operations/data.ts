import { QUERY_BODY } from '../../shapes/prepared-query.ts';
import { SESSION_BODY } from '../../shapes/session.ts';
import { TXN_BODY } from '../../shapes/txn.ts';
import { bodySchema } from '../body-schema.ts';
import {
  type Answer,
  empty,
  indexed,
  jsonBody,
  namespaced,
  type OperationGroup,
  ok,
  plain,
  type RequestBody,
  read,
} from '../operation.ts';
import { flag, present, query } from '../parameters.ts';
import { always, bool, count, int, listOf, object, ref, text } from '../schema.ts';

const WRITE = ['dc', 'ns', 'nsHeader'] as const;
const UINT64 = 'strconv.ParseUint: parsing "…": invalid syntax';
const VALUE: RequestBody = {
  type: 'application/octet-stream',
  schema: {
    type: 'string',
    contentMediaType: 'application/octet-stream',
    description: 'Any bytes, up to `kv_max_value_size`.',
  },
  optional: true,
  example: 'blue',
};
const KV_HEADERS = ['X-Consul-Index', 'X-Consul-KnownLeader', 'X-Consul-LastContact'];

const KV_FOUND: Answer = {
  description: 'Items; with `keys` their names; with `raw` the bytes of the value alone.',
  content: {
    'application/json': { anyOf: [listOf(ref('KvPair')), listOf(text())] },
    'text/plain': text('Any bytes.'),
  },
  headers: KV_HEADERS,
  someHeaders: ['X-Content-Type-Options', 'Content-Security-Policy'],
};

/** Consul HTTP API, "KV Store". */
export const KV: OperationGroup = {
  name: 'Keys and values',
  about: 'Values of any bytes, with locks and conditions (Consul’s “KV Store”).',
  operations: [
    plain('PUT', '/v1/kv/{key}', 'Set a key', {
      about: 'The answer tells whether the condition held.',
      params: [
        ...WRITE,
        query('flags', count(), 'Any 64 bits, kept beside the value.'),
        'cas',
        query('acquire', text(), 'The session that is to hold the key.'),
        query('release', text(), 'The session that holds the key and lets it go.'),
      ],
      body: VALUE,
      json: bool(),
      errors: {
        400: ['Missing key name', 'Conflicting flags: …'],
        413: ['Request body(… bytes) too large, max size: … bytes. See …#kv_max_value_size.'],
        500: [UINT64, 'raft apply failed: invalid session "…"', 'raft apply failed: missing session'],
      },
    }),
    namespaced('/v1/kv/{key}', 'Read a key, or all below a prefix', {
      params: [
        present('recurse', 'All keys that begin with this one.'),
        present('raw', 'The value alone.'),
        present('keys', 'The names alone.'),
        query('separator', text(), 'Names end at its first place after the prefix, and are given once.'),
      ],
      answers: { 200: KV_FOUND, 404: { description: 'There is no such key.', headers: KV_HEADERS } },
      errors: { 400: ['Missing key name'] },
    }),
    plain('DELETE', '/v1/kv/{key}', 'Delete a key, or all below a prefix', {
      about: 'The answer tells whether the condition held; an absent key is no failure.',
      params: [...WRITE, present('recurse', 'All keys that begin with this one.'), 'cas'],
      json: bool(),
      pathExample: { key: 'app/old' },
      errors: { 400: ['Missing key name', 'Conflicting flags: …'], 500: [UINT64] },
    }),
  ],
};

/** Consul HTTP API, "Session". */
export const SESSIONS: OperationGroup = {
  name: 'Sessions',
  about:
    'What holds locks on keys for as long as its checks pass and its time to live is renewed (Consul’s “Session”).',
  operations: [
    plain('PUT', '/v1/session/create', 'Create a session', {
      params: WRITE,
      body: { ...jsonBody(bodySchema(SESSION_BODY), { Name: 'web-lock', TTL: '30s' }), optional: true },
      json: object({ ID: text() }),
      errors: { 500: ['Missing node registration', 'Invalid Session TTL …'] },
    }),
    namespaced('/v1/session/list', 'List the sessions', { json: listOf(ref('Session')) }),
    namespaced('/v1/session/info/{id}', 'Show a session', {
      about: 'A list of one, or of none.',
      json: listOf(ref('Session')),
      errors: { 400: ['Missing session'] },
    }),
    namespaced('/v1/session/node/{node}', 'List the sessions of a node', {
      json: listOf(ref('Session')),
      errors: { 400: ['Missing node name'] },
    }),
    plain('PUT', '/v1/session/renew/{id}', 'Begin a session’s time to live anew', {
      params: WRITE,
      json: listOf(ref('Session')),
      errors: { 400: ['Missing session'], 404: ["Session id '…' not found"] },
    }),
    plain('PUT', '/v1/session/destroy/{id}', 'End a session', {
      about: 'An unknown one is no error.',
      params: WRITE,
      json: always(true),
      errors: { 400: ['Missing session'] },
    }),
  ],
};

/** Consul HTTP API, "Transaction". */
export const TRANSACTIONS: OperationGroup = {
  name: 'Transactions',
  about: 'Up to 128 operations on keys, nodes, services, checks and sessions, all or none (Consul’s “Transaction”).',
  operations: [
    plain('PUT', '/v1/txn', 'Do all of some operations, or none', {
      about: 'Reads alone are answered from the state with its index.',
      params: [...WRITE, 'stale', 'consistent', 'maxStale', 'pretty'],
      body: jsonBody(bodySchema(TXN_BODY), [{ KV: { Verb: 'get', Key: 'app/config' } }]),
      answers: {
        200: {
          ...ok(ref('TxnAnswer'), 'All were done.'),
          someHeaders: ['X-Consul-KnownLeader', 'X-Consul-LastContact'],
        },
        409: {
          ...ok(ref('TxnAnswer'), 'None was done; `Errors` tells what stood in the way.'),
          someHeaders: ['X-Consul-KnownLeader', 'X-Consul-LastContact'],
        },
      },
      errors: {
        400: ['Failed to parse body: …'],
        413: ['Transaction contains too many operations (… > 128)', '… See …#txn_max_req_len.'],
      },
    }),
  ],
};

const NO_QUERY = 'Query not found';
const NO_ID = 'failed prepared query lookup: index error: UUID must be 36 characters';
const query1 = { Name: 'web-near', Service: { Service: 'web', OnlyPassing: true } };

/** Consul HTTP API, "Prepared Query". */
export const QUERIES: OperationGroup = {
  name: 'Prepared queries',
  about: 'Named questions for instances, also answered by DNS (Consul’s “Prepared Query”).',
  operations: [
    plain('POST', '/v1/query', 'Define a query', {
      body: jsonBody(bodySchema(QUERY_BODY), query1),
      json: object({ ID: text() }),
      errors: {
        500: ['ID must be empty when creating a new prepared query', 'Invalid prepared query: …'],
      },
    }),
    read('/v1/query', 'List the queries', { params: ['nsHeader'], json: listOf(ref('PreparedQuery')) }),
    read('/v1/query/{id}', 'Show a query', {
      params: ['nsHeader'],
      json: { ...listOf(ref('PreparedQuery')), minItems: 1, maxItems: 1 },
      errors: { 404: [NO_QUERY], 500: [NO_ID] },
    }),
    plain('PUT', '/v1/query/{id}', 'Change a query', {
      body: jsonBody(bodySchema(QUERY_BODY), query1),
      answers: { 200: empty() },
      errors: { 404: [NO_QUERY], 500: [NO_ID, 'Invalid prepared query: …'] },
    }),
    plain('GET', '/v1/query/{query}/execute', 'Ask a query', {
      route: '/v1/query/:id/execute',
      params: [
        'dc',
        'ns',
        'nsHeader',
        'near',
        query('limit', int(), 'Most instances; 0 for all.'),
        flag('connect', 'Mesh endpoints, whatever the query says.'),
        'stale',
        'consistent',
        'maxStale',
        'cached',
        'pretty',
      ],
      answers: { 200: indexed(ok(ref('QueryAnswer'))) },
      errors: { 404: [NO_QUERY], 500: ['Bad limit: …'] },
    }),
    plain('GET', '/v1/query/{query}/explain', 'Show what a name of a template becomes', {
      route: '/v1/query/:id/explain',
      params: ['dc', 'ns', 'nsHeader', 'stale', 'consistent', 'maxStale', 'cached', 'pretty'],
      answers: { 200: indexed(ok(ref('QueryExplained'))) },
      errors: { 404: [NO_QUERY] },
    }),
    plain('DELETE', '/v1/query/{id}', 'Delete a query', { answers: { 200: empty() }, errors: { 500: [NO_ID] } }),
  ],
};

/** Consul HTTP API, "Event". */
export const EVENTS: OperationGroup = {
  name: 'User events',
  about: 'Short messages to the agents of nodes (Consul’s “Event”).',
  operations: [
    plain('PUT', '/v1/event/fire/{name}', 'Fire an event', {
      params: [
        'dc',
        query('node', text(), 'A regular expression for names of nodes.'),
        query('service', text(), 'A regular expression for names of services on the node.'),
        query('tag', text(), 'A regular expression for a tag of such a service.'),
      ],
      body: { type: 'application/octet-stream', schema: { type: 'string' }, optional: true, example: '1.2.3' },
      json: ref('UserEvent'),
      pathExample: { name: 'deploy' },
      errors: { 400: ['Missing name'], 500: ['Cannot provide tag filter without service filter'] },
    }),
    plain('GET', '/v1/event/list', 'List the last events that were meant for this node', {
      about: 'With the index of an earlier answer it waits for another event.',
      params: [
        query('name', text(), 'Only events of this name.'),
        query('index', { type: 'integer', minimum: 0, format: 'uint64' }, 'The X-Consul-Index of an earlier answer.'),
        'wait',
        'pretty',
      ],
      answers: { 200: { ...ok(listOf(ref('UserEvent'))), headers: ['X-Consul-Index'] } },
    }),
  ],
};
