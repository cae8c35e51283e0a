import type { HealthCheck, HealthEntry } from '../../api/shapes/catalog.ts';
import type { Registration, WriterIdentity } from '../../api/shapes/registration.ts';
import { FakeClock } from '../../core/clock.ts';
import { openMemoryStore } from '../../store/memory/memory-store.ts';
import type { Store } from '../../store/store.ts';
import { eventually } from '../../test/support/eventually.ts';
import { API, RunningServer } from '../../test/support/running-server.ts';
import { GENERATION_KEY } from './keys.ts';

const operator = (extra: Partial<WriterIdentity> = {}): WriterIdentity => ({
  owner: 'operator/k8s',
  epoch: 1,
  ...extra,
});
const agent: WriterIdentity = { owner: 'agent/n1', epoch: 0 };
const web: Registration = {
  Node: 'n1',
  Address: '10.0.0.1',
  SkipNodeUpdate: true,
  Service: { ID: 'web-1', Service: 'web', Port: 80 },
};

describe('catalog writer', () => {
  let server: RunningServer;
  beforeEach(async () => {
    server = await RunningServer.start();
  });
  afterEach(() => server.stop());

  const health = async (name: string) => (await server.get<HealthEntry[]>(`/v1/health/service/${name}`)).json;
  const checks = async (node: string) => (await server.get<HealthCheck[]>(`/v1/health/node/${node}`)).json;
  const nodes = async () => (await server.get<{ Node: string }[]>('/v1/catalog/nodes')).json.map((node) => node.Node);
  const owned = async (owner: string) => {
    const controller = new AbortController();
    const found: { ServiceID: string; Hash: string; Ref: string }[] = [];
    for await (const event of server.composed.catalogClient.followOwned(owner, controller.signal)) {
      if (event.Type === 'upsert') found.push(event.Instance);
      if (event.Type === 'synced') break;
    }
    return found;
  };

  it('writes nothing when the registration is what is there already', async () => {
    const full: Registration = {
      ...web,
      Service: { ...web.Service!, Meta: { a: '1', b: '2' } },
      Check: { Name: 'c', Status: 'passing', ServiceID: 'web-1' },
    };
    await server.register(full, operator({ hash: 'h' }));
    const revision = server.store.revision();
    await server.register(
      { ...full, Service: { ...full.Service!, Meta: { b: '2', a: '1' } } },
      operator({ hash: 'h' }),
    );
    expect(server.store.revision()).toBe(revision);
    await server.register(full, API);
    expect(server.store.revision()).toBe(revision);
  });

  it('is visible to a read as soon as it is acknowledged', async () => {
    for (let i = 0; i < 20; i++) {
      await server.register({ ...web, Service: { ...web.Service!, Port: i + 1 } });
      expect((await health('web'))[0]?.Service.Port).toBe(i + 1);
    }
  });

  it('moves an instance when its service name changes', async () => {
    await server.register(web);
    await server.register({ ...web, Service: { ID: 'web-1', Service: 'shop', Port: 80 } });
    expect(await health('web')).toEqual([]);
    expect((await health('shop'))[0]?.Service.ID).toBe('web-1');
  });

  it('compares names without regard to case', async () => {
    await server.register(web);
    await server.register({ ...web, Node: 'N1', Service: { ID: 'WEB-1', Service: 'Web', Port: 81 } });
    expect((await health('WEB')).map((entry) => entry.Service.Port)).toEqual([81]);
  });

  it('removes the instance with all its checks where both are named', async () => {
    const check = (CheckID: string) => ({ CheckID, Name: 'c', Status: 'passing' as const, ServiceID: 'web-1' });
    await server.register({ ...web, Checks: [check('c'), check('d')] });
    await server.composed.serverCatalog.deregister({ Node: 'n1', ServiceID: 'web-1', CheckID: 'c' }, API);
    expect([await health('web'), await checks('n1')]).toEqual([[], []]);
  });

  describe('owners', () => {
    it('may not overwrite or delete what belongs to another owner', async () => {
      await server.register({ ...web, Check: { Name: 'c', Status: 'passing', ServiceID: 'web-1' } }, operator());
      await expect(server.register(web, agent)).rejects.toMatchObject({ code: 'notOwner' });
      for (const target of [{ Node: 'n1', ServiceID: 'web-1' }, { Node: 'n1', CheckID: 'c' }, { Node: 'n1' }]) {
        await expect(server.composed.serverCatalog.deregister(target, agent)).rejects.toMatchObject({
          code: 'notOwner',
        });
      }
      expect(await health('web')).toHaveLength(1);
    });

    it('delete for one of their objects only what that object has written last', async () => {
      const { catalogClient } = server.composed;
      const target = { Node: 'n1', ServiceID: 'web-1' };
      await server.register(web, operator({ ref: 'default/old' }));
      await server.register(web, operator({ ref: 'default/new' }));
      for (const one of [target, { Node: 'n1' }]) {
        await expect(catalogClient.deregister(one, operator({ ref: 'default/old' }))).rejects.toMatchObject({
          code: 'notOwner',
        });
      }
      expect(await health('web')).toHaveLength(1);
      await catalogClient.deregister(target, operator({ ref: 'default/new' }));
      expect(await health('web')).toEqual([]);
      await server.register(web, operator({ ref: 'default/new' }));
      await catalogClient.deregister(target, operator());
      expect(await health('web')).toEqual([]);
    });

    it('keep an entry that the API changes, without its digest', async () => {
      await server.register(web, operator({ hash: 'h1', ref: 'default/web' }));
      await server.register({ ...web, Service: { ...web.Service!, Port: 99 } });
      expect(await owned('operator/k8s')).toMatchObject([
        { ServiceID: 'web-1', Port: 99, Hash: '', Ref: 'default/web' },
      ]);
      await server.register(web, operator({ hash: 'h1', ref: 'default/web' }));
      expect(await owned('operator/k8s')).toMatchObject([{ Port: 80, Hash: 'h1' }]);
    });

    it('take over what only the API has declared', async () => {
      await server.register(web);
      await server.register(web, operator());
      expect(await owned('operator/k8s')).toHaveLength(1);
    });

    it('are fenced by their epoch', async () => {
      await server.register(web, operator({ epoch: 5 }));
      await expect(server.register(web, operator({ epoch: 4 }))).rejects.toMatchObject({ code: 'staleEpoch' });
      await expect(
        server.composed.catalogClient.deregister({ Node: 'n1', ServiceID: 'web-1' }, operator({ epoch: 4 })),
      ).rejects.toMatchObject({ code: 'staleEpoch' });
      await server.composed.catalogClient.claimEpoch({ Owner: 'operator/k8s', Epoch: 9 });
      await expect(server.register(web, operator({ epoch: 8 }))).rejects.toMatchObject({ code: 'staleEpoch' });
      await expect(server.composed.catalogClient.claimEpoch({ Owner: 'operator/k8s', Epoch: 8 })).rejects.toMatchObject(
        { code: 'staleEpoch' },
      );
      expect(await server.composed.catalogClient.ownerState('operator/k8s')).toEqual({
        Owner: 'operator/k8s',
        Epoch: 9,
      });
    });

    it('replace their own checks of an instance only', async () => {
      const { catalogClient } = server.composed;
      const own = (...names: string[]) =>
        names.map((Name) => ({ Name, Status: 'passing' as const, ServiceID: 'web-1' }));
      await catalogClient.register({ ...web, Checks: own('a', 'b') }, operator());
      await server.register({
        Node: 'n1',
        SkipNodeUpdate: true,
        Check: { Name: 'api', Status: 'passing', ServiceID: 'web-1' },
      });
      await catalogClient.register({ ...web, Checks: own('b', 'd') }, operator());
      expect((await checks('n1')).map((check) => check.CheckID)).toEqual(['api', 'b', 'd']);
    });

    it('leave no node behind that exists only for their instances', async () => {
      await server.register(web, operator());
      await server.register({ ...web, Service: { Service: 'other' } }, operator());
      await server.composed.catalogClient.deregister({ Node: 'n1', ServiceID: 'web-1' }, operator());
      expect(await nodes()).toContain('n1');
      await server.composed.catalogClient.deregister({ Node: 'n1', ServiceID: 'other' }, operator());
      expect(await nodes()).not.toContain('n1');
      expect(await checks('n1')).toEqual([]);
    });

    it('leave no such node behind when the last instances go at once', async () => {
      const ids = Array.from({ length: 10 }, (_, at) => `web-${at}`);
      for (const ID of ids) {
        const Check = { Name: `check of ${ID}`, ServiceID: ID, Status: 'passing' as const };
        await server.register({ ...web, Service: { ...web.Service!, ID }, Check }, operator());
      }
      const { catalogClient } = server.composed;
      await Promise.all(ids.map((ServiceID) => catalogClient.deregister({ Node: 'n1', ServiceID }, operator())));
      expect(await nodes()).not.toContain('n1');
    });

    it('give a node that they made without an address the first that they know', async () => {
      const address = async () => {
        const { json } = await server.get<{ Node: string; Address: string }[]>('/v1/catalog/nodes');
        return json.find(({ Node }) => Node === 'n1')?.Address;
      };
      const at = (Address: string, ID: string) =>
        server.register({ ...web, Address, Service: { ID, Service: 'web' } }, operator());
      await at('', 'web-1');
      expect(await address()).toBe('');
      await at('192.168.0.1', 'web-2');
      expect(await address()).toBe('192.168.0.1');
      await at('192.168.0.2', 'web-3');
      await at('', 'web-4');
      expect(await address()).toBe('192.168.0.1');
      const { catalogClient } = server.composed;
      for (const n of [1, 2, 3, 4]) await catalogClient.deregister({ Node: 'n1', ServiceID: `web-${n}` }, operator());
      expect(await nodes()).not.toContain('n1'); // still one that goes with its instances
    });

    it('leave a node that was registered for its own sake, or has an agent', async () => {
      await server.register({ Node: 'n2', Address: '10.0.0.2' });
      await server.register({ ...web, Node: 'n2' }, operator());
      await server.composed.catalogClient.deregister({ Node: 'n2', ServiceID: 'web-1' }, operator());
      expect(await nodes()).toContain('n2');
      await server.register(web, operator());
      await server.composed.serverCatalog.report('n1', { Verdicts: [], HeartbeatMs: 1000 });
      await server.composed.catalogClient.deregister({ Node: 'n1', ServiceID: 'web-1' }, operator());
      expect(await nodes()).toContain('n1');
    });
  });

  describe('the two halves of a check', () => {
    const http = { CheckID: 'h', Name: 'http', ServiceID: 'web-1', Definition: { HTTP: 'http://x', Interval: '5s' } };
    const verdict = (Status: 'passing' | 'critical', Output = '') => ({
      HeartbeatMs: 1000,
      Verdicts: [{ Namespace: 'default', CheckID: 'h', Status, Output }],
    });

    it('are critical with the reason while nobody has run it', async () => {
      await server.register({ ...web, Check: http }, operator());
      expect(await checks('n1')).toMatchObject([{ Status: 'critical', Output: 'no agent on node n1 runs this check' }]);
      await server.composed.serverCatalog.report('n1', { Verdicts: [], HeartbeatMs: 1000 });
      expect((await checks('n1')).find((check) => check.CheckID === 'h')).toMatchObject({
        Status: 'critical',
        Output: 'the agent of node n1 has not run this check yet',
      });
    });

    it('are written apart: a resync of the definition leaves the state', async () => {
      await server.register({ ...web, Check: http }, operator());
      await server.composed.serverCatalog.report('n1', verdict('passing', 'ok'));
      await server.composed.catalogClient.register(
        { ...web, Check: { ...http, Definition: { ...http.Definition, Interval: '9s' } } },
        operator(),
      );
      expect((await checks('n1')).find((check) => check.CheckID === 'h')).toMatchObject({
        Status: 'passing',
        Output: 'ok',
        Definition: { HTTP: 'http://x', Interval: '9s' },
      });
    });

    it.each([
      [
        { H2PING: 'x:1', H2PingUseTLS: false },
        { H2PING: 'x:1', H2PingUseTLS: false },
      ],
      [{ H2PING: 'x:1' }, { H2PING: 'x:1' }],
      [{ TCP: 'x:1', H2PING: '', H2PingUseTLS: false, TCPUseTLS: false }, { TCP: 'x:1' }],
    ])('keep of %j what says something', async (Definition, expected) => {
      const interval = { Interval: '5s' };
      await server.register({ ...web, Check: { ...http, Definition: { ...Definition, ...interval } } });
      expect((await checks('n1')).map((check) => check.Definition)).toEqual([{ ...expected, ...interval }]);
    });

    it('are both written by a registration with a status', async () => {
      await server.register({ ...web, Check: { ...http, Status: 'warning', Output: 'hm' } });
      expect(await checks('n1')).toMatchObject([{ Status: 'warning', Output: 'hm' }]);
    });

    it('wake the agent of the node for definitions, not for states', async () => {
      const { serverCatalog } = server.composed;
      const signal = new AbortController().signal;
      await server.register(web, operator());
      const before = await serverCatalog.definitions('n1', { index: 0, waitMs: 0 }, signal);
      expect(before.checks).toEqual([]);
      let woken = false;
      const waiting = serverCatalog.definitions('n1', { index: before.index, waitMs: 10_000 }, signal).then((found) => {
        woken = true;
        return found;
      });
      await serverCatalog.report('n1', verdict('passing'));
      await server.register({ ...web, Service: { ...web.Service!, Port: 81 } }, operator());
      expect(woken).toBe(false);
      await server.register({ ...web, Service: { ...web.Service!, Port: 81 }, Check: http }, operator());
      const found = await waiting;
      expect(found.checks).toMatchObject([
        { CheckID: 'h', ServiceID: 'web-1', ServiceName: 'web', Status: 'critical' },
      ]);
      const again = serverCatalog.definitions('n1', { index: found.index, waitMs: 200 }, signal);
      await serverCatalog.report('n1', verdict('passing', 'ok'));
      expect((await again).index).toBe(found.index);
    });

    it('are not assigned to the agent that declared them itself', async () => {
      await server.register({ ...web, Check: http }, agent);
      const { checks: assigned } = await server.composed.serverCatalog.definitions(
        'n1',
        { index: 0, waitMs: 0 },
        new AbortController().signal,
      );
      expect(assigned).toEqual([]);
      expect(await server.composed.serverCatalog.entries('n1', new AbortController().signal)).toMatchObject({
        Services: [{ ServiceID: 'web-1', Namespace: 'default' }],
        Checks: [{ CheckID: 'h', ServiceID: 'web-1' }],
      });
    });

    it('ignore verdicts on checks that are not in the catalog', async () => {
      await server.register(web, operator());
      await server.composed.serverCatalog.report('n1', verdict('passing'));
      expect((await checks('n1')).map((check) => check.CheckID)).toEqual(['serfHealth']);
    });
  });

  describe('nodes', () => {
    const ID = 'aaaaaaaa-0000-4000-8000-000000000001';

    it('are renamed with everything on them when their id comes under another name', async () => {
      await server.register({ Node: 'old', Address: '10.0.0.5', ID, Service: { Service: 's' } });
      await server.register({ Node: 'new', Address: '10.0.0.6', ID });
      expect(await nodes()).toEqual(['new', 'server-1']);
      expect(await health('s')).toEqual([]);
    });

    it('keep their name while their agent is alive', async () => {
      await server.register({ Node: 'n1', Address: '10.0.0.5', ID });
      await server.composed.serverCatalog.report('n1', { Verdicts: [], HeartbeatMs: 1000 });
      await expect(
        server.register({ Node: 'n1', Address: '10.0.0.6', ID: 'aaaaaaaa-0000-4000-8000-000000000002' }),
      ).rejects.toMatchObject({ code: 'badRequest', message: expect.stringContaining('is reserved by node') });
    });
  });

  it('keeps namespaces apart', async () => {
    await server.register({ ...web, Namespace: 'shop' });
    await server.register(web);
    expect(await health('web')).toHaveLength(1);
    const { json } = await server.get<HealthEntry[]>('/v1/health/service/web?ns=shop');
    expect(json[0]?.Service.Namespace).toBe('shop');
    expect((await health('web'))[0]?.Service).not.toHaveProperty('Namespace');
    await server.composed.serverCatalog.deregister({ Node: 'n1', ServiceID: 'web-1', Namespace: 'shop' }, API);
    expect((await server.get<unknown[]>('/v1/health/service/web?ns=shop')).json).toEqual([]);
    expect(await health('web')).toHaveLength(1);
  });

  it('takes the default port from the named ones', async () => {
    await server.register({
      ...web,
      Service: {
        Service: 'web',
        ID: 'web-1',
        Ports: [
          { Name: 'http', Port: 80 },
          { Name: 'grpc', Port: 90, Default: true },
        ],
      },
    });
    expect((await health('web'))[0]?.Service).toMatchObject({
      Port: 90,
      Ports: [
        { Name: 'http', Port: 80 },
        { Name: 'grpc', Port: 90, Default: true },
      ],
    });
    const ports = [
      { Name: 'http', Port: 80 },
      { Name: 'HTTP', Port: 81 },
    ];
    await expect(server.register({ ...web, Service: { Service: 'web', Ports: ports } })).rejects.toMatchObject({
      code: 'badRequest',
    });
  });

  it('removes an instance with more checks than one transaction takes', async () => {
    await server.register(web);
    const names = Array.from({ length: 150 }, (_, at) => `c-${at}`);
    for (const Name of names) {
      const Check = { Name, ServiceID: 'web-1', Status: 'passing' as const };
      await server.register({ Node: 'n1', SkipNodeUpdate: true, Check });
    }
    await server.composed.serverCatalog.deregister({ Node: 'n1', ServiceID: 'web-1' }, API);
    expect(await health('web')).toEqual([]);
    expect(await checks('n1')).toEqual([]);
  });

  it('takes 100 writers at once, each in its turn, and loses nothing', async () => {
    const writes: Promise<void>[] = [];
    for (let i = 0; i < 100; i++) {
      const Service = { ID: `s-${i % 10}`, Service: `svc-${i % 7}`, Port: i + 1 };
      writes.push(
        server.register({
          Node: 'busy',
          Address: '10.0.0.9',
          Service,
          Check: { Name: `c-${i}`, Status: 'passing', ServiceID: Service.ID },
        }),
      );
    }
    await Promise.all(writes);
    const { json } = await server.get<{ Services: { ID: string; Port: number }[] }>('/v1/catalog/node-services/busy');
    // The last of the ten writers of each instance.
    expect(json.Services.map((service) => service.Port)).toEqual([91, 92, 93, 94, 95, 96, 97, 98, 99, 100]);
    expect(await checks('busy')).toHaveLength(100);
  });
});

describe('catalog writer against another writer', () => {
  /** Another process that writes the node's record just before each of the first commits. */
  function rival(store: Store, times: number): Store {
    let left = times;
    return {
      ...store,
      traits: store.traits,
      revision: () => store.revision(),
      read: (range, at) => store.read(range, at),
      view: () => store.view(),
      watch: (range, after, signal) => store.watch(range, after, signal),
      snapshot: (signal) => store.snapshot(signal),
      restore: (chunks) => store.restore(chunks),
      close: () => store.close(),
      async commit(txn) {
        const put = txn.ops.find((op) => op.kind === 'put' && op.key.includes('/instance/n1/'));
        if (put?.kind === 'put' && left-- > 0) {
          await store.commit({
            compares: [],
            ops: [{ kind: 'put', key: put.key, value: rivalValue(put.value, left) }],
          });
        }
        return store.commit(txn);
      },
    };
  }

  function rivalValue(value: Uint8Array, ref: number): Uint8Array {
    const [packed] = JSON.parse(Buffer.from(value).toString()) as [object];
    return Buffer.from(JSON.stringify([{ ...packed, ref: String(ref) }]));
  }

  it('plans again when a compare fails, and gives up with a clear error when it always does', async () => {
    const server = await RunningServer.start({ store: rival(openMemoryStore(), 3) });
    await server.register(web);
    expect((await server.get<unknown[]>('/v1/health/service/web')).json).toHaveLength(1);
    await server.stop();
    const hopeless = await RunningServer.start({ store: rival(openMemoryStore(), 1000) });
    await expect(hopeless.register(web)).rejects.toMatchObject({ code: 'conflict' });
    await hopeless.stop();
  });

  it('waits for the catalog that a restore has put in place of its own, however long it takes to be loaded', async () => {
    const store = openMemoryStore();
    let loading: Promise<void> = Promise.resolve();
    let loaded = () => {};
    const view = store.view.bind(store);
    store.view = () => loading.then(view);
    const clock = new FakeClock();
    const server = await RunningServer.start({ store, clock });
    const restored = async (generation: string) => {
      loading = new Promise((resolve) => {
        loaded = resolve;
      });
      await store.commit({
        compares: [],
        ops: [{ kind: 'put', key: GENERATION_KEY, value: Buffer.from(JSON.stringify(generation)) }],
      });
    };
    await restored('1');
    const written = server.register(web);
    await clock.advance(5000);
    loaded();
    await written;
    expect((await server.get<unknown[]>('/v1/health/service/web')).json).toHaveLength(1);
    await restored('2');
    const changed = { ...web, Service: { ...web.Service!, Port: 81 } };
    // Writers of one key do not wait for each other meanwhile.
    const late = Array.from({ length: 5 }, () =>
      expect(server.register(changed)).rejects.toMatchObject({ code: 'deadline' }),
    );
    await clock.advance(11_000);
    await Promise.all(late);
    loaded();
    await eventually(() => server.register(changed), { withinMs: 10_000 });
    await server.stop();
  });
});
