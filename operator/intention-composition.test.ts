import { SystemClock } from '../core/clock.ts';
import { AppError } from '../core/errors.ts';
import { createLogger } from '../core/log.ts';
import { Metrics } from '../core/metrics.ts';
import { SeededRandom } from '../core/random.ts';
import { eventually } from '../test/support/eventually.ts';
import { FakeCatalog } from '../test/support/fake-catalog.ts';
import { FakeKubeApi } from '../test/support/fake-kube-api.ts';
import { FlakyIntentions } from '../test/support/flaky-intentions.ts';
import { RunningServer } from '../test/support/running-server.ts';
import { composeOperator, type OperatorConfig } from './composition.ts';
import type { ShownEntry } from './intention-client/intention-client.ts';
import { HttpKubeApi } from './kube-api/http-kube-api.ts';
import { staticAuth } from './kube-api/static-auth.ts';

const clock = new SystemClock();
let kube: FakeKubeApi;
let catalog: FakeCatalog;
let server: RunningServer;
let link: FlakyIntentions;
let logged: string[];
const stops: (() => Promise<void>)[] = [];

function start(config: Partial<OperatorConfig> = {}): () => Promise<void> {
  const random = new SeededRandom(stops.length + 1);
  const api = new HttpKubeApi({ auth: staticAuth(kube.url), clock, random });
  const { runnable } = composeOperator(
    {
      owner: 'kubernetes/test',
      identity: `test-${stops.length}`,
      leaseNamespace: 'default',
      leaseName: 'lictor-operator',
      leaseMs: 1_500,
      leaderElect: false,
      externalNode: 'external',
      namespaces: 'single',
      maxSweepShare: 0.5,
      watchNamespaces: [],
      workers: 4,
      ...config,
    },
    {
      api,
      catalog,
      intentions: link,
      clock,
      random,
      log: createLogger({ sink: { write: (line) => logged.push(line) } }),
      metrics: new Metrics(),
    },
  );
  const abort = new AbortController();
  const done = runnable.run({ signal: abort.signal, ready: () => {} });
  done.catch((error: unknown) => logged.push(String(error)));
  const stop = async () => {
    abort.abort();
    await done.catch(() => {});
    await api.close();
  };
  stops.push(stop);
  return stop;
}

function declare(name: string, spec: object, metadata: object = {}): void {
  kube.put('intentions', {
    apiVersion: 'lictor.dev/v1alpha1',
    kind: 'Intention',
    metadata: { name, ...metadata },
    spec: { sources: [{ service: 'web', action: 'deny' }], ...spec },
  });
}
const to = (service: string) => ({ destination: { service } });
const entries = async () => {
  const { entries: all } = await server.composed.intentionClient.list(
    { index: 0, waitMs: 0 },
    new AbortController().signal,
  );
  return all as readonly (ShownEntry & { Sources: { Name: string; Action: string }[] })[];
};
/** `<destination>: <source> <action>, … (<declaring object>)` for each entry. */
const summary = async () =>
  (await entries()).map(({ Name, Sources, Meta }) => {
    const sources = Sources.map((source) => `${source.Name} ${source.Action}`).join(', ');
    return `${Name}: ${sources} (${Meta?.['lictor.dev/ref'] ?? 'by hand'})`;
  });
const byHand = (service: string, action = 'allow') =>
  server.call('PUT', '/v1/config', {
    body: { Kind: 'service-intentions', Name: service, Sources: [{ Name: 'web', Action: action }] },
  });
const condition = (key: string, type = 'Ready') =>
  kube.get('intentions', key)?.status?.conditions?.find((one: { type: string }) => one.type === type);
const soon = (check: () => unknown, withinMs = 30_000) =>
  eventually(
    async () => {
      await check();
    },
    { withinMs, everyMs: 10 },
  );

beforeEach(async () => {
  [kube, server] = await Promise.all([FakeKubeApi.start({ bookmarkMs: 50 }), RunningServer.start()]);
  catalog = new FakeCatalog();
  link = new FlakyIntentions(server.composed.intentionClient);
  logged = [];
});
afterEach(async () => {
  await Promise.all(stops.splice(0).map((stop) => stop()));
  await Promise.all([kube.stop(), server.stop()]);
});

describe('Intentions on Kubernetes', () => {
  it('are written, changed and deleted at the servers, and say so in their status', async () => {
    declare('db', to('db'), { namespace: 'shop', uid: 'uid-db' });
    start();
    await soon(async () => expect(await summary()).toEqual(['db: web deny (Intention/shop/db)']));
    await soon(() => expect(condition('shop/db')).toMatchObject({ status: 'True', reason: 'Synced' }));
    expect(kube.get('intentions', 'shop/db')!.status).toMatchObject({ sources: 1, effective: 1, overriddenBy: [] });
    declare('db', { ...to('db'), sources: [{ service: '*', action: 'allow' }] }, { namespace: 'shop', uid: 'uid-db' });
    await soon(async () => expect(await summary()).toEqual(['db: * allow (Intention/shop/db)']));
    declare('db', to('cache'), { namespace: 'shop', uid: 'uid-db' });
    await soon(async () => expect(await summary()).toEqual(['cache: web deny (Intention/shop/db)']));
    kube.remove('intentions', 'shop/db');
    await soon(async () => expect(await summary()).toEqual([]));
    expect(link.writes).toEqual(['put db', 'put db', 'put cache', 'delete db', 'delete cache']);
  });

  it('are written once: not again after a restart, a relist and cut watches', async () => {
    for (const name of ['a', 'b']) declare(name, to(name));
    const stop = start();
    await soon(() => expect(condition('default/b')).toMatchObject({ status: 'True' }));
    await soon(() => expect(condition('default/a')).toMatchObject({ status: 'True' }));
    await stop();
    const statuses = () => kube.writes.filter(({ path }) => path.includes('intentions')).length;
    const before = statuses();
    start();
    await soon(() => expect(kube.requests.get('GET intentions')).toBeGreaterThanOrEqual(2));
    kube.compact();
    kube.cutWatches();
    await soon(() => expect(kube.requests.get('GET intentions')).toBeGreaterThanOrEqual(3));
    declare('c', to('c')); // when this one has arrived, whatever came before has been worked on
    await soon(() => expect(condition('default/c')).toMatchObject({ status: 'True' }));
    expect(link.writes.slice(2)).toEqual(['put c']);
    expect(statuses() - before).toBe(1);
  });

  it('are restored when somebody changes or deletes their entries', async () => {
    declare('db', to('db'));
    start();
    await soon(async () => expect(await summary()).toEqual(['db: web deny (Intention/default/db)']));
    await server.call('PUT', '/v1/connect/intentions/exact?source=web&destination=db', { body: { Action: 'allow' } });
    await soon(async () => expect(await summary()).toEqual(['db: web deny (Intention/default/db)']));
    const before = (await entries())[0]!.ModifyIndex;
    await server.composed.intentionClient.delete('db', before);
    await soon(async () => expect(await summary()).toEqual(['db: web deny (Intention/default/db)']));
    await soon(() => expect(link.writes).toEqual(['put db', 'put db', 'put db']));
  });

  it('leave alone what somebody else wrote, say what to do, and take over when it is gone', async () => {
    await byHand('db');
    declare('db', to('db'));
    start();
    await soon(() => expect(condition('default/db')).toMatchObject({ status: 'False', reason: 'Conflict' }));
    expect(condition('default/db').message).toContain('DELETE /v1/config/service-intentions/db');
    expect(kube.get('intentions', 'default/db')!.status).toMatchObject({ effective: 0 });
    expect(kube.get('intentions', 'default/db')!.status.overriddenBy).toEqual([
      expect.stringContaining('without Kube'),
    ]);
    await soon(() => expect(kube.list('events').map(({ reason }) => reason)).toContain('Conflict'));
    expect(await summary()).toEqual(['db: web allow (by hand)']);
    const { ModifyIndex: cas } = (await entries())[0]!;
    await server.composed.intentionClient.delete('db', cas);
    await soon(() => expect(condition('default/db')).toMatchObject({ status: 'True', reason: 'Synced' }));
    expect(await summary()).toEqual(['db: web deny (Intention/default/db)']);
  });

  it('do not delete an entry that somebody else has made of theirs', async () => {
    declare('db', to('db'));
    start();
    await soon(() => expect(condition('default/db')).toMatchObject({ status: 'True' }));
    await byHand('db');
    await soon(() => expect(condition('default/db')).toMatchObject({ status: 'False', reason: 'Conflict' }));
    kube.remove('intentions', 'default/db');
    declare('last', to('last'));
    await soon(() => expect(condition('default/last')).toMatchObject({ status: 'True' }));
    expect(await summary()).toEqual(['db: web allow (by hand)', 'last: web deny (Intention/default/last)']);
  });

  it('give a destination to the older of two, and to the other in place when it goes', async () => {
    declare('new', to('db'), { namespace: 'two', creationTimestamp: '2026-02-01T00:00:00Z' });
    declare(
      'old',
      { ...to('db'), sources: [{ service: 'api', action: 'allow' }] },
      { namespace: 'one', creationTimestamp: '2026-01-01T00:00:00Z' },
    );
    start();
    await soon(() => expect(condition('two/new')).toMatchObject({ status: 'False', reason: 'Conflict' }));
    expect(condition('two/new').message).toContain('Intention one/old, which is older');
    expect(kube.get('intentions', 'two/new')!.status).toMatchObject({ overriddenBy: ['Intention one/old'] });
    await soon(async () => expect(await summary()).toEqual(['db: api allow (Intention/one/old)']));
    link.writes.length = 0;
    kube.remove('intentions', 'one/old');
    await soon(() => expect(condition('two/new')).toMatchObject({ status: 'True' }));
    expect(await summary()).toEqual(['db: web deny (Intention/two/new)']);
    expect(link.writes).toEqual(['put db']); // there was no moment without rules
  });

  it('say what the servers refuse, and try again, as what they refer to may come later', async () => {
    const permissions = [{ action: 'allow', http: { pathPrefix: '/read' } }];
    declare('db', { ...to('db'), sources: [{ service: 'web', permissions }] });
    start();
    await soon(() => expect(condition('default/db', 'Stalled')).toMatchObject({ status: 'True', reason: 'Refused' }));
    expect(condition('default/db').message).toContain('protocol');
    await server.call('PUT', '/v1/config', { body: { Kind: 'service-defaults', Name: 'db', Protocol: 'http' } });
    kube.put('intentions', { ...kube.get('intentions', 'default/db')!, metadata: { name: 'db', labels: { a: 'b' } } });
    await soon(() => expect(condition('default/db')).toMatchObject({ status: 'True' }));
    expect(condition('default/db', 'Stalled')).toMatchObject({ status: 'False' });
  });

  it('go on when the servers are back, whatever was done without an answer', async () => {
    declare('db', to('db'));
    start();
    await soon(() => expect(condition('default/db')).toMatchObject({ status: 'True' }));
    link.failures = 12;
    for (const name of ['a', 'b', 'c']) declare(name, to(name));
    kube.remove('intentions', 'default/db');
    await soon(async () => {
      expect((await summary()).map((line) => line.split(':')[0])).toEqual(['a', 'b', 'c']);
    });
    for (const name of ['a', 'b', 'c']) {
      await soon(() => expect(condition(`default/${name}`)).toMatchObject({ status: 'True' }));
      expect(condition(`default/${name}`, 'Reconciling')).toMatchObject({ status: 'False' });
    }
  });

  it('are not deleted while the API server cannot list them', async () => {
    declare('db', to('db'));
    const stop = start();
    await soon(() => expect(condition('default/db')).toMatchObject({ status: 'True' }));
    await stop();
    kube.remove('intentions', 'default/db');
    kube.faults.notServed.add('intentions');
    kube.put('services', {
      apiVersion: 'lictor.dev/v1alpha1',
      kind: 'Service',
      metadata: { name: 'web' },
      spec: { instances: [{ address: '10.0.0.1', port: 80 }] },
    });
    start();
    await soon(() => expect(catalog.instances.size).toBe(1)); // Services go on meanwhile
    expect(await summary()).toHaveLength(1);
    kube.faults.notServed.clear();
    await soon(async () => expect(await summary()).toEqual([]));
  });

  it('hold back a sweep that is too large, and let the part of an object through when told', async () => {
    for (let i = 0; i < 12; i++) declare(`i${i}`, to(`old-${i}`));
    const stop = start();
    await soon(async () => expect(await summary()).toHaveLength(12));
    await stop();
    for (let i = 1; i < 12; i++) kube.remove('intentions', `default/i${i}`);
    declare('i0', to('new-0'));
    const again = start();
    await soon(() => expect(condition('default/i0')).toMatchObject({ status: 'False', reason: 'SweepHeld' }));
    expect(condition('default/i0').message).toContain('12 of 13 service-intentions entries');
    expect(await summary()).toHaveLength(13);
    expect(logged.filter((line) => line.includes('a sweep is held back'))).toHaveLength(1);
    declare('i0', to('new-0'), { annotations: { 'lictor.dev/allow-sweep': 'true' } });
    await soon(() => expect(condition('default/i0')).toMatchObject({ status: 'True', reason: 'Synced' }));
    await soon(async () => expect((await summary()).join()).not.toContain('old-0'));
    expect(await summary()).toHaveLength(12);
    await again();
    start({ maxSweepShare: 1 });
    await soon(async () => expect(await summary()).toEqual(['new-0: web deny (Intention/default/i0)']));
  });

  it('are not accepted outside the namespace default with mirrored namespaces', async () => {
    declare('db', to('db'), { namespace: 'shop' });
    declare('api', to('api'), { namespace: 'default' });
    start({ namespaces: 'mirror' });
    await soon(() => expect(condition('shop/db')).toMatchObject({ status: 'False', reason: 'NamespaceNotSupported' }));
    await soon(async () => expect(await summary()).toEqual(['api: web deny (Intention/default/api)']));
  });

  it('are written by no operator whose epoch another has overtaken', async () => {
    declare('db', to('db'));
    start();
    await soon(() => expect(condition('default/db')).toMatchObject({ status: 'True' }));
    catalog.epochs.set('kubernetes/test', 99);
    declare('late', to('late'));
    await soon(() => expect(logged.join('\n')).toContain('another operator writes as kubernetes/test'));
    expect((await summary()).join()).not.toContain('late');
  });

  it('show a failure that lasts as Reconciling, and keep what Ready said', async () => {
    declare('db', to('db'));
    start();
    await soon(() => expect(condition('default/db')).toMatchObject({ status: 'True' }));
    catalog.failing = () => new AppError('unavailable', 'the servers are away');
    declare('db', { ...to('db'), sources: [{ service: 'b', action: 'allow' }] });
    await soon(() =>
      expect(condition('default/db', 'Reconciling')).toMatchObject({ status: 'True', reason: 'Unavailable' }),
    );
    expect(condition('default/db')).toMatchObject({ status: 'True' });
    catalog.failing = undefined;
    await soon(async () => expect(await summary()).toEqual(['db: b allow (Intention/default/db)']));
    await soon(() => expect(condition('default/db', 'Reconciling')).toMatchObject({ status: 'False' }));
  });
});
