import { silentLogger } from '../../core/log.ts';
import { KIND_FILES, kindSchema, type LictorKind } from '../../crds/manifests/kind-schema.ts';
import { type KubernetesObject, validateObject } from '../../crds/manifests/validate-object.ts';
import type { HealthCheck, Intention, Service } from '../../crds/types/index.ts';
import { walkSchema } from '../../crds/walk-schema.ts';
import { planIntention } from '../../operator/controllers/intention/plan-intention.ts';
import { planRegistrations } from '../../operator/controllers/service/plan-registrations.ts';
import { ClusterView } from '../../operator/indexes/cluster-view.ts';
import { ObjectCache } from '../../operator/informer/object-cache.ts';
import type { KubeObject } from '../../operator/kube-api/kube-api.ts';
import { type SliceView, stripSlice } from '../../operator/workloads/endpoint-slice.ts';
import { type PodView, stripPod } from '../../operator/workloads/pod.ts';
import { stripResource } from '../../operator/workloads/strip-resource.ts';
import {
  check,
  checkOf,
  external,
  headerMatch,
  intention,
  permission,
  service,
  source,
  ttlCheck,
} from '../golden/crd-bad-objects.ts';

type Declared = Record<string, unknown>;

/** A leaf of a spec, and two declarations that differ in it alone. */
type Effect = readonly [field: string, one: Declared, other: Declared];

const ADDRESS = { address: '192.0.2.1', port: 80 };
const instance = (fields: object) => external([{ ...ADDRESS, ...fields }]);
const expression = (fields: object) => service({ selector: { matchExpressions: [fields] } });
const http = (fields: object) => check({ http: fields });
const path = (fields: object) => permission({ http: { pathExact: '/', ...fields } });
const jwt = (provider: object) => ({ providers: [{ name: 'okta', ...provider }] });
const claim = (fields: object) => jwt({ verifyClaims: [{ path: ['role'], value: 'a', ...fields }] });
const tcp = (fields: object) => check({ http: undefined, tcp: fields });

/** One row for each leaf of the specs: what is declared decides what is written to the servers. */
const EFFECTS: readonly Effect[] = [
  ['Service spec.serviceName', service({ serviceName: 'a' }), service({ serviceName: 'b' })],
  ['Service spec.selector.matchLabels.*', service({}), service({ selector: { matchLabels: { app: 'db' } } })],
  [
    'Service spec.selector.matchExpressions[].key',
    expression({ key: 'app', operator: 'Exists' }),
    expression({ key: 'x', operator: 'Exists' }),
  ],
  [
    'Service spec.selector.matchExpressions[].operator',
    expression({ key: 'app', operator: 'Exists' }),
    expression({ key: 'app', operator: 'DoesNotExist' }),
  ],
  [
    'Service spec.selector.matchExpressions[].values[]',
    expression({ key: 'app', operator: 'In', values: ['web'] }),
    expression({ key: 'app', operator: 'In', values: ['x'] }),
  ],
  [
    'Service spec.kubernetesService',
    service({ selector: undefined, kubernetesService: 'web' }),
    service({ selector: undefined, kubernetesService: 'db' }),
  ],
  ['Service spec.instances[].address', instance({}), instance({ address: '192.0.2.2' })],
  ['Service spec.instances[].port', instance({}), instance({ port: 81 })],
  ['Service spec.instances[].node', instance({}), instance({ node: 'db1' })],
  ['Service spec.instances[].id', instance({}), instance({ id: 'db-1' })],
  ['Service spec.instances[].tags[]', instance({ tags: ['a'] }), instance({ tags: ['b'] })],
  ['Service spec.instances[].meta.*', instance({ meta: { a: 'b' } }), instance({ meta: { a: 'c' } })],
  ['Service spec.instances[].weights.passing', instance({}), instance({ weights: { passing: 2 } })],
  ['Service spec.instances[].weights.warning', instance({}), instance({ weights: { warning: 2 } })],
  [
    'Service spec.ports[].name',
    service({ ports: [{ name: 'a', port: 80 }] }),
    service({ ports: [{ name: 'b', port: 80 }] }),
  ],
  [
    'Service spec.ports[].port',
    service({ ports: [{ name: 'a', port: 80 }] }),
    service({ ports: [{ name: 'a', port: 'http' }] }),
  ],
  ['Service spec.tags[]', service({ tags: ['a'] }), service({ tags: ['b'] })],
  ['Service spec.meta.*', service({ meta: { a: 'b' } }), service({ meta: { a: 'c' } })],
  ['HealthCheck spec.serviceRef.name', check({}), check({ serviceRef: { name: 'db' } })],
  ['HealthCheck spec.http.path', http({}), http({ path: '/healthz' })],
  ['HealthCheck spec.http.port', http({}), http({ port: 'admin' })],
  ['HealthCheck spec.http.method', http({}), http({ method: 'HEAD' })],
  ['HealthCheck spec.http.header.*[]', http({ header: { Host: ['a'] } }), http({ header: { Host: ['b'] } })],
  ['HealthCheck spec.http.body', http({}), http({ body: 'x' })],
  ['HealthCheck spec.http.tls.enabled', http({ tls: {} }), http({ tls: { enabled: false } })],
  ['HealthCheck spec.http.tls.skipVerify', http({ tls: {} }), http({ tls: { skipVerify: true } })],
  ['HealthCheck spec.http.tls.serverName', http({ tls: {} }), http({ tls: { serverName: 'web' } })],
  ['HealthCheck spec.http.disableRedirects', http({}), http({ disableRedirects: true })],
  ['HealthCheck spec.tcp.port', tcp({}), tcp({ port: 81 })],
  ['HealthCheck spec.tcp.tls.enabled', tcp({ tls: {} }), tcp({ tls: { enabled: false } })],
  ['HealthCheck spec.tcp.tls.skipVerify', tcp({ tls: {} }), tcp({ tls: { skipVerify: true } })],
  ['HealthCheck spec.tcp.tls.serverName', tcp({ tls: {} }), tcp({ tls: { serverName: 'web' } })],
  ['HealthCheck spec.udp.port', checkOf('udp'), checkOf('udp', { port: 81 })],
  ['HealthCheck spec.grpc.port', checkOf('grpc'), checkOf('grpc', { port: 81 })],
  ['HealthCheck spec.grpc.service', checkOf('grpc'), checkOf('grpc', { service: 'shop.v1.Orders' })],
  ['HealthCheck spec.h2ping.port', checkOf('h2ping'), checkOf('h2ping', { port: 81 })],
  ...['grpc', 'h2ping'].flatMap((kind): Effect[] => {
    const tls = (fields: object) => checkOf(kind, { tls: fields });
    return [
      [`HealthCheck spec.${kind}.tls.enabled`, tls({}), tls({ enabled: false })],
      [`HealthCheck spec.${kind}.tls.skipVerify`, tls({}), tls({ skipVerify: true })],
      [`HealthCheck spec.${kind}.tls.serverName`, tls({}), tls({ serverName: 'web' })],
    ];
  }),
  ['HealthCheck spec.ttl', ttlCheck({}), ttlCheck({ ttl: '31s' })],
  ['HealthCheck spec.interval', check({}), check({ interval: '6s' })],
  ['HealthCheck spec.timeout', check({}), check({ timeout: '3s' })],
  ['HealthCheck spec.successBeforePassing', check({}), check({ successBeforePassing: 2 })],
  [
    'HealthCheck spec.failuresBeforeWarning',
    check({ failuresBeforeCritical: 3 }),
    check({ failuresBeforeCritical: 3, failuresBeforeWarning: 1 }),
  ],
  ['HealthCheck spec.failuresBeforeCritical', check({}), check({ failuresBeforeCritical: 3 })],
  ['HealthCheck spec.deregisterCriticalServiceAfter', check({}), check({ deregisterCriticalServiceAfter: '1m' })],
  ['HealthCheck spec.notes', check({}), check({ notes: 'see the runbook' })],
  ['Intention spec.destination.service', intention({}), intention({ destination: { service: '*' } })],
  [
    'Intention spec.sources[].service',
    intention({ sources: [{ service: 'a', action: 'deny' }] }),
    intention({ sources: [{ service: 'b', action: 'deny' }] }),
  ],
  ['Intention spec.sources[].peer', source({ action: 'allow' }), source({ action: 'allow', peer: 'dc2' })],
  ['Intention spec.sources[].action', source({ action: 'allow' }), source({ action: 'deny' })],
  ['Intention spec.sources[].description', source({ action: 'deny' }), source({ action: 'deny', description: 'x' })],
  [
    'Intention spec.sources[].permissions[].action',
    permission({ http: { pathExact: '/' } }),
    permission({ http: { pathExact: '/' }, action: 'deny' }),
  ],
  ['Intention spec.sources[].permissions[].http.pathExact', path({}), path({ pathExact: '/a' })],
  [
    'Intention spec.sources[].permissions[].http.pathPrefix',
    permission({ http: { pathPrefix: '/' } }),
    permission({ http: { pathPrefix: '/a' } }),
  ],
  [
    'Intention spec.sources[].permissions[].http.pathRegex',
    permission({ http: { pathRegex: '/' } }),
    permission({ http: { pathRegex: '/a' } }),
  ],
  ['Intention spec.sources[].permissions[].http.methods[]', path({ methods: ['GET'] }), path({ methods: ['PUT'] })],
  [
    'Intention spec.sources[].permissions[].http.header[].name',
    headerMatch({ exact: 'a' }),
    headerMatch({ exact: 'a', name: 'X-Other' }),
  ],
  [
    'Intention spec.sources[].permissions[].http.header[].present',
    headerMatch({ present: true }),
    headerMatch({ exact: 'true' }),
  ],
  ...['exact', 'prefix', 'suffix', 'contains', 'regex'].map(
    (way): Effect => [
      `Intention spec.sources[].permissions[].http.header[].${way}`,
      headerMatch({ [way]: 'a' }),
      headerMatch({ [way]: 'b' }),
    ],
  ),
  ...['invert', 'ignoreCase'].map(
    (turn): Effect => [
      `Intention spec.sources[].permissions[].http.header[].${turn}`,
      headerMatch({ exact: 'a' }),
      headerMatch({ exact: 'a', [turn]: true }),
    ],
  ),
  ...(['', 'sources[].permissions[].'] as const).flatMap((place): Effect[] => {
    const at = (requirement: object) =>
      place === '' ? intention({ jwt: requirement }) : permission({ jwt: requirement });
    const leaf = `Intention spec.${place}jwt.providers[]`;
    return [
      [`${leaf}.name`, at(jwt({})), at(jwt({ name: 'auth0' }))],
      [`${leaf}.verifyClaims[].path[]`, at(claim({})), at(claim({ path: ['role', 'b'] }))],
      [`${leaf}.verifyClaims[].value`, at(claim({})), at(claim({ value: 'b' }))],
    ];
  }),
];

const POD = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web-0', namespace: 'default', uid: 'uid-web-0', labels: { app: 'web' } },
  spec: { nodeName: 'node-1', containers: [{ name: 'web', ports: [{ name: 'http', containerPort: 8080 }] }] },
  status: { phase: 'Running', podIP: '10.0.0.1', hostIP: '10.1.0.1', conditions: [{ type: 'Ready', status: 'True' }] },
};

const SLICE = {
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: { name: 'web-abc', namespace: 'default', labels: { 'kubernetes.io/service-name': 'web' } },
  addressType: 'IPv4',
  ports: [{ name: 'http', port: 8080 }],
  endpoints: [{ addresses: ['10.0.0.1'], conditions: { ready: true }, nodeName: 'node-1' }],
};

/** What would be written if this were all that is declared, beside a Service that checks can be for. */
function registered(declared: Declared): string {
  if (declared.kind === 'Intention') {
    const { entry, digest } = planIntention(valid(declared) as Intention, 'kubernetes/test');
    return JSON.stringify([entry, digest]);
  }
  const target = service({
    ports: [
      { name: 'http', port: 'http' },
      { name: 'admin', port: 9000 },
    ],
  });
  const services = declared.kind === 'Service' ? [declared] : [target];
  const checks = declared.kind === 'HealthCheck' ? [declared] : [];
  const view = new ClusterView(
    {
      services: cache<Service>(
        'Service',
        services.map((each) => stripResource<Service>(valid(each))),
      ),
      healthChecks: cache<HealthCheck>(
        'HealthCheck',
        checks.map((each) => stripResource<HealthCheck>(valid(each))),
      ),
      pods: cache<PodView>('Pod', [stripPod(POD)]),
      slices: cache<SliceView>('EndpointSlice', [stripSlice(SLICE)]),
    },
    { namespaces: 'single' },
  );
  const plans = [...view.sources.services.list()].map((each) =>
    planRegistrations(
      {
        service: each,
        pods: view.podsOf(each),
        slices: view.slicesOf(each),
        healthChecks: view.checksOf(`default/${each.metadata.name}`),
        hostAddress: () => '10.1.0.1',
      },
      { namespace: 'default', externalNode: 'external' },
    ),
  );
  view.close();
  return JSON.stringify(plans);
}

function valid(declared: Declared): KubeObject {
  const result = validateObject(declared as unknown as KubernetesObject);
  if (!result.ok) throw new Error(JSON.stringify(result.problems));
  return result.object as unknown as KubeObject;
}

function cache<T extends KubeObject>(kind: string, objects: readonly T[]): ObjectCache<T> {
  const made = new ObjectCache<T>({ log: silentLogger }, { kind });
  for (const each of objects) made.put(each, 'relist');
  made.markSynced();
  return made;
}

describe('the fields of the kinds', () => {
  it('are each in the table of effects', () => {
    const leaves = (Object.keys(KIND_FILES) as LictorKind[]).flatMap((kind) =>
      walkSchema(kindSchema(kind))
        .filter(({ path, schema }) => path.startsWith('spec') && isLeaf(schema))
        .map(({ path }) => `${kind} ${path}`),
    );
    expect(EFFECTS.map(([field]) => field).sort()).toEqual(leaves.sort());
  });

  it.each(EFFECTS)('%s decides what is written', (_, one, other) => {
    expect(registered(one)).not.toBe(registered(other));
  });
});

function isLeaf(schema: { properties?: unknown; items?: unknown; additionalProperties?: unknown }): boolean {
  return !schema.properties && !schema.items && !schema.additionalProperties;
}
