import { namespaced, type OperationGroup, plain } from '../operation.ts';
import { repeated } from '../parameters.ts';
import { listOf, mapOf, ref } from '../schema.ts';

const INSTANCES = ['passing', 'tag', 'nodeMeta', 'near', 'filter', 'peer', 'merge'] as const;
const STREAM = ['dc', 'anyNs', 'nsHeader', 'tag', 'nodeMeta', 'filter', 'index'] as const;
const SERVICES = repeated('service', 'A service; all of them for `*`, or when none is given.', ['web', 'db']);

/** Consul HTTP API, "Health", and what is Lictor's own: many services at once, and why an instance is kept back. */
export const HEALTH: OperationGroup = {
  name: 'Health',
  about: 'Instances with their checks (Consul’s “Health”). Many services at once and the explanation are Lictor’s own.',
  operations: [
    namespaced('/v1/health/service/{service}', 'List the instances of a service with their checks', {
      route: '/v1/health/service/:name',
      params: INSTANCES,
      json: listOf(ref('HealthEntry')),
      queryExample: 'passing&tag=v1',
      errors: { 400: ['Missing service name', 'Invalid value for ?passing'] },
    }),
    namespaced('/v1/health/services', 'List the instances of up to 256 services with their checks', {
      about: 'It waits until one of exactly these services changes.',
      params: [
        { ...repeated('service', 'The name of a service.', ['web', 'db']), required: true },
        'passing',
        'tag',
        'nodeMeta',
        'peer',
        'filter',
        'near',
      ],
      json: mapOf(listOf(ref('HealthEntry')), 'By service, as it was asked for.'),
      queryExample: 'service=web&service=db',
      errors: { 400: ['Missing service: give ?service=NAME once for each service', 'service=*'] },
    }),
    namespaced('/v1/health/connect/{service}', 'List the mesh endpoints of a service with their checks', {
      route: '/v1/health/connect/:name',
      params: INSTANCES,
      json: listOf(ref('HealthEntry')),
      errors: { 400: ['Missing service name'] },
    }),
    namespaced('/v1/health/ingress/{service}', 'List the ingress gateways that expose a service', {
      route: '/v1/health/ingress/:name',
      params: INSTANCES,
      json: listOf(ref('HealthEntry')),
      errors: { 400: ['Missing service name'] },
    }),
    namespaced('/v1/health/checks/{service}', 'List the checks of a service', {
      params: ['nodeMeta', 'near', 'filter', 'peer'],
      json: listOf(ref('HealthCheck')),
      errors: { 400: ['Missing service name'] },
    }),
    namespaced('/v1/health/node/{node}', 'List the checks of a node', {
      params: ['filter'],
      json: listOf(ref('HealthCheck')),
      errors: { 400: ['Missing node name'] },
    }),
    namespaced('/v1/health/state/{state}', 'List the checks in a state', {
      about: '`ns=*` asks all namespaces.',
      params: ['nodeMeta', 'near', 'filter', 'peer'],
      json: listOf(ref('HealthCheck')),
      errors: { 400: ['Missing check state'] },
    }),
    namespaced('/v1/explain/service/{service}', 'Say for each instance whether it is answered, and why not', {
      about: 'It waits until an instance or a check of the service changes.',
      route: '/v1/explain/service/:name',
      params: ['tag', 'nodeMeta', 'filter'],
      json: ref('Explanation'),
      errors: { 400: ['Missing service name'] },
    }),
  ],
};

const stream = (path: string, line: string, more: readonly ['passing'] | readonly []) =>
  plain('GET', path, `Follow the instances of services, as ${more.length > 0 ? 'health entries' : 'catalog rows'}`, {
    about:
      'One JSON object in each line: a snapshot, then every change. `index` goes on after a line that was read before; without ' +
      'it, or when that is too long ago, the stream begins with a snapshot.',
    params: [...STREAM, ...more, SERVICES],
    answers: {
      200: {
        description: 'Lines, for as long as both sides wish.',
        content: { 'application/x-ndjson': ref(line) },
        headers: ['X-Consul-KnownLeader', 'X-Consul-LastContact', 'Cache-Control'],
      },
    },
    queryExample: 'service=web',
    endless: true,
  });

/** Lictor's own. */
export const STREAMS: OperationGroup = {
  name: 'Streams',
  about: 'Instances and every change of them, without polling. Lictor’s own.',
  operations: [stream('/v1/stream/health', 'HealthLine', ['passing']), stream('/v1/stream/catalog', 'CatalogLine', [])],
};
