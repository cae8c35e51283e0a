import { AUTHORIZE_BODY, SIGN_BODY } from '../../shapes/connect.ts';
import { REPORT } from '../../shapes/decode-verdicts.ts';
import { bodySchema } from '../body-schema.ts';
import { jsonBody, type OperationGroup, ok, plain } from '../operation.ts';
import { query } from '../parameters.ts';
import { always, anyObject, bool, listOf, object, orNull, ref, text } from '../schema.ts';

const META = ['X-Consul-Index', 'X-Consul-KnownLeader', 'X-Consul-LastContact'];
const DISABLED = 'Connect must be enabled in order to use this endpoint';
const NO_NAME = 'Missing name: want /v1/internal/dns/…/<name>';
const MEMBER = object({
  Name: text(),
  Addr: text(),
  Port: { type: 'integer' },
  Tags: anyObject(),
  Status: { type: 'integer' },
});

const NODE_HEALTH = object({
  Known: bool(),
  Services: listOf(object({ Namespace: text(), ServiceID: text() })),
  Checks: listOf(
    object({ Namespace: text(), ServiceID: text(), Name: text(), Type: text(), Status: text(), Output: text() }),
  ),
});

const lookup = (
  kind: string,
  summary: string,
  json: Parameters<typeof ok>[0],
  params: readonly ('ns' | 'nsHeader')[],
) =>
  plain('GET', `/v1/internal/dns/${kind}/{name}`, summary, {
    params,
    json,
    errors: { 400: [NO_NAME], 404: [] },
  });

/** What agents ask servers for; Lictor's own, and free to change. */
export const INTERNAL: OperationGroup = {
  name: 'Between agents and servers',
  about: 'What agents ask servers for. Not for other clients: these may change with any version.',
  operations: [
    plain('GET', '/v1/internal/members', 'List the nodes that have had an agent', { json: listOf(MEMBER) }),
    plain('GET', '/v1/internal/agent/{node}/entries', 'List what the agent of a node owns', {
      json: ref('AgentEntries'),
      errors: { 400: ['Missing node name'] },
    }),
    plain('GET', '/v1/internal/agent/{node}/definitions', 'List the checks that the agent of a node has to run', {
      params: ['index', 'wait', 'pretty'],
      answers: { 200: { ...ok(listOf(ref('AssignedCheck'))), headers: META } },
      errors: { 400: ['Missing node name'] },
    }),
    plain('GET', '/v1/internal/agent/{node}/health', 'Show what an alias check of a node looks at', {
      params: ['index', 'wait', 'pretty'],
      answers: { 200: { ...ok(NODE_HEALTH), headers: META } },
      errors: { 400: ['Missing node name'] },
    }),
    plain('PUT', '/v1/internal/agent/{node}/verdicts', 'Report verdicts, or that the agent lives', {
      params: [query('serf_port', { type: 'integer', minimum: -1 }, 'Its port among members; 0 or -1 for none.')],
      body: jsonBody(bodySchema(REPORT, ['HeartbeatMs']), { HeartbeatMs: 5000, Verdicts: [] }),
      json: always(true),
      errors: { 400: ['HeartbeatMs must be a positive number of milliseconds', 'serf_port must be a port'], 404: [] },
    }),
    plain('PUT', '/v1/internal/connect/sign', 'Sign a certificate', {
      body: jsonBody(bodySchema(SIGN_BODY, ['CSR']), { CSR: '-----BEGIN CERTIFICATE REQUEST-----…' }),
      json: ref('IssuedCertificate'),
      errors: { 400: ['the certificate request …'], 429: ['Rate limit reached, try again later: …'], 500: [DISABLED] },
    }),
    plain('PUT', '/v1/internal/connect/authorize', 'Decide whether a certificate’s holder may connect', {
      body: jsonBody(bodySchema(AUTHORIZE_BODY), { Target: 'web', ClientCertURI: 'spiffe://…' }),
      json: ref('Authorization'),
      errors: { 500: [DISABLED] },
    }),
    plain('GET', '/v1/internal/dns/query/{name}', 'Answer a prepared query', {
      params: [query('source', text(), 'The address of the client.'), 'agent'],
      json: orNull(object({ service: text(), 'ttlSeconds?': { type: 'number' }, entries: listOf(ref('HealthEntry')) })),
      errors: { 400: [NO_NAME] },
    }),
    lookup('connect', 'List the mesh endpoints of a service', listOf(ref('HealthEntry')), ['ns', 'nsHeader']),
    lookup('ingress', 'List the ingress gateways of a service', listOf(ref('HealthEntry')), ['ns', 'nsHeader']),
    lookup('virtual', 'Show the virtual address of a service', object({ found: bool(), 'address?': text() }), [
      'ns',
      'nsHeader',
    ]),
    lookup(
      'reverse',
      'Find who has an address',
      orNull(object({ 'node?': ref('Node'), 'service?': object({ namespace: text(), name: text() }) })),
      [],
    ),
  ],
};
