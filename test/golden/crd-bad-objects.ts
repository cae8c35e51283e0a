/** An object that must be refused, by the API server and by the file mode, with a message that names `field`. */
export interface BadObject {
  readonly what: string;
  readonly field: string;
  readonly object: Record<string, unknown>;
}

const API_VERSION = 'lictor.dev/v1alpha1';

/** A Service with these spec fields beside a selector; undefined removes one. */
export function service(
  spec: Record<string, unknown>,
  metadata: Record<string, unknown> = {},
): Record<string, unknown> {
  return object('Service', { selector: { matchLabels: { app: 'web' } }, ...spec }, metadata);
}

/** A Service with these instances. */
export function external(instances: unknown, spec: Record<string, unknown> = {}): Record<string, unknown> {
  return service({ selector: undefined, instances, ...spec });
}

/** A HealthCheck with these spec fields beside serviceRef, http and interval; undefined removes one. */
export function check(spec: Record<string, unknown>, metadata: Record<string, unknown> = {}): Record<string, unknown> {
  return object('HealthCheck', { serviceRef: { name: 'web' }, http: {}, interval: '5s', ...spec }, metadata);
}

/** A HealthCheck of another kind than http, with these fields of that kind. */
export function checkOf(
  kind: string,
  fields: Record<string, unknown> = {},
  spec: Record<string, unknown> = {},
): Record<string, unknown> {
  return check({ http: undefined, [kind]: fields, ...spec });
}

/** A ttl HealthCheck with these spec fields. */
export function ttlCheck(spec: Record<string, unknown>): Record<string, unknown> {
  return check({ http: undefined, interval: undefined, ttl: '30s', ...spec });
}

/** An Intention with these spec fields beside a destination and a source; undefined removes one. */
export function intention(
  spec: Record<string, unknown>,
  metadata: Record<string, unknown> = {},
): Record<string, unknown> {
  const sources = [{ service: 'web', action: 'allow' }];
  return object('Intention', { destination: { service: 'db' }, sources, ...spec }, metadata);
}

/** An Intention whose source has these fields beside its name. */
export function source(fields: Record<string, unknown>): Record<string, unknown> {
  return intention({ sources: [{ service: 'web', ...fields }] });
}

/** An Intention whose source has one permission with these fields beside its action. */
export function permission(fields: Record<string, unknown>): Record<string, unknown> {
  return source({ permissions: [{ action: 'allow', ...fields }] });
}

/** An Intention with a permission for requests that have such a header. */
export function headerMatch(fields: Record<string, unknown>): Record<string, unknown> {
  return permission({ http: { header: [{ name: 'X-Test', ...fields }] } });
}

function object(
  kind: string,
  spec: Record<string, unknown>,
  metadata: Record<string, unknown>,
): Record<string, unknown> {
  const all = { apiVersion: API_VERSION, kind, metadata: { name: 'web', ...metadata }, spec };
  return JSON.parse(JSON.stringify(all)) as Record<string, unknown>; // drops what is undefined
}

const expression = (fields: Record<string, unknown>) => service({ selector: { matchExpressions: [fields] } });

const instance = (fields: Record<string, unknown>) => external([{ address: '192.0.2.1', port: 80, ...fields }]);

const http = (fields: Record<string, unknown>) => check({ http: fields });

const many = (count: number) => Array.from({ length: count }, (_, i) => i);

const BAD_SERVICES: readonly BadObject[] = [
  bad('no spec', 'spec', { apiVersion: API_VERSION, kind: 'Service', metadata: { name: 'web' } }),
  bad('a spec that is a list', 'spec', {
    apiVersion: API_VERSION,
    kind: 'Service',
    metadata: { name: 'web' },
    spec: [],
  }),
  bad('a name in upper case', 'metadata.name', service({}, { name: 'Web' })),
  bad('an empty name', 'metadata.name', service({}, { name: '' })),
  bad('a name with a dot and no serviceName', 'spec.serviceName', service({}, { name: 'web.v1' })),
  bad('a name of 64 characters and no serviceName', 'spec.serviceName', service({}, { name: 'w'.repeat(64) })),
  bad('a label with a space', 'metadata.labels', service({}, { labels: { team: 'a b' } })),
  bad('no source of instances', 'spec.selector', service({ selector: undefined })),
  bad('a selector and a kubernetesService', 'spec.kubernetesService', service({ kubernetesService: 'web' })),
  bad(
    'all three sources',
    'spec.instances',
    service({ kubernetesService: 'web', instances: [{ address: '192.0.2.1', port: 80 }] }),
  ),
  bad('an unknown field', 'spec.prots', service({ prots: [] })),
  bad('a field of a later version', 'spec.mesh', service({ mesh: { enabled: true } })),
  bad('an unknown field in a list', 'spec.ports[0].prot', service({ ports: [{ name: 'http', port: 80, prot: 1 }] })),
  bad('a serviceName in upper case', 'spec.serviceName', service({ serviceName: 'Web' })),
  bad('a serviceName with a dot', 'spec.serviceName', service({ serviceName: 'web.v1' })),
  bad('a serviceName with an underscore', 'spec.serviceName', service({ serviceName: 'web_v1' })),
  bad('an empty serviceName', 'spec.serviceName', service({ serviceName: '' })),
  bad('a serviceName of 64 characters', 'spec.serviceName', service({ serviceName: 'w'.repeat(64) })),
  bad('a serviceName that is a number', 'spec.serviceName', service({ serviceName: 12 })),
  bad('an empty selector', 'spec.selector', service({ selector: {} })),
  bad('an empty matchLabels', 'spec.selector', service({ selector: { matchLabels: {} } })),
  bad(
    'a label value with a slash',
    'spec.selector.matchLabels',
    service({ selector: { matchLabels: { app: 'a/b' } } }),
  ),
  bad(
    'a label value that is a boolean',
    'spec.selector.matchLabels',
    service({ selector: { matchLabels: { app: true } } }),
  ),
  bad('In without values', 'spec.selector.matchExpressions[0].values', expression({ key: 'a', operator: 'In' })),
  bad(
    'NotIn with no values',
    'spec.selector.matchExpressions[0].values',
    expression({ key: 'a', operator: 'NotIn', values: [] }),
  ),
  bad(
    'Exists with values',
    'spec.selector.matchExpressions[0].values',
    expression({ key: 'a', operator: 'Exists', values: ['b'] }),
  ),
  bad(
    'an unknown operator',
    'spec.selector.matchExpressions[0].operator',
    expression({ key: 'a', operator: 'Equals', values: ['b'] }),
  ),
  bad('a requirement without a key', 'spec.selector.matchExpressions[0].key', expression({ operator: 'Exists' })),
  bad(
    'a label name with a space',
    'spec.selector.matchExpressions[0].key',
    expression({ key: 'a b', operator: 'Exists' }),
  ),
  bad(
    'a kubernetesService with a dot',
    'spec.kubernetesService',
    service({ selector: undefined, kubernetesService: 'web.shop' }),
  ),
  bad('no instances in the list', 'spec.instances', external([])),
  bad(
    '257 instances',
    'spec.instances',
    external(many(257).map((i) => ({ address: `192.0.2.${i % 250}`, port: 1000 + i }))),
  ),
  bad('an instance without an address', 'spec.instances[0].address', external([{ port: 80 }])),
  bad('an address with a port', 'spec.instances[0].address', instance({ address: '192.0.2.1:80' })),
  bad('an address with a scheme', 'spec.instances[0].address', instance({ address: 'http://db.example.org' })),
  bad('an address that is no IPv4 address', 'spec.instances[0].address', instance({ address: '192.0.2.300' })),
  bad('an instance without a port where no other is given', 'spec.instances', external([{ address: '192.0.2.1' }])),
  bad('a port above 65535', 'spec.instances[0].port', instance({ port: 70000 })),
  bad('a port that is a name', 'spec.instances[0].port', instance({ port: 'http' })),
  bad('a node with a space', 'spec.instances[0].node', instance({ node: 'node 1' })),
  bad('an id with a slash', 'spec.instances[0].id', instance({ id: 'web/1' })),
  bad(
    'the same id twice',
    'spec.instances',
    external([
      { address: '192.0.2.1', port: 80, id: 'a' },
      { address: '192.0.2.2', port: 80, id: 'a' },
    ]),
  ),
  bad(
    'the same address and port twice',
    'spec.instances',
    external([
      { address: '192.0.2.1', port: 80 },
      { address: '192.0.2.1', port: 80 },
    ]),
  ),
  bad('a passing weight of 0', 'spec.instances[0].weights.passing', instance({ weights: { passing: 0 } })),
  bad('a warning weight below 0', 'spec.instances[0].weights.warning', instance({ weights: { warning: -1 } })),
  bad('an unknown weight', 'spec.instances[0].weights.critical', instance({ weights: { critical: 1 } })),
  bad('a meta key with a dot, on an instance', 'spec.instances[0].meta', instance({ meta: { 'a.b': 'c' } })),
  bad('an empty list of ports', 'spec.ports', service({ ports: [] })),
  bad('a port without a name', 'spec.ports[0].name', service({ ports: [{ port: 80 }] })),
  bad('a port without a port', 'spec.ports[0].port', service({ ports: [{ name: 'http' }] })),
  bad(
    'the same port name twice',
    'spec.ports[1]',
    service({
      ports: [
        { name: 'http', port: 80 },
        { name: 'http', port: 81 },
      ],
    }),
  ),
  bad('a port number of 0', 'spec.ports[0].port', service({ ports: [{ name: 'http', port: 0 }] })),
  bad(
    'a port that is neither number nor name',
    'spec.ports[0].port',
    service({ ports: [{ name: 'http', port: true }] }),
  ),
  bad(
    'a container port name of digits only',
    'spec.ports[0].port',
    service({ ports: [{ name: 'http', port: '8080' }] }),
  ),
  bad('a port name in upper case', 'spec.ports[0].name', service({ ports: [{ name: 'HTTP', port: 80 }] })),
  bad('a port name of 16 characters', 'spec.ports[0].name', service({ ports: [{ name: 'a'.repeat(16), port: 80 }] })),
  bad(
    'a container port name with instances',
    'spec.ports',
    external([{ address: '192.0.2.1' }], { ports: [{ name: 'http', port: 'http' }] }),
  ),
  bad('an empty tag', 'spec.tags[0]', service({ tags: [''] })),
  bad('the same tag twice', 'spec.tags[1]', service({ tags: ['a', 'a'] })),
  bad('tags that are no list', 'spec.tags', service({ tags: 'v1' })),
  bad('a meta key with a space', 'spec.meta', service({ meta: { 'a b': 'c' } })),
  bad('a meta key of 129 characters', 'spec.meta', service({ meta: { ['k'.repeat(129)]: 'c' } })),
  bad('a meta value of 513 characters', 'spec.meta.team', service({ meta: { team: 'x'.repeat(513) } })),
  bad('65 meta pairs', 'spec.meta', service({ meta: Object.fromEntries(many(65).map((i) => [`k${i}`, 'v'])) })),
];

const BAD_CHECKS: readonly BadObject[] = [
  bad('no serviceRef', 'spec.serviceRef', check({ serviceRef: undefined })),
  bad('a serviceRef without a name', 'spec.serviceRef.name', check({ serviceRef: {} })),
  bad(
    'a serviceRef with a namespace',
    'spec.serviceRef.namespace',
    check({ serviceRef: { name: 'web', namespace: 'x' } }),
  ),
  bad('a serviceRef that is a string', 'spec.serviceRef', check({ serviceRef: 'web' })),
  bad('no kind of check', 'spec.http', check({ http: undefined })),
  bad('two kinds of check', 'spec.tcp', check({ tcp: {} })),
  bad('http with ttl', 'spec.ttl', check({ ttl: '30s' })),
  bad('a kind of check of a later version', 'spec.script', check({ http: undefined, script: {} })),
  bad('grpc and h2ping', 'spec.grpc', checkOf('grpc', {}, { h2ping: {} })),
  bad('udp without an interval', 'spec.interval', checkOf('udp', {}, { interval: undefined })),
  bad('http without an interval', 'spec.interval', check({ interval: undefined })),
  bad('tcp without an interval', 'spec.interval', check({ http: undefined, tcp: {}, interval: undefined })),
  bad('ttl with an interval', 'spec.interval', ttlCheck({ interval: '5s' })),
  bad('ttl with a timeout', 'spec.timeout', ttlCheck({ timeout: '5s' })),
  bad('ttl with a success threshold', 'spec.successBeforePassing', ttlCheck({ successBeforePassing: 2 })),
  bad('ttl with a failure threshold', 'spec.failuresBeforeCritical', ttlCheck({ failuresBeforeCritical: 2 })),
  bad('a ttl below 1s', 'spec.ttl', ttlCheck({ ttl: '999ms' })),
  bad('a ttl above 168h', 'spec.ttl', ttlCheck({ ttl: '168h1s' })),
  bad('an interval below 1s', 'spec.interval', check({ interval: '500ms' })),
  bad('an interval without a unit', 'spec.interval', check({ interval: '5' })),
  bad('an interval that is a number', 'spec.interval', check({ interval: 5 })),
  bad('an interval in days', 'spec.interval', check({ interval: '1d' })),
  bad('a negative interval', 'spec.interval', check({ interval: '-5s' })),
  bad('an interval that no 64 bits hold', 'spec.interval', check({ interval: '99999999999999h' })),
  bad('a timeout of nothing', 'spec.timeout', check({ timeout: '0s' })),
  bad('a timeout with a space', 'spec.timeout', check({ timeout: '1 s' })),
  bad('a negative threshold', 'spec.successBeforePassing', check({ successBeforePassing: -1 })),
  bad('a threshold that is a text', 'spec.failuresBeforeCritical', check({ failuresBeforeCritical: '3' })),
  bad('a threshold with a fraction', 'spec.failuresBeforeCritical', check({ failuresBeforeCritical: 1.5 })),
  bad(
    'warning after critical',
    'spec.failuresBeforeWarning',
    check({ failuresBeforeWarning: 3, failuresBeforeCritical: 2 }),
  ),
  bad(
    'deregistering before a minute',
    'spec.deregisterCriticalServiceAfter',
    check({ deregisterCriticalServiceAfter: '59s' }),
  ),
  bad('notes of 1025 characters', 'spec.notes', check({ notes: 'x'.repeat(1025) })),
  bad('a path without a slash', 'spec.http.path', http({ path: 'healthz' })),
  bad('a path with a space', 'spec.http.path', http({ path: '/a b' })),
  bad('a path with a fragment', 'spec.http.path', http({ path: '/a#b' })),
  bad('an http port above 65535', 'spec.http.port', http({ port: 65536 })),
  bad('an http port that is an address', 'spec.http.port', http({ port: '127.0.0.1:80' })),
  bad('a method in lower case', 'spec.http.method', http({ method: 'get' })),
  bad('a header that is no list', 'spec.http.header.Host', http({ header: { Host: 'web' } })),
  bad('a header without values', 'spec.http.header.Host', http({ header: { Host: [] } })),
  bad('a header name with a colon', 'spec.http.header', http({ header: { 'Host:': ['web'] } })),
  bad('a header value with a line break', 'spec.http.header.Host[0]', http({ header: { Host: ['a\r\nX: b'] } })),
  bad('a body of more than 64 KiB', 'spec.http.body', http({ body: 'x'.repeat(65537) })),
  bad('skipVerify as a text', 'spec.http.tls.skipVerify', http({ tls: { skipVerify: 'yes' } })),
  bad('a serverName with a port', 'spec.http.tls.serverName', http({ tls: { serverName: 'web:443' } })),
  bad('Consul spelling of a field', 'spec.http.tls_skip_verify', http({ tls_skip_verify: true })),
  bad('a tcp check that is an address', 'spec.tcp', check({ http: undefined, tcp: 'localhost:80' })),
  bad('a udp check with tls', 'spec.udp.tls', checkOf('udp', { tls: {} })),
  bad('a udp port above 65535', 'spec.udp.port', checkOf('udp', { port: 70000 })),
  bad('a grpc service with a space', 'spec.grpc.service', checkOf('grpc', { service: 'shop orders' })),
  bad('an empty grpc service', 'spec.grpc.service', checkOf('grpc', { service: '' })),
  bad('Consul spelling of tls of a grpc check', 'spec.grpc.useTLS', checkOf('grpc', { useTLS: true })),
  bad('a grpc check that is an address', 'spec.grpc', checkOf('grpc', 'localhost:9090' as never)),
  bad(
    'a serverName of a grpc check with a port',
    'spec.grpc.tls.serverName',
    checkOf('grpc', { tls: { serverName: 'a:1' } }),
  ),
  bad('an h2ping port in upper case', 'spec.h2ping.port', checkOf('h2ping', { port: 'GRPC' })),
  bad('an h2ping check with a service', 'spec.h2ping.service', checkOf('h2ping', { service: 'a' })),
  bad('a tcp port of 0', 'spec.tcp.port', check({ http: undefined, tcp: { port: 0 } })),
];

const jwt = (fields: Record<string, unknown>) => intention({ jwt: { providers: [{ name: 'okta', ...fields }] } });

const BAD_INTENTIONS: readonly BadObject[] = [
  bad('no destination', 'spec.destination', intention({ destination: undefined })),
  bad('a destination that is a string', 'spec.destination', intention({ destination: 'db' })),
  bad('a destination without a service', 'spec.destination.service', intention({ destination: {} })),
  bad('Consul spelling of the destination', 'spec.destination.name', intention({ destination: { name: 'db' } })),
  bad('a destination in upper case', 'spec.destination.service', intention({ destination: { service: 'Db' } })),
  bad('a part of a name with a wildcard', 'spec.destination.service', intention({ destination: { service: 'db-*' } })),
  bad('a destination with a slash', 'spec.destination.service', intention({ destination: { service: 'shop/db' } })),
  bad(
    'a destination of 129 characters',
    'spec.destination.service',
    intention({ destination: { service: 'd'.repeat(129) } }),
  ),
  bad('no sources', 'spec.sources', intention({ sources: undefined })),
  bad('an empty list of sources', 'spec.sources', intention({ sources: [] })),
  bad('a source that is a name', 'spec.sources[0]', intention({ sources: ['web'] })),
  bad('a source without a service', 'spec.sources[0].service', intention({ sources: [{ action: 'allow' }] })),
  bad('a source with an empty service', 'spec.sources[0].service', source({ service: '', action: 'allow' })),
  bad('a source in a datacenter', 'spec.sources[0].datacenter', source({ action: 'allow', datacenter: 'dc2' })),
  bad('a source with a peer in upper case', 'spec.sources[0].peer', source({ action: 'allow', peer: 'Dc2' })),
  bad('a source whose peer is a wildcard', 'spec.sources[0].peer', source({ action: 'allow', peer: '*' })),
  bad(
    'the same source twice',
    'spec.sources[1]',
    intention({
      sources: [
        { service: 'web', action: 'allow' },
        { service: 'web', action: 'deny' },
      ],
    }),
  ),
  bad(
    '513 sources',
    'spec.sources',
    intention({ sources: many(513).map((i) => ({ service: `web-${i}`, action: 'deny' })) }),
  ),
  bad('a source without an action', 'spec.sources[0].action', source({})),
  bad('an action in upper case', 'spec.sources[0].action', source({ action: 'Allow' })),
  bad('an unknown action', 'spec.sources[0].action', source({ action: 'audit' })),
  bad(
    'an action beside permissions',
    'spec.sources[0].action',
    source({ action: 'allow', permissions: [{ action: 'allow', http: { pathExact: '/' } }] }),
  ),
  bad('an empty list of permissions', 'spec.sources[0].permissions', source({ permissions: [] })),
  bad(
    'a permission without an action',
    'spec.sources[0].permissions[0].action',
    source({ permissions: [{ http: { pathExact: '/' } }] }),
  ),
  bad('a permission for everything', 'spec.sources[0].permissions[0].http', permission({})),
  bad('http with nothing in it', 'spec.sources[0].permissions[0].http', permission({ http: {} })),
  bad(
    'two ways to match the path',
    'spec.sources[0].permissions[0].http',
    permission({ http: { pathExact: '/a', pathPrefix: '/b' } }),
  ),
  bad(
    'a path without a slash',
    'spec.sources[0].permissions[0].http.pathPrefix',
    permission({ http: { pathPrefix: 'read' } }),
  ),
  bad(
    'an empty regular expression',
    'spec.sources[0].permissions[0].http.pathRegex',
    permission({ http: { pathRegex: '' } }),
  ),
  bad(
    'a method in lower case',
    'spec.sources[0].permissions[0].http.methods[0]',
    permission({ http: { methods: ['get'] } }),
  ),
  bad(
    'the same method twice',
    'spec.sources[0].permissions[0].http.methods[1]',
    permission({ http: { methods: ['GET', 'GET'] } }),
  ),
  bad(
    'headers in the form of a HealthCheck',
    'spec.sources[0].permissions[0].http.header',
    permission({ http: { header: { Host: ['web'] } } }),
  ),
  bad(
    'a header without a name',
    'spec.sources[0].permissions[0].http.header[0].name',
    permission({ http: { header: [{ present: true }] } }),
  ),
  bad(
    'a header name with a space',
    'spec.sources[0].permissions[0].http.header[0].name',
    permission({ http: { header: [{ name: 'X Test', present: true }] } }),
  ),
  bad('a header without a condition', 'spec.sources[0].permissions[0].http.header[0]', headerMatch({})),
  bad(
    'a header with two conditions',
    'spec.sources[0].permissions[0].http.header[0]',
    headerMatch({ exact: 'a', prefix: 'b' }),
  ),
  bad(
    'a header that is not there, without invert',
    'spec.sources[0].permissions[0].http.header[0].present',
    headerMatch({ present: false }),
  ),
  bad(
    'ignoreCase on a regular expression',
    'spec.sources[0].permissions[0].http.header[0].ignoreCase',
    headerMatch({ regex: 'a.*', ignoreCase: true }),
  ),
  bad(
    'a header value with a line break',
    'spec.sources[0].permissions[0].http.header[0].exact',
    headerMatch({ exact: 'a\nb' }),
  ),
  bad('a description of 513 characters', 'spec.sources[0].description', source({ description: 'x'.repeat(513) })),
  bad('jwt without providers', 'spec.jwt.providers', intention({ jwt: {} })),
  bad('an empty list of providers', 'spec.jwt.providers', intention({ jwt: { providers: [] } })),
  bad(
    'the same provider twice',
    'spec.jwt.providers[1]',
    intention({ jwt: { providers: [{ name: 'okta' }, { name: 'okta' }] } }),
  ),
  bad('a provider with a space in its name', 'spec.jwt.providers[0].name', jwt({ name: 'my okta' })),
  bad(
    'a claim without a value',
    'spec.jwt.providers[0].verifyClaims[0].value',
    jwt({ verifyClaims: [{ path: ['role'] }] }),
  ),
  bad(
    'a claim whose path is a text',
    'spec.jwt.providers[0].verifyClaims[0].path',
    jwt({ verifyClaims: [{ path: 'role', value: 'a' }] }),
  ),
  bad('a mode, which nothing acts on', 'spec.mode', intention({ mode: 'audit' })),
];

/** Every bad object. */
export const BAD_OBJECTS: readonly BadObject[] = [...BAD_SERVICES, ...BAD_CHECKS, ...BAD_INTENTIONS];

function bad(what: string, field: string, object: Record<string, unknown>): BadObject {
  return { what, field, object };
}
