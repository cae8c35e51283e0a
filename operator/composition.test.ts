import { SystemClock } from '../core/clock.ts';
import { createLogger } from '../core/log.ts';
import { Metrics } from '../core/metrics.ts';
import { SeededRandom } from '../core/random.ts';
import { eventually } from '../test/support/eventually.ts';
import { FakeCatalogServer } from '../test/support/fake-catalog.ts';
import { FakeKubeApi, type FakeObject } from '../test/support/fake-kube-api.ts';
import { RunningServer } from '../test/support/running-server.ts';
import { HttpCatalogClient } from './catalog-client/http-catalog-client.ts';
import { ServerHttp } from './catalog-client/server-http.ts';
import { type ComposedOperator, composeOperator, type OperatorConfig } from './composition.ts';
import { HttpKubeApi } from './kube-api/http-kube-api.ts';
import { staticAuth } from './kube-api/static-auth.ts';

const clock = new SystemClock();
let kube: FakeKubeApi;
let server: FakeCatalogServer;
/** Holds the intentions. */
let holder: RunningServer;
let logged: string[];
const running: Running[] = [];

interface Running {
  readonly operator: ComposedOperator;
  stop(): Promise<void>;
}

function start(config: Partial<OperatorConfig> = {}): Running {
  const random = new SeededRandom(running.length + 1);
  const api = new HttpKubeApi({ auth: staticAuth(kube.url), clock, random });
  const http = new ServerHttp({ clock, random }, { addresses: [server.url], attemptMs: 1_000 });
  const catalog = new HttpCatalogClient({ clock, http });
  const operator = composeOperator(
    {
      owner: 'kubernetes/test',
      identity: `test-${running.length}`,
      leaseNamespace: 'default',
      leaseName: 'lictor-operator',
      leaseMs: 1_500,
      leaderElect: true,
      externalNode: 'external',
      namespaces: 'single',
      maxSweepShare: 0.5,
      watchNamespaces: [],
      workers: 4,
      metricsAddress: { host: '127.0.0.1', port: 0 },
      ...config,
    },
    {
      api,
      catalog,
      intentions: holder.composed.intentionClient,
      clock,
      random,
      log: createLogger({ sink: { write: (line) => logged.push(line) } }),
      metrics: new Metrics(),
    },
  );
  const abort = new AbortController();
  const done = operator.runnable.run({ signal: abort.signal, ready: () => {} });
  done.catch((error: unknown) => logged.push(String(error)));
  const one: Running = {
    operator,
    async stop() {
      abort.abort();
      await done.catch(() => {});
      await Promise.all([api.close(), http.close()]);
    },
  };
  running.push(one);
  return one;
}

const service = (name: string, spec: object, metadata: object = {}): FakeObject => ({
  apiVersion: 'lictor.dev/v1alpha1',
  kind: 'Service',
  metadata: { name, ...metadata },
  spec,
});
const web = (metadata: object = {}) =>
  service('web', { selector: { matchLabels: { app: 'web' } }, ports: [{ name: 'http', port: 'http' }] }, metadata);
const pod = (
  name: string,
  change: { ready?: boolean; labels?: Record<string, string>; uid?: string; namespace?: string } = {},
) => ({
  metadata: {
    name,
    uid: change.uid ?? `uid-${name}`,
    labels: change.labels ?? { app: 'web' },
    namespace: change.namespace,
  },
  spec: { nodeName: 'n1', containers: [{ name: 'c', ports: [{ name: 'http', containerPort: 8080 }] }] },
  status: {
    phase: 'Running',
    podIP: '10.0.0.1',
    hostIP: '192.168.0.1',
    conditions: [{ type: 'Ready', status: (change.ready ?? true) ? 'True' : 'False' }],
  },
});
const ids = () => [...server.catalog.instances.values()].map(({ owned }) => owned.ServiceID).sort();
const statusOf = (collection: string, key: string) => kube.get(collection, key)?.status;
const ready = (collection: string, key: string) =>
  statusOf(collection, key)?.conditions?.find(({ type }: { type: string }) => type === 'Ready');
const soon = (check: () => unknown, withinMs = 30_000) =>
  eventually(
    async () => {
      await check();
    },
    { withinMs, everyMs: 10 },
  );
const removePods = (count: number) => {
  for (let i = 0; i < count; i++) kube.remove('pods', `default/p${i}`);
};

/** Makes a change that no watch tells and a list shows later, and waits until the sweep that it asks for is held back. */
async function holdsBackUnseen(change: () => void): Promise<void> {
  kube.faults.hang = true;
  kube.dropConnections();
  change();
  kube.compact();
  kube.faults.hang = false;
  await soon(() => expect(ready('services', 'default/web')).toMatchObject({ status: 'False', reason: 'SweepHeld' }));
}

beforeEach(async () => {
  [kube, server, holder] = await Promise.all([
    FakeKubeApi.start({ bookmarkMs: 50 }),
    FakeCatalogServer.start(),
    RunningServer.start(),
  ]);
  logged = [];
});
afterEach(async () => {
  await Promise.all(running.splice(0).map((one) => one.stop()));
  await Promise.all([kube.stop(), server.stop(), holder.stop()]);
});

describe('operator on Kubernetes', () => {
  it('registers pods by UID with their readiness and shows it in the status', async () => {
    kube.put('services', web());
    kube.put('pods', pod('a'));
    kube.put('pods', pod('b', { ready: false }));
    kube.put('pods', pod('other', { labels: { app: 'db' } }));
    start();
    await soon(() =>
      expect(server.catalog.summary()).toEqual([
        'n1/web-uid-a 10.0.0.1:8080 [kubernetes-readiness:web-uid-a=passing] Service/default/web',
        'n1/web-uid-b 10.0.0.1:8080 [kubernetes-readiness:web-uid-b=critical] Service/default/web',
      ]),
    );
    await soon(() => expect(statusOf('services', 'default/web')).toMatchObject({ healthy: 1, total: 2 }));
    expect(ready('services', 'default/web')).toMatchObject({ status: 'True', reason: 'Registered' });
    kube.put('pods', pod('b'));
    await soon(() => expect(statusOf('services', 'default/web')).toMatchObject({ healthy: 2, total: 2 }));
    kube.put('pods', pod('a', { labels: { app: 'elsewhere' } }));
    await soon(() => expect(ids()).toEqual(['web-uid-b']));
    kube.remove('pods', 'default/b');
    kube.put('pods', pod('b', { uid: 'uid-new' }));
    await soon(() => expect(ids()).toEqual(['web-uid-new']));
  });

  it('writes the status once the kind is served again, as a 404 does not say that the object is gone', async () => {
    kube.put('services', web());
    kube.put('pods', pod('a'));
    start();
    await soon(() => expect(statusOf('services', 'default/web')).toMatchObject({ total: 1 }));
    const refused = kube.requests.get('PATCH services') ?? 0;
    kube.faults.notServed.add('services');
    kube.put('pods', pod('b'));
    await soon(() => expect(kube.requests.get('PATCH services')).toBeGreaterThan(refused));
    await soon(() => expect(ids()).toHaveLength(2));
    kube.faults.notServed.clear();
    await soon(() => expect(statusOf('services', 'default/web')).toMatchObject({ total: 2 }));
  });

  it('writes nothing when nothing changed: after a restart, a relist and cut streams', async () => {
    kube.put('services', web());
    kube.put('healthchecks', {
      apiVersion: 'lictor.dev/v1alpha1',
      kind: 'HealthCheck',
      metadata: { name: 'alive' },
      spec: { serviceRef: { name: 'web' }, http: { path: '/', port: 'http' }, interval: '5s' },
    });
    for (const name of ['a', 'b']) kube.put('pods', pod(name));
    const first = start();
    await soon(() => expect(statusOf('healthchecks', 'default/alive')).toMatchObject({ critical: 2 }));
    await soon(() => expect(statusOf('services', 'default/web')).toMatchObject({ total: 2 }));
    await first.stop();
    const writes = () =>
      kube.writes.filter(({ path }) => !path.includes('leases')).length + server.catalog.writes.length;
    const before = writes();
    const second = start();
    await soon(() => expect(second.operator.elector?.leading).toBe(true));
    await soon(() => expect(kube.requests.get('GET pods')).toBeGreaterThanOrEqual(2)); // it has listed what it relists below
    server.catalog.cutStreams();
    kube.compact();
    kube.cutWatches();
    await soon(() => expect(kube.requests.get('GET pods')).toBeGreaterThanOrEqual(3));
    kube.put('pods', pod('c')); // when this one has arrived, whatever came before has been worked on
    await soon(() => expect(statusOf('services', 'default/web')).toMatchObject({ total: 3 }));
    expect(server.catalog.writes.slice(-1)).toEqual(['register web-uid-c']);
    expect(writes() - before).toBeLessThanOrEqual(3); // the new instance and the two statuses
  });

  it('finds at start what was deleted while it was away', async () => {
    kube.put('services', web());
    kube.put('services', service('db', { instances: [{ address: '10.9.9.9', port: 5432 }] }));
    for (const name of ['a', 'b', 'c']) kube.put('pods', pod(name));
    const first = start();
    await soon(() => expect(ids()).toHaveLength(4));
    await first.stop();
    kube.remove('pods', 'default/b');
    kube.remove('services', 'default/db');
    server.catalog.writes.length = 0;
    start();
    await soon(() => expect(ids()).toEqual(['web-uid-a', 'web-uid-c']));
    expect([...server.catalog.writes].sort()).toEqual(['deregister db-10.9.9.9-5432', 'deregister web-uid-b']);
  });

  it('deletes nothing while a kind cannot be read', async () => {
    kube.put('services', web());
    kube.put('pods', pod('a'));
    const first = start();
    await soon(() => expect(ids()).toHaveLength(1));
    await first.stop();
    kube.remove('pods', 'default/a');
    kube.faults.notServed.add('endpointslices');
    const { operator } = start();
    await soon(async () => {
      const answer = await fetch(`http://127.0.0.1:${operator.probes!.port}/readyz`);
      expect([answer.status, await answer.text()]).toEqual([503, 'not synced yet: EndpointSlice\n']);
    });
    expect(ids()).toHaveLength(1);
    kube.faults.notServed.clear();
    await soon(() => expect(ids()).toEqual([]));
  });

  it('holds back a sweep that is too large, and lets it through when told', async () => {
    kube.put('services', web());
    for (let i = 0; i < 12; i++) kube.put('pods', pod(`p${i}`));
    const first = start();
    await soon(() => expect(ids()).toHaveLength(12));
    await first.stop();
    removePods(12);
    start();
    await soon(() => expect(ready('services', 'default/web')).toMatchObject({ status: 'False', reason: 'SweepHeld' }));
    expect(ids()).toHaveLength(12);
    expect(logged.filter((line) => line.includes('a sweep is held back'))).toHaveLength(1);
    await soon(() => expect(kube.list('events').map(({ reason }) => reason)).toContain('SweepHeld'));
    kube.put('services', web({ annotations: { 'lictor.dev/allow-sweep': 'true' } }));
    await soon(() => expect(ids()).toEqual([]));
    await soon(() => expect(ready('services', 'default/web')).toMatchObject({ status: 'True', reason: 'NoInstances' }));
  });

  it('holds it back also when what goes had changed before', async () => {
    kube.put('services', web());
    for (let i = 0; i < 12; i++) kube.put('pods', pod(`p${i}`));
    start();
    await soon(() => expect(ids()).toHaveLength(12));
    // A change that takes no instance away.
    for (const isReady of [false, true]) {
      for (let i = 0; i < 12; i++) kube.put('pods', pod(`p${i}`, { ready: isReady }));
      const status = isReady ? 'passing' : 'critical';
      await soon(() => expect(server.catalog.summary().filter((line) => line.includes(`=${status}`))).toHaveLength(12));
    }
    await holdsBackUnseen(() => removePods(12));
    expect(ids()).toHaveLength(12);
  });

  it.each(['before', 'after'])(
    'takes a move to another EndpointSlice, %s it left the first, for no delete',
    async (order) => {
      const slice = (name: string, endpoints: number[]) =>
        kube.put('endpointslices', {
          metadata: { name, labels: { 'kubernetes.io/service-name': 'web-core' } },
          ports: [{ name: 'http', port: 8080 }],
          endpoints: endpoints.map((at) => ({
            addresses: [`10.0.0.${at}`],
            nodeName: 'n1',
            targetRef: { kind: 'Pod', name: `p${at}`, uid: `u${at}` },
          })),
        });
      const all = Array.from({ length: 12 }, (_, at) => at);
      kube.put('services', service('web', { kubernetesService: 'web-core' }));
      slice('one', all);
      start();
      await soon(() => expect(ids()).toHaveLength(12));
      const move = [() => slice('one', [99]), () => slice('two', all)];
      for (const step of order === 'after' ? move : move.reverse()) step();
      await soon(() => expect(ids()).toHaveLength(13));
      await holdsBackUnseen(() => kube.remove('endpointslices', 'default/two'));
      expect(ids()).toHaveLength(13);
    },
  );

  it('holds it back also when a pod was relabelled and came back', async () => {
    kube.put('services', web());
    for (let i = 0; i < 12; i++) kube.put('pods', pod(`p${i}`));
    start();
    await soon(() => expect(ids()).toHaveLength(12));
    for (const app of ['elsewhere', 'web'])
      for (let i = 0; i < 12; i++) kube.put('pods', pod(`p${i}`, { labels: { app } }));
    kube.put('pods', pod('last'));
    await soon(() => expect(ids()).toHaveLength(13));
    await holdsBackUnseen(() => removePods(12));
    expect(ids()).toHaveLength(13);
  });

  it('holds it back also when the Service was edited before, and a server refused one instance', async () => {
    const { AppError } = await import('../core/errors.ts');
    server.catalog.failing = (registration) =>
      registration?.Service?.ID === 'web-uid-p0' ? new AppError('badRequest', 'refused') : undefined;
    kube.put('services', web());
    for (let i = 0; i < 13; i++) kube.put('pods', pod(`p${i}`));
    start();
    await soon(() => expect(ids()).toHaveLength(12));
    kube.put('services', service('web', { ...web().spec, tags: ['edited'] }));
    const tagged = () =>
      [...server.catalog.instances.values()].filter(({ registration }) =>
        registration.Service?.Tags?.includes('edited'),
      );
    await soon(() => expect(tagged()).toHaveLength(12));
    await holdsBackUnseen(() => removePods(13));
    expect(ids()).toHaveLength(12);
  });

  it('lets deletes that it saw happening go at once, however many', async () => {
    kube.put('services', web());
    for (let i = 0; i < 12; i++) kube.put('pods', pod(`p${i}`));
    start();
    await soon(() => expect(ids()).toHaveLength(12));
    removePods(12);
    await soon(() => expect(ids()).toEqual([]));
  });

  describe('of a slice with many endpoints', () => {
    const slice = (coreService: string, port: string) => ({
      metadata: { name: 'x', labels: { 'kubernetes.io/service-name': coreService } },
      ports: [{ name: port, port: 8080 }],
      endpoints: Array.from({ length: 12 }, (_, i) => ({
        addresses: [`10.0.0.${i}`],
        nodeName: 'n1',
        targetRef: { kind: 'Pod', name: `p${i}`, uid: `u${i}` },
      })),
    });
    beforeEach(async () => {
      const ports = [{ name: 'http', port: 'http' }];
      kube.put('services', service('web', { kubernetesService: 'web-core', ports }));
      kube.put('endpointslices', slice('web-core', 'http'));
      start();
      await soon(() => expect(ids()).toHaveLength(12));
    });

    it('lets them go at once when it saw the slice move to another Service', async () => {
      kube.put('endpointslices', slice('other', 'http'));
      await soon(() => expect(ids()).toEqual([]));
      await soon(() => expect(ready('services', 'default/web')).toMatchObject({ reason: 'NoInstances' }));
    });

    it('says which port is missing while it holds them back, and goes on once it is there', async () => {
      kube.put('endpointslices', slice('web-core', 'web'));
      await soon(() => expect(ready('services', 'default/web')).toMatchObject({ reason: 'PortNotFound' }));
      const { message } = ready('services', 'default/web');
      expect(message).toContain('"http" is not the name of a port of its EndpointSlices');
      expect(message).toContain('12 instances stay meanwhile');
      expect(ids()).toHaveLength(12);
      kube.put('endpointslices', slice('web-core', 'http'));
      await soon(() => expect(ready('services', 'default/web')).toMatchObject({ reason: 'Registered' }));
      expect(ids()).toHaveLength(12);
    });
  });

  it('gives a name to the older of two Services and tells the other', async () => {
    const spec = (address: string) => ({ serviceName: 'shop', instances: [{ address, port: 80 }] });
    kube.put(
      'services',
      service('b', spec('10.0.0.2'), { namespace: 'two', creationTimestamp: '2026-02-01T00:00:00Z' }),
    );
    kube.put(
      'services',
      service('a', spec('10.0.0.1'), { namespace: 'one', creationTimestamp: '2026-01-01T00:00:00Z' }),
    );
    start();
    await soon(() => expect(ready('services', 'two/b')).toMatchObject({ status: 'False', reason: 'NameTaken' }));
    await soon(() => expect(ids()).toEqual(['shop-10.0.0.1-80']));
    kube.remove('services', 'one/a');
    await soon(() => expect(ids()).toEqual(['shop-10.0.0.2-80']));
    await soon(() => expect(ready('services', 'two/b')).toMatchObject({ status: 'True' }));
  });

  it('keeps namespaces apart with mirror', async () => {
    for (const namespace of ['one', 'two']) {
      kube.put('services', service('shop', { instances: [{ address: '10.0.0.1', port: 80 }] }, { namespace }));
    }
    start({ namespaces: 'mirror' });
    await soon(() =>
      expect([...server.catalog.instances.keys()].sort()).toEqual([
        'one\0external\0shop-10.0.0.1-80',
        'two\0external\0shop-10.0.0.1-80',
      ]),
    );
  });

  it('watches only the namespaces that it is told', async () => {
    for (const namespace of ['one', 'two', 'three']) {
      kube.put(
        'services',
        service(`s-${namespace}`, { instances: [{ address: '10.0.0.1', port: 80 }] }, { namespace }),
      );
    }
    start({ watchNamespaces: ['one', 'three'] });
    await soon(() => expect(ids()).toEqual(['s-one-10.0.0.1-80', 's-three-10.0.0.1-80']));
  });

  it('follows EndpointSlices with their ready, serving and terminating conditions', async () => {
    kube.put('services', service('web', { kubernetesService: 'web-core' }));
    const endpoint = (uid: string, conditions: object) => ({
      addresses: [`10.0.0.${uid}`],
      conditions,
      nodeName: 'n1',
      targetRef: { kind: 'Pod', name: `pod-${uid}`, uid },
    });
    kube.put('endpointslices', {
      metadata: { name: 'web-core-x', labels: { 'kubernetes.io/service-name': 'web-core' } },
      ports: [{ name: 'http', port: 8080 }],
      endpoints: [
        endpoint('1', { ready: true, serving: true, terminating: false }),
        endpoint('2', { ready: false, serving: false, terminating: false }),
        endpoint('3', { ready: false, serving: true, terminating: true }),
        endpoint('4', { ready: false, serving: false, terminating: true }),
        { addresses: ['10.0.0.5'] },
      ],
    });
    start();
    await soon(() =>
      expect(server.catalog.summary().map((line) => line.split(' ').slice(0, 3).join(' '))).toEqual([
        'external/web-10.0.0.5 10.0.0.5:8080 [kubernetes-readiness:web-10.0.0.5=passing]',
        'n1/web-1 10.0.0.1:8080 [kubernetes-readiness:web-1=passing]',
        'n1/web-2 10.0.0.2:8080 [kubernetes-readiness:web-2=critical]',
        'n1/web-3 10.0.0.3:8080 [kubernetes-readiness:web-3=critical]',
      ]),
    );
  });

  it('takes no address of an endpoint for its node, and that of the host once a pod tells it', async () => {
    kube.put('services', service('web', { kubernetesService: 'web-core' }));
    kube.put('endpointslices', {
      metadata: { name: 'web-core-x', labels: { 'kubernetes.io/service-name': 'web-core' } },
      ports: [{ name: 'http', port: 8080 }],
      endpoints: [{ addresses: ['10.0.0.1'], nodeName: 'n1', targetRef: { kind: 'Pod', name: 'a', uid: 'uid-a' } }],
    });
    start();
    const address = () => [...server.catalog.instances.values()].map(({ registration }) => registration.Address);
    await soon(() => expect(address()).toEqual(['']));
    kube.put('pods', pod('a'));
    await soon(() => expect(address()).toEqual(['192.168.0.1']));
    kube.put('pods', pod('b'));
    kube.remove('pods', 'default/a');
    kube.put('services', service('last', { instances: [{ address: '10.0.0.9', port: 80 }] }));
    await soon(() => expect(ids()).toEqual(['last-10.0.0.9-80', 'web-uid-a']));
    expect(server.catalog.writes).toEqual(['register web-uid-a', 'register web-uid-a', 'register last-10.0.0.9-80']);
  });

  it('says in the status what a server refused, without trying again and again', async () => {
    kube.put('services', service('db', { instances: [{ address: '10.0.0.1', port: 80 }] }));
    const { AppError } = await import('../core/errors.ts');
    start();
    await soon(() => expect(ids()).toHaveLength(1));
    server.catalog.failing = () => new AppError('badRequest', 'Service.Port: 0 is not allowed');
    kube.put('services', service('db', { instances: [{ address: '10.0.0.1', port: 81 }] }));
    await soon(() => {
      const stalled = statusOf('services', 'default/db').conditions.find(
        ({ type }: { type: string }) => type === 'Stalled',
      );
      expect(stalled).toMatchObject({ status: 'True', reason: 'Refused' });
      expect(stalled.message).toContain('Service.Port: 0 is not allowed');
    });
  });

  it('tries again what failed for a while beside what was refused', async () => {
    const { AppError } = await import('../core/errors.ts');
    let away = true;
    let tries = 0;
    server.catalog.failing = (registration) => {
      if (!registration) return undefined;
      if (registration.Service?.Address === '10.0.0.1')
        return new AppError('badRequest', 'Service.Port: 0 is not allowed');
      tries++;
      return away ? new AppError('unavailable', 'no quorum') : undefined;
    };
    const instances = [1, 2].map((n) => ({ address: `10.0.0.${n}`, port: 80 }));
    kube.put('services', service('db', { instances }));
    start();
    // The client by itself gives up after three.
    await soon(() => expect(tries).toBeGreaterThan(3));
    away = false;
    await soon(() => expect(ids()).toHaveLength(1));
  });

  it('stands by while another leads, and takes over when it stops', async () => {
    kube.put('services', web());
    kube.put('pods', pod('a'));
    const first = start();
    await soon(() => expect(ids()).toEqual(['web-uid-a']));
    const second = start();
    await soon(async () => {
      const answer = await fetch(`http://127.0.0.1:${second.operator.probes!.port}/readyz`);
      expect(answer.status).toBe(200);
    });
    expect(second.operator.elector?.leading).toBe(false);
    const epoch = server.catalog.epochs.get('kubernetes/test')!;
    await first.stop();
    kube.put('pods', pod('b'));
    await soon(() => expect(ids()).toEqual(['web-uid-a', 'web-uid-b']));
    expect(second.operator.elector?.leading).toBe(true);
    expect(server.catalog.epochs.get('kubernetes/test')).toBe(epoch + 1);
  });

  it('loses nothing while the API server is away and the servers are slow to come back', async () => {
    kube.put('services', web());
    for (const name of ['a', 'b']) kube.put('pods', pod(name));
    start();
    await soon(() => expect(ids()).toHaveLength(2));
    server.catalog.writes.length = 0;
    kube.faults.hang = true;
    kube.dropConnections();
    server.catalog.cutStreams();
    await clock.sleep(2_500); // longer than the lease
    expect(ids()).toHaveLength(2);
    kube.faults.hang = false;
    kube.dropConnections();
    kube.put('pods', pod('c'));
    await soon(() => expect(ids()).toEqual(['web-uid-a', 'web-uid-b', 'web-uid-c']), 20_000);
    expect(server.catalog.writes).toEqual(['register web-uid-c']);
  }, 40_000);
});
