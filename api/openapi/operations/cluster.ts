import { COORDINATE_BODY } from '../../shapes/coordinate.ts';
import { OWNER_STATE } from '../../shapes/decode-registration.ts';
import { KEYRING_BODY } from '../../shapes/keyring.ts';
import { NAMESPACE_BODY } from '../../shapes/namespace.ts';
import { AUTOPILOT_BODY } from '../../shapes/operator.ts';
import { bodySchema } from '../body-schema.ts';
import { empty, jsonBody, type OperationGroup, ok, plain, read } from '../operation.ts';
import { needed, query } from '../parameters.ts';
import { anyObject, bool, listOf, object, ref, text } from '../schema.ts';

const META = ['X-Consul-Index', 'X-Consul-KnownLeader', 'X-Consul-LastContact'];
const NOT_ENABLED = 'Coordinate support disabled';

const KEYRING = {
  GET: 'List the gossip keys',
  POST: 'Add a gossip key',
  PUT: 'Use a gossip key',
  DELETE: 'Remove a gossip key',
} as const;

/** Consul HTTP API, "Status" and "Operator", and the description itself. */
export const OPERATIONS: OperationGroup = {
  name: 'Operation of the servers',
  about: 'The servers and what they hold (Consul’s “Status”, “Operator” and “Snapshots”).',
  operations: [
    plain('GET', '/v1/status/leader', 'Show the leader', {
      params: ['dc'],
      json: text('`host:port`, empty without one.'),
    }),
    plain('GET', '/v1/status/peers', 'List the servers', { params: ['dc'], json: listOf(text('`host:port`.')) }),
    plain('GET', '/v1/operator/raft/configuration', 'Show the quorum', {
      params: ['dc'],
      json: ref('RaftConfiguration'),
    }),
    plain('DELETE', '/v1/operator/raft/peer', 'Take a server out of the quorum', {
      params: ['dc', query('id', text(), 'Its id.'), query('address', text(), 'Or its address.')],
      answers: { 200: empty() },
      queryExample: 'address=10.0.0.9:8300',
      destructive: 'it removes servers',
      errors: { 400: ["Must specify either ?id with the server's ID or ?address with IP:port of peer to remove"] },
    }),
    plain('POST', '/v1/operator/raft/transfer-leader', 'Hand the leadership on', {
      params: ['dc', query('id', text(), 'To this server; to any when not given.')],
      json: object({ Success: bool() }),
    }),
    plain('GET', '/v1/operator/autopilot/configuration', 'Show how servers are looked after', {
      params: ['dc'],
      json: ref('AutopilotConfiguration'),
    }),
    plain('PUT', '/v1/operator/autopilot/configuration', 'Set how servers are looked after', {
      about: 'A body replaces all of it; the answer tells whether the condition held.',
      params: ['dc', 'cas'],
      body: jsonBody(bodySchema(AUTOPILOT_BODY), {
        CleanupDeadServers: true,
        LastContactThreshold: '200ms',
        MaxTrailingLogs: 250,
        ServerStabilizationTime: '10s',
      }),
      json: bool(),
      errors: { 400: ['Error parsing autopilot config: …'] },
    }),
    plain('GET', '/v1/operator/autopilot/health', 'Show the servers’ health', {
      params: ['dc', 'pretty'],
      answers: {
        200: ok(ref('AutopilotHealth'), 'All servers are healthy.'),
        429: ok(ref('AutopilotHealth'), 'Some are not.'),
      },
    }),
    plain('GET', '/v1/operator/autopilot/state', 'Show the servers as autopilot judges them', {
      params: ['dc'],
      json: ref('AutopilotState'),
    }),
    plain('GET', '/v1/operator/usage', 'Count what is registered', {
      params: ['dc', 'pretty'],
      answers: { 200: { ...ok(ref('Usage')), headers: [...META, 'X-Consul-Effective-Consistency'] } },
    }),
    ...(['GET', 'POST', 'PUT', 'DELETE'] as const).map((method) =>
      plain(method, '/v1/operator/keyring', KEYRING[method], {
        params: [
          'dc',
          query(
            'relay-factor',
            { type: 'integer', minimum: 0, maximum: 5 },
            'Send answers over so many other agents, too.',
          ),
          ...(method === 'GET' ? [query('local-only', bool(), 'Of this datacenter alone.')] : []),
        ],
        ...(method === 'GET'
          ? {}
          : { body: jsonBody(bodySchema(KEYRING_BODY, ['Key']), { Key: 'MDEyMzQ1Njc4OWFiY2RlZg==' }) }),
        answers: {},
        errors: {
          400: method === 'GET' ? [] : ['Invalid Key: want 16, 24 or 32 bytes in base64'],
          500: ['there is no keyring: gossip encryption is not configured, so there are no keys to list or change'],
        },
      }),
    ),
    plain('GET', '/v1/snapshot', 'Save all data as an archive', {
      params: ['dc', 'stale', 'consistent', 'maxStale'],
      answers: {
        200: {
          description: 'A gzip tar of all data at one index.',
          content: { 'application/x-gzip': { type: 'string', contentMediaType: 'application/gzip' } },
          headers: [...META, 'X-Consul-Effective-Consistency'],
        },
      },
    }),
    plain('PUT', '/v1/snapshot', 'Replace all data by those of an archive', {
      about: 'The archive is verified whole first; then all or nothing.',
      params: ['dc'],
      body: {
        type: 'application/octet-stream',
        schema: { type: 'string', contentMediaType: 'application/gzip' },
      },
      answers: { 200: empty() },
      destructive: 'it replaces all data',
      errors: { 400: ['Missing the archive to restore'], 500: ['failed to verify snapshot file: …'] },
    }),
    plain('GET', '/v1/openapi.json', 'Show this description', {
      about: 'An OpenAPI 3.1 document. Lictor’s own.',
      params: ['pretty'],
      json: anyObject(),
    }),
  ],
};

const SEGMENT = query('segment', text(), 'Only nodes of this segment; there is the default one, whose name is empty.');

/** Consul HTTP API, "Coordinate". */
export const COORDINATES: OperationGroup = {
  name: 'Coordinates',
  about: 'Places of nodes in the network, from which round trips are estimated (Consul’s “Coordinate”).',
  operations: [
    plain('PUT', '/v1/coordinate/update', 'Set a node’s coordinate', {
      body: jsonBody(bodySchema(COORDINATE_BODY, ['Node', 'Coord']), {
        Node: 'node-1',
        Coord: { Vec: [0.01, 0, 0, 0, 0, 0, 0, 0], Error: 0.3, Adjustment: 0, Height: 0.0001 },
      }),
      answers: { 200: empty() },
      errors: { 401: [NOT_ENABLED], 500: ['Must provide a Node', 'rejected bad coordinate: …'] },
    }),
    plain('GET', '/v1/coordinate/datacenters', 'List the servers’ coordinates', {
      json: listOf(ref('DatacenterCoordinates')),
      errors: { 401: [NOT_ENABLED] },
    }),
    read('/v1/coordinate/nodes', 'List the nodes’ coordinates', {
      params: [SEGMENT, 'nsHeader'],
      json: listOf(ref('CoordinateEntry')),
      errors: { 401: [NOT_ENABLED] },
    }),
    read('/v1/coordinate/node/{node}', 'Show a node’s coordinate', {
      params: [SEGMENT, 'nsHeader'],
      json: listOf(ref('CoordinateEntry')),
      answers: { 404: { description: 'It has none.' } },
      errors: { 400: ['Missing node name'], 401: [NOT_ENABLED] },
    }),
  ],
};

const NAMESPACE = bodySchema(NAMESPACE_BODY);
const declared = { Name: 'shop', Description: 'what the shop runs' };

/** Consul Enterprise HTTP API, "Namespaces"; free here. */
export const NAMESPACES: OperationGroup = {
  name: 'Namespaces',
  about:
    'Names of their own for teams (Consul Enterprise’s “Namespaces”, free here). A namespace comes into being by use.',
  operations: [
    plain('PUT', '/v1/namespace', 'Describe a namespace', {
      params: ['dc'],
      body: jsonBody(NAMESPACE, declared),
      json: ref('Namespace'),
      errors: { 400: ['Invalid namespace: …'] },
    }),
    plain('PUT', '/v1/namespace/{name}', 'Describe the namespace of this name', {
      params: ['dc'],
      body: jsonBody(NAMESPACE, { Description: 'what the shop runs' }),
      json: ref('Namespace'),
      pathExample: { name: 'shop' },
      errors: { 400: ['Invalid namespace: …', 'Missing namespace name'] },
    }),
    read('/v1/namespaces', 'List the namespaces', { json: listOf(ref('Namespace')) }),
    read('/v1/namespace/{name}', 'Show a namespace', {
      json: ref('Namespace'),
      answers: { 404: { description: 'There is no such namespace.', headers: META } },
      pathExample: { name: 'shop' },
      errors: { 400: ['Missing namespace name'] },
    }),
    plain('DELETE', '/v1/namespace/{name}', 'Forget a namespace', {
      params: ['dc'],
      answers: { 200: empty() },
      pathExample: { name: 'shop' },
      errors: {
        400: ['Cannot delete the namespace "default"'],
        409: ['the namespace "…" is not empty: remove its … first'],
      },
    }),
  ],
};

const OWNER = bodySchema(OWNER_STATE);

/** Lictor's own: programs that declare instances and are the only ones who remove them. */
export const OWNERS: OperationGroup = {
  name: 'Owners',
  about:
    'Programs that declare instances for others, such as the operator of a Kubernetes cluster. Each claims an epoch; a writer with an older one is refused. Lictor’s own.',
  operations: [
    plain('PUT', '/v1/owner/{ownerKind}/{ownerName}', 'Claim an epoch', {
      route: '/v1/owner/:kind/:name',
      body: jsonBody(OWNER, { Epoch: 1 }),
      json: ref('OwnerState'),
      errors: { 400: ['Missing owner: want /v1/owner/<kind>/<name>'], 409: ['a newer epoch was claimed'] },
    }),
    plain('GET', '/v1/owner/{ownerKind}/{ownerName}', 'Show an owner’s epoch', {
      route: '/v1/owner/:kind/:name',
      json: ref('OwnerState'),
      errors: { 400: ['Missing owner: want /v1/owner/<kind>/<name>'] },
    }),
    plain('GET', '/v1/stream/owned', 'Follow the instances of an owner', {
      about: 'One JSON object in each line: a snapshot, then every change of an instance or of its checks.',
      params: [needed('owner', text(), '`kind/name`.', 'k8s/cluster-1')],
      answers: {
        200: {
          description: 'Lines, for as long as both sides wish.',
          content: { 'application/x-ndjson': ref('OwnedLine') },
          headers: ['Cache-Control'],
        },
      },
      queryExample: 'owner=k8s/cluster-1',
      endless: true,
      errors: { 400: ['Missing ?owner=<kind>/<name>'] },
    }),
  ],
};
