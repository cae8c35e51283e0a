import { DEREGISTRATION, REGISTRATION } from '../../shapes/decode-registration.ts';
import { bodySchema } from '../body-schema.ts';
import { jsonBody, namespaced, type OperationGroup, ok, plain, read } from '../operation.ts';
import { present } from '../parameters.ts';
import { always, listOf, mapOf, orNull, ref, text } from '../schema.ts';

const WRITER = ['ns', 'nsHeader', 'owner', 'epoch', 'ref', 'hash'] as const;
const INSTANCES = ['tag', 'nodeMeta', 'near', 'filter', 'peer', 'merge'] as const;

const registered = {
  Node: 'node-1',
  Address: '10.0.0.1',
  Service: { ID: 'web-1', Service: 'web', Tags: ['v1'], Port: 8080 },
  Check: { CheckID: 'service:web-1', Name: 'web is alive', Status: 'passing', ServiceID: 'web-1' },
};

/** Consul HTTP API, "Catalog". */
export const CATALOG: OperationGroup = {
  name: 'Catalog',
  about: 'Nodes and services, and their registration by others than the agent of the node (Consul’s “Catalog”).',
  operations: [
    plain('PUT', '/v1/catalog/register', 'Register a node, and an instance or checks on it', {
      about: 'What is registered already is replaced. A check with a status has its state set too.',
      params: [...WRITER, present('replace-existing-checks', 'Checks of the instance that are not given go.')],
      body: jsonBody(bodySchema(REGISTRATION, ['Node']), registered),
      json: always(true),
      errors: { 400: ['Conflicting namespaces: …'], 500: ['Must provide node and address'] },
    }),
    plain('PUT', '/v1/catalog/deregister', 'Remove an instance, a check, or a node', {
      about:
        'The instance with its checks, when `ServiceID` is given; else the check; else the node with all that is on it.',
      params: [...WRITER],
      body: jsonBody(bodySchema(DEREGISTRATION, ['Node']), { Node: 'node-9', ServiceID: 'web-9' }),
      json: always(true),
      errors: { 400: ['Conflicting namespaces: …'], 500: ['Must provide node'] },
    }),
    plain('GET', '/v1/catalog/datacenters', 'List the datacenters', {
      about: 'It never waits.',
      params: ['cached', 'stale', 'consistent', 'maxStale', 'nsHeader', 'pretty'],
      answers: { 200: { ...ok(listOf(text())), someHeaders: ['X-Cache', 'Age'] } },
    }),
    read('/v1/catalog/nodes', 'List the nodes', {
      params: ['nodeMeta', 'near', 'filter', 'nsHeader'],
      json: listOf(ref('Node')),
    }),
    namespaced('/v1/catalog/services', 'List the services with their tags', {
      about: 'A filter is asked of the instances, as `/v1/catalog/service/{service}` shows them.',
      params: ['nodeMeta', 'filter', 'peer'],
      json: mapOf(listOf(text()), 'The tags of all instances, by service.'),
    }),
    namespaced('/v1/catalog/service/{service}', 'List the instances of a service', {
      route: '/v1/catalog/service/:name',
      params: INSTANCES,
      json: listOf(ref('CatalogService')),
      errors: { 400: ['Missing service name'] },
    }),
    namespaced('/v1/catalog/connect/{service}', 'List the mesh endpoints of a service', {
      about: 'Its proxies, and instances that speak the mesh’s TLS themselves.',
      route: '/v1/catalog/connect/:name',
      params: INSTANCES,
      json: listOf(ref('CatalogService')),
      errors: { 400: ['Missing service name'] },
    }),
    namespaced('/v1/catalog/node/{node}', 'Show a node with its instances', {
      params: ['filter', 'merge'],
      json: orNull(ref('NodeServices')),
      errors: { 400: ['Missing node name'] },
    }),
    namespaced('/v1/catalog/node-services/{node}', 'Show a node with its instances as a list', {
      params: ['filter', 'merge'],
      json: ref('NodeServiceList'),
      errors: { 400: ['Missing node name'] },
    }),
    namespaced('/v1/catalog/gateway-services/{gateway}', 'List the services that a gateway serves', {
      json: listOf(ref('GatewayService')),
      errors: { 400: ['Missing gateway name'] },
    }),
  ],
};
