import type { HealthCheck, Service, ServiceSpec } from '../../../crds/types/index.ts';
import { stripSlice } from '../../workloads/endpoint-slice.ts';
import { type PodView, stripPod } from '../../workloads/pod.ts';
import { planRegistrations } from './plan-registrations.ts';

const service = (spec: ServiceSpec, name = 'web'): Service => ({
  apiVersion: 'lictor.dev/v1alpha1',
  kind: 'Service',
  metadata: { name, namespace: 'shop' },
  spec,
});
const pod = (
  change: { deleting?: boolean; ready?: boolean; phase?: string; ip?: string; node?: string } = {},
): PodView =>
  stripPod({
    metadata: { name: 'web-1', namespace: 'shop', uid: 'u1', ...(change.deleting ? { deletionTimestamp: 'now' } : {}) },
    spec: {
      nodeName: change.node ?? 'n1',
      containers: [
        { ports: [{ name: 'http', containerPort: 8080 }] },
        { ports: [{ name: 'admin', containerPort: 9000 }] },
      ],
    },
    status: {
      podIP: change.ip ?? '10.0.0.1',
      hostIP: '192.168.0.1',
      phase: change.phase ?? 'Running',
      conditions: [{ type: 'Ready', status: (change.ready ?? true) ? 'True' : 'False' }],
    },
  } as never);
const check = (spec: Partial<HealthCheck['spec']>): HealthCheck => ({
  apiVersion: 'lictor.dev/v1alpha1',
  kind: 'HealthCheck',
  metadata: { name: 'alive', namespace: 'shop' },
  spec: { serviceRef: { name: 'web' }, interval: '5s', timeout: '2s', ...spec },
});
function plan(
  of: Service,
  found: { pods?: PodView[]; slices?: object[]; checks?: HealthCheck[]; namespace?: string } = {},
) {
  return planRegistrations(
    {
      service: of,
      pods: found.pods ?? [],
      slices: (found.slices ?? []).map((slice) => stripSlice(slice as never)),
      healthChecks: found.checks ?? [],
      hostAddress: () => '192.168.0.9',
    },
    { namespace: found.namespace ?? 'default', externalNode: 'external' },
  );
}
const pods: ServiceSpec = { selector: { matchLabels: { app: 'web' } }, ports: [{ name: 'http', port: 'http' }] };

describe('plan of registrations', () => {
  it('is one request with node, instance and checks', () => {
    const { instances } = plan(service({ ...pods, tags: ['v1'], meta: { team: 'shop' } }), {
      pods: [pod()],
      checks: [check({ http: { path: '/healthz', port: 'http' } })],
    });
    expect(instances).toHaveLength(1);
    expect(instances[0]!.registration).toEqual({
      Node: 'n1',
      Address: '192.168.0.1',
      SkipNodeUpdate: true,
      Service: {
        ID: 'web-u1',
        Service: 'web',
        Address: '10.0.0.1',
        Port: 8080,
        Ports: [{ Name: 'http', Port: 8080, Default: true }],
        Tags: ['v1'],
        Meta: { team: 'shop' },
        Weights: { Passing: 1, Warning: 1 },
      },
      Checks: [
        {
          Node: 'n1',
          CheckID: 'shop.alive:web-u1',
          Name: 'shop/alive',
          ServiceID: 'web-u1',
          Notes: '',
          Type: 'http',
          Interval: '5s',
          Timeout: '2s',
          Definition: { HTTP: 'http://10.0.0.1:8080/healthz', Method: 'GET', Interval: '5s', Timeout: '2s' },
        },
        {
          Node: 'n1',
          CheckID: 'kubernetes-readiness:web-u1',
          Name: 'Kubernetes Readiness Check',
          ServiceID: 'web-u1',
          Type: 'kubernetes-readiness',
          Status: 'passing',
          Output: 'Pod shop/web-1 is ready',
        },
      ],
    });
  });

  it.each([
    ['ready', {}, 'passing'],
    ['not ready', { ready: false }, 'critical'],
    ['terminating, still serving', { deleting: true }, 'critical'],
    ['terminating, not serving', { deleting: true, ready: false }, undefined],
    ['finished', { phase: 'Succeeded' }, undefined],
    ['failed', { phase: 'Failed' }, undefined],
    ['without an address', { ip: '' }, undefined],
    ['without a node', { node: '' }, undefined],
  ])('a pod that is %s', (_, change, expected) => {
    const [instance] = plan(service(pods), { pods: [pod(change)] }).instances;
    expect(instance?.registration.Checks?.at(-1)?.Status).toBe(expected);
  });

  it('changes its digest with anything that is declared or seen, and with nothing else', () => {
    const digest = (of: Service, found: Parameters<typeof plan>[1]) => plan(of, found).instances[0]!.hash;
    const base = digest(service(pods), { pods: [pod()] });
    expect(digest(service({ ...pods }), { pods: [pod()] })).toBe(base);
    expect(digest(service({ ...pods, tags: ['x'] }), { pods: [pod()] })).not.toBe(base);
    expect(digest(service(pods), { pods: [pod({ ready: false })] })).not.toBe(base);
    expect(digest(service(pods), { pods: [pod()], checks: [check({ tcp: {} })] })).not.toBe(base);
    const meta = (pairs: Record<string, string>) => digest(service({ ...pods, meta: pairs }), { pods: [pod()] });
    expect(meta({ a: '1', b: '2' })).toBe(meta({ b: '2', a: '1' }));
  });

  it('registers no instance with a port name that the pod lacks, and says so', () => {
    const { instances, problems } = plan(service({ ...pods, ports: [{ name: 'grpc', port: 'grpc' }] }), {
      pods: [pod()],
    });
    expect(instances).toEqual([]);
    expect(problems).toEqual(['port grpc: "grpc" is not the name of a container port of every instance']);
  });

  it('takes the ports of the slices when none are declared', () => {
    const slice = {
      metadata: { name: 's', namespace: 'shop', labels: { 'kubernetes.io/service-name': 'core' } },
      ports: [
        { name: 'http', port: 8080 },
        { name: 'grpc', port: 9090 },
      ],
      endpoints: [
        { addresses: ['10.0.0.1'], nodeName: 'n1', targetRef: { kind: 'Pod', name: 'p', uid: 'u1' } },
        { addresses: ['10.0.0.1'], nodeName: 'n1', targetRef: { kind: 'Pod', name: 'p', uid: 'u1' } },
      ],
    };
    const { instances } = plan(service({ kubernetesService: 'core' }), { slices: [slice] });
    expect(instances).toHaveLength(1);
    expect(instances[0]!.registration.Service).toMatchObject({
      ID: 'web-u1',
      Port: 8080,
      Ports: [
        { Name: 'http', Port: 8080, Default: true },
        { Name: 'grpc', Port: 9090 },
      ],
    });
    expect(instances[0]!.registration.Address).toBe('192.168.0.9');
  });

  it('names outside instances by address and port, on their node or the one for such', () => {
    const spec: ServiceSpec = {
      ports: [{ name: 'pg', port: 5432 }],
      tags: ['a'],
      instances: [
        { address: 'db1.example.org' },
        { address: '::1', port: 5433, node: 'db2', id: 'second', tags: ['b'], weights: { passing: 10 } },
      ],
    };
    const { instances } = plan(service(spec, 'db'), { namespace: 'shop', checks: [check({ tcp: {} })] });
    const [one, two] = instances.map(({ registration }) => registration);
    expect(one).toMatchObject({
      Node: 'external',
      Namespace: 'shop',
      Service: { ID: 'db-db1.example.org-5432', Namespace: 'shop' },
    });
    expect(two).toMatchObject({
      Node: 'db2',
      Service: { ID: 'second', Address: '::1', Port: 5433, Tags: ['a', 'b'], Weights: { Passing: 10, Warning: 1 } },
      Checks: [{ Namespace: 'shop', Definition: { TCP: '[::1]:5433' } }],
    });
  });

  it.each<[string, Partial<HealthCheck['spec']>, object]>([
    [
      'http with TLS',
      { http: { path: '/x', tls: { skipVerify: true }, header: { Host: ['a.example:443'] } } },
      {
        HTTP: 'https://10.0.0.1:8080/x',
        TLSServerName: 'a.example',
        TLSSkipVerify: true,
        Header: { Host: ['a.example:443'] },
      },
    ],
    [
      'http with TLS turned off',
      { http: { tls: { enabled: false, skipVerify: true } } },
      { HTTP: 'http://10.0.0.1:8080/' },
    ],
    ['tcp on a number', { tcp: { port: 99, tls: {} } }, { TCP: '10.0.0.1:99', TCPUseTLS: true }],
    ['udp', { udp: { port: 53 } }, { UDP: '10.0.0.1:53' }],
    ['grpc, of the whole server', { grpc: { port: 'http' } }, { GRPC: '10.0.0.1:8080' }],
    [
      'grpc, of one service and over TLS',
      { grpc: { service: 'shop.v1.Orders', tls: { serverName: 'web', skipVerify: true } } },
      { GRPC: '10.0.0.1:8080/shop.v1.Orders', GRPCUseTLS: true, TLSServerName: 'web', TLSSkipVerify: true },
    ],
    ['h2ping in the clear', { h2ping: { tls: { enabled: false } } }, { H2PING: '10.0.0.1:8080', H2PingUseTLS: false }],
    ['h2ping over TLS', { h2ping: { tls: {} } }, { H2PING: '10.0.0.1:8080', H2PingUseTLS: true }],
    ['ttl', { ttl: '30s', interval: undefined }, { TTL: '30s' }],
    [
      'thresholds',
      {
        tcp: {},
        successBeforePassing: 2,
        failuresBeforeWarning: 0,
        failuresBeforeCritical: 3,
        deregisterCriticalServiceAfter: '10m',
      },
      {
        SuccessBeforePassing: 2,
        FailuresBeforeWarning: 0,
        FailuresBeforeCritical: 3,
        DeregisterCriticalServiceAfter: '10m',
      },
    ],
  ])('makes a definition of %s', (_, spec, expected) => {
    const [instance] = plan(service(pods), { pods: [pod()], checks: [check(spec)] }).instances;
    expect(instance!.registration.Checks![0]!.Definition).toMatchObject(expected);
    expect(instance!.registration.Checks![0]).not.toHaveProperty('Status');
  });

  it('makes a check that has no port critical, with the reason', () => {
    const [instance] = plan(service(pods), { pods: [pod()], checks: [check({ http: { port: 'grpc' } })] }).instances;
    expect(instance!.registration.Checks![0]).toMatchObject({
      Status: 'critical',
      Output: 'spec.http.port: the Service has no port named "grpc"; it has http',
    });
  });
});
