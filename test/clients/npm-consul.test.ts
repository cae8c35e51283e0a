import Consul from 'consul';
import { eventually } from '../support/eventually.ts';
import { type AgentProcess, startClientAgent, startServer } from '../support/processes/lictor.ts';

/** npm's `consul`, as it is published, against a server and against an agent in client mode. */

/** Far above what a busy machine needs. */
const WITHIN = { withinMs: 30_000 };

type Json = Record<string, unknown>;

/** How the client hands out the body `false`. */
const NO = undefined;

let server: AgentProcess;
let client: AgentProcess;

beforeAll(async () => {
  server = await startServer();
  client = await startClientAgent(server, { node: 'node-1' });
}, 90_000);
afterAll(async () => {
  await client?.stop();
  await server?.stop();
});

/** What a watch told, in order; it ends with the test's `finally`. */
class Watched {
  readonly changes: unknown[] = [];
  readonly errors: (Error & { response?: { statusCode: number } })[] = [];
  ended = false;
  readonly #watch: ReturnType<Consul['watch']>;

  constructor(consul: Consul, method: (...args: never[]) => unknown, options: Record<string, unknown>) {
    // Its types ask for text alone, though it also takes booleans and numbers.
    const typed = options as Record<string, string>;
    this.#watch = consul.watch({ method, options: typed, backoffFactor: 20, backoffMax: 500 });
    this.#watch.on('change', (data) => this.changes.push(data));
    this.#watch.on('error', (error) => this.errors.push(error));
    this.#watch.on('end', () => {
      this.ended = true;
    });
  }

  get running(): boolean {
    return this.#watch.isRunning();
  }

  /** When the last answer came, changed or not, in milliseconds. */
  get answeredAtMs(): number {
    return this.#watch.updateTime();
  }

  end(): void {
    this.#watch.end();
  }
}

describe.each([
  ['a server', () => server, 'server-1'],
  ['a client agent', () => client, 'node-1'],
] as const)('npm consul through %s', (_name, agent, node) => {
  let consul: Consul;
  beforeAll(() => {
    consul = new Consul({ host: '127.0.0.1', port: agent().httpPort });
  });
  afterAll(() => consul.destroy());

  it('sees the agent and the cluster', async () => {
    const self = await consul.agent.self();
    expect(self.Config).toMatchObject({ Datacenter: 'dc1', NodeName: node });
    // The client agent registers its node a moment after it answers.
    await eventually(async () => {
      const names = (await consul.agent.members()).map((member) => member.Name);
      expect(names.sort()).toEqual(['node-1', 'server-1']);
    }, WITHIN);
    expect(await consul.status.leader()).toMatch(/^127\.0\.0\.1:\d+$/);
    expect(await consul.status.peers()).toEqual([await consul.status.leader()]);
    expect(await consul.catalog.datacenters()).toEqual(['dc1']);
    const nodes = (await consul.catalog.node.list()) as Json[];
    expect(nodes.map((entry) => entry.Node).sort()).toEqual(['node-1', 'server-1']);
  });

  it('registers a service, turns its check and deregisters it', async () => {
    const id = `web-${node}`;
    const service = `web-of-${node}`;
    await consul.agent.service.register({
      id,
      name: service,
      tags: ['v1', 'edge'],
      address: '10.1.2.3',
      port: 8080,
      meta: { team: 'a' },
      checks: [{ name: 'alive', checkid: `${id}-alive`, ttl: '300s', status: 'critical', notes: 'beats' } as never],
    });
    expect((await consul.agent.service.list())[id]).toMatchObject({
      Service: service,
      Port: 8080,
      Tags: ['v1', 'edge'],
    });
    const passing = () => consul.health.service({ service, passing: true });
    await eventually(async () => (await consul.health.service(service)).length === 1, WITHIN);
    expect(await passing()).toEqual([]);

    await consul.agent.check.pass({ id: `${id}-alive`, note: 'all well' });
    await eventually(async () => (await passing()).length === 1, WITHIN);
    const [instance] = await passing();
    expect(instance).toMatchObject({
      Node: { Node: node, Datacenter: 'dc1' },
      Service: { ID: id, Service: service, Address: '10.1.2.3', Port: 8080, Tags: ['v1', 'edge'], Meta: { team: 'a' } },
    });
    const [check] = await consul.health.checks(service);
    expect(check).toMatchObject({ CheckID: `${id}-alive`, Status: 'passing', Output: 'all well', Notes: 'beats' });
    expect(await consul.health.service({ service, tag: 'none' })).toEqual([]);

    const state = async () => (await consul.health.checks(service))[0]?.Status;
    await consul.agent.check.warn(`${id}-alive`);
    await eventually(async () => (await state()) === 'warning', WITHIN);
    await consul.agent.check.fail({ id: `${id}-alive`, note: 'gone' });
    await eventually(async () => (await state()) === 'critical', WITHIN);
    const critical = (await consul.health.state('critical')).map((one) => one.CheckID);
    expect(critical).toContain(`${id}-alive`);
    expect((await consul.health.node(node)).map((one) => one.CheckID)).toContain(`${id}-alive`);

    expect((await consul.catalog.service.list())[service]).toEqual(['v1', 'edge']);
    const [row] = await consul.catalog.service.nodes(service);
    expect(row).toMatchObject({ Node: node, ServiceID: id, ServiceMeta: { team: 'a' } });
    expect((await consul.catalog.node.services(node)).Services[id].Port).toBe(8080);

    await consul.agent.service.deregister(id);
    await eventually(async () => !(service in (await consul.catalog.service.list())), WITHIN);
    expect(await consul.health.service(service)).toEqual([]);
  });

  it('registers a check of its own and hears of one that does not exist', async () => {
    const id = `beat-${node}`;
    await consul.agent.check.register({ name: 'beat', id, ttl: '300s' } as never);
    expect((await consul.agent.check.list())[id]).toMatchObject({ Name: 'beat', Status: 'critical', Type: 'ttl' });
    await consul.agent.check.pass(id);
    expect((await consul.agent.check.list())[id]?.Status).toBe('passing');
    await consul.agent.check.deregister(id);
    expect(await consul.agent.check.list()).not.toHaveProperty([id]);
    await expect(consul.agent.check.pass(id)).rejects.toMatchObject({ statusCode: 404, isPapi: true });
  });

  it('puts a service and the node into maintenance and back', async () => {
    const id = `kept-${node}`;
    await consul.agent.service.register({ name: id });
    await consul.agent.service.maintenance({ id, enable: true, reason: 'new disk' });
    expect((await consul.agent.check.list())[`_service_maintenance:${id}`]).toMatchObject({
      Status: 'critical',
      Notes: 'new disk',
    });
    await consul.agent.service.maintenance({ id, enable: false });
    await consul.agent.maintenance({ enable: true, reason: 'move' });
    expect((await consul.agent.check.list())._node_maintenance).toMatchObject({ Status: 'critical', Notes: 'move' });
    await consul.agent.maintenance(false);
    expect(Object.keys(await consul.agent.check.list())).not.toContain('_node_maintenance');
    await consul.agent.service.deregister(id);
  });

  it('registers and removes an outside node in the catalog', async () => {
    const outside = `outside-${node}`;
    await consul.catalog.register({
      node: outside,
      address: '10.9.9.9',
      nodemeta: { rack: '7' },
      service: { id: 'db-1', service: `db-of-${node}`, port: 5432, tags: ['primary'] },
      check: { name: 'db', checkid: 'db', serviceid: 'db-1', status: 'passing' },
    });
    const [entry] = await consul.health.service(`db-of-${node}`);
    expect(entry).toMatchObject({
      Node: { Node: outside, Address: '10.9.9.9', Meta: { rack: '7' } },
      Service: { ID: 'db-1', Port: 5432, Tags: ['primary'] },
      Checks: [{ CheckID: 'db', Status: 'passing', ServiceID: 'db-1' }],
    });
    await consul.catalog.deregister({ node: outside, serviceid: 'db-1' });
    expect(await consul.health.service(`db-of-${node}`)).toEqual([]);
    await consul.catalog.deregister(outside);
    const nodes = (await consul.catalog.node.list({ filter: `Node == "${outside}"` })) as Json[];
    expect(nodes).toEqual([]);
  });

  it('reads and writes keys, with check-and-set and whole folders', async () => {
    const at = `npm/${node}/`;
    expect(await consul.kv.get(`${at}none`)).toBeUndefined();
    expect(await consul.kv.set(`${at}plain`, 'hello wörld')).toBe(true);
    const entry = (await consul.kv.get(`${at}plain`))!;
    expect(entry).toMatchObject({ Key: `${at}plain`, Value: 'hello wörld', Flags: 0, LockIndex: 0 });

    expect(await consul.kv.set({ key: `${at}plain`, value: 'two', cas: entry.ModifyIndex, flags: 42 })).toBe(true);
    expect(await consul.kv.set({ key: `${at}plain`, value: 'three', cas: entry.ModifyIndex })).toBe(NO);
    expect(await consul.kv.set({ key: `${at}plain`, value: 'three', cas: 0 })).toBe(NO);
    expect(await consul.kv.get(`${at}plain`)).toMatchObject({
      Value: 'two',
      Flags: 42,
      CreateIndex: entry.CreateIndex,
    });

    const bytes = Buffer.from([0, 255, 10, 13, 128]);
    expect(await consul.kv.set(`${at}deep/bytes`, bytes)).toBe(true);
    expect(await consul.kv.get({ key: `${at}deep/bytes`, raw: true })).toEqual(bytes);
    expect(await consul.kv.set(`${at}deep/empty`, '')).toBe(true);
    expect(await consul.kv.get(`${at}deep/empty`)).toMatchObject({ Value: null });
    expect(await consul.kv.set(`${at}sp ace/ünïcode?&%`, 'odd')).toBe(true);
    expect(await consul.kv.get(`${at}sp ace/ünïcode?&%`)).toMatchObject({
      Key: `${at}sp ace/ünïcode?&%`,
      Value: 'odd',
    });

    expect(await consul.kv.keys(at)).toEqual([
      `${at}deep/bytes`,
      `${at}deep/empty`,
      `${at}plain`,
      `${at}sp ace/ünïcode?&%`,
    ]);
    expect(await consul.kv.keys({ key: at, separator: '/' })).toEqual([`${at}deep/`, `${at}plain`, `${at}sp ace/`]);
    const all = (await consul.kv.get({ key: `${at}deep/`, recurse: true })) as unknown as Json[];
    expect(all.map(({ Key }) => Key)).toEqual([`${at}deep/bytes`, `${at}deep/empty`]);

    const { ModifyIndex } = (await consul.kv.get(`${at}plain`))!;
    expect(await consul.kv.del({ key: `${at}plain`, cas: ModifyIndex - 1 })).toBe(NO);
    expect(await consul.kv.del({ key: `${at}plain`, cas: ModifyIndex })).toBe(true);
    expect(await consul.kv.del({ key: at, recurse: true })).toBe(true);
    expect(await consul.kv.get({ key: at, recurse: true })).toBeUndefined();
    await expect(consul.kv.keys(at)).rejects.toMatchObject({ statusCode: 404 });
  });

  it('locks a key with a session, hands it over, and frees it with the session', async () => {
    const key = `npm/${node}/lock`;
    const holder = (await consul.session.create({ name: 'holder', ttl: '60s', lockdelay: '1ms' as never })).ID;
    const other = (await consul.session.create({ name: 'other', behavior: 'delete', lockdelay: '1ms' as never })).ID;
    expect(await consul.session.get(holder)).toMatchObject({
      ID: holder,
      Name: 'holder',
      Node: node,
      TTL: '60s',
      Behavior: 'release',
      NodeChecks: ['serfHealth'],
    });
    expect((await consul.session.list()).map(({ ID }) => ID)).toEqual(expect.arrayContaining([holder, other]));
    expect((await consul.session.node(node)).map(({ ID }) => ID)).toEqual(expect.arrayContaining([holder, other]));
    expect(await consul.session.renew(holder)).toMatchObject([{ ID: holder, TTL: '60s' }]);

    expect(await consul.kv.set({ key, value: 'mine', acquire: holder })).toBe(true);
    expect(await consul.kv.set({ key, value: 'ours', acquire: other })).toBe(NO);
    expect(await consul.kv.get(key)).toMatchObject({ Value: 'mine', Session: holder, LockIndex: 1 });
    expect(await consul.kv.set({ key, value: 'free', release: other })).toBe(NO);
    expect(await consul.kv.set({ key, value: 'free', release: holder })).toBe(true);
    expect(await consul.kv.get(key)).not.toHaveProperty('Session');

    expect(await consul.kv.set({ key, value: 'ours', acquire: other })).toBe(true);
    await consul.session.destroy(other);
    expect(await consul.kv.get(key)).toBeUndefined();
    expect(await consul.session.get(other)).toBeUndefined();
    await expect(consul.session.renew(other)).rejects.toMatchObject({ statusCode: 404 });
    await expect(consul.kv.set({ key, value: 'x', acquire: other })).rejects.toThrow(/invalid session/);
    await consul.session.destroy(holder);
  });

  it('watches a key through its whole life, and a folder', async () => {
    const key = `npm/${node}/watched/one`;
    const one = new Watched(consul, consul.kv.get as never, { key, wait: '10s' });
    const folder = new Watched(consul, consul.kv.get as never, {
      key: `npm/${node}/watched/`,
      recurse: true,
      wait: '10s',
    });
    const last = (watched: Watched) => watched.changes.at(-1) as Json | undefined;
    try {
      // The first answer is of a key that is not there, with the index to wait from.
      await eventually(() => one.changes.length === 1 && folder.changes.length === 1, WITHIN);
      expect([one.changes, folder.changes]).toEqual([[undefined], [undefined]]);
      for (const value of ['a', 'b']) {
        await consul.kv.set(key, value);
        await eventually(() => last(one)?.Value === value, WITHIN);
      }
      await consul.kv.set(`npm/${node}/watched/two`, 'c');
      await eventually(() => (folder.changes.at(-1) as Json[])?.map(({ Value }) => Value).join() === 'b,c', WITHIN);
      await consul.kv.del({ key: `npm/${node}/watched/`, recurse: true });
      await eventually(() => last(one) === undefined && last(folder) === undefined, WITHIN);
      expect([...one.errors, ...folder.errors]).toEqual([]);
    } finally {
      one.end();
      folder.end();
    }
  });

  it('watches the health of a service, and keeps the watch over waits that end with nothing new', async () => {
    const service = `seen-of-${node}`;
    const watched = new Watched(consul, consul.health.service as never, { service, passing: true, wait: '200ms' });
    try {
      await eventually(() => watched.changes.length >= 1, WITHIN);
      expect(watched.changes[0]).toEqual([]);
      await consul.agent.service.register({ name: service, port: 1, check: { ttl: '300s' } as never });
      await consul.agent.check.pass(`service:${service}`);
      const ports = () =>
        (watched.changes.at(-1) as { Service: { Port: number } }[]).map((entry) => entry.Service.Port);
      await eventually(() => ports().length === 1, WITHIN);
      await consul.agent.check.fail(`service:${service}`);
      await eventually(() => ports().length === 0, WITHIN);
      await consul.agent.service.deregister(service);
      const [seen, at] = [watched.changes.length, watched.answeredAtMs];
      await eventually(() => watched.answeredAtMs > at + 1000, WITHIN);
      expect(watched.changes.length - seen).toBeLessThanOrEqual(1);
      // Its own limit is the wait and a tenth, at least half a second more: no answer came later than that.
      expect(watched.errors).toEqual([]);
      expect(watched.running).toBe(true);
    } finally {
      watched.end();
    }
    expect(watched.ended).toBe(true);
  });

  it('ends a watch that asks for what cannot be, with the error', async () => {
    const watched = new Watched(consul, consul.kv.get as never, { key: 'npm/x', wait: 'soon', timeout: 5000 });
    try {
      await eventually(() => watched.ended, WITHIN);
      expect(watched.errors.map((error) => error.response?.statusCode)).toEqual([400]);
    } finally {
      watched.end();
    }
  });

  it('changes several things in one transaction, or none', async () => {
    const key = `npm/${node}/txn`;
    const done = await consul.transaction.create([
      { KV: { Verb: 'set', Key: `${key}/a`, Value: Buffer.from('1').toString('base64') } },
      { KV: { Verb: 'get', Key: `${key}/a` } },
    ] as never);
    expect(done.Errors).toBeNull();
    expect(done.Results).toMatchObject([{ KV: { Key: `${key}/a` } }, { KV: { Key: `${key}/a`, Value: 'MQ==' } }]);
    const refused = consul.transaction.create([
      { KV: { Verb: 'delete', Key: `${key}/a` } },
      { KV: { Verb: 'check-not-exists', Key: `${key}/a` } },
      { KV: { Verb: 'check-index', Key: `${key}/a`, Index: 1 } },
    ] as never);
    await expect(refused).rejects.toMatchObject({ statusCode: 409 });
    expect(await consul.kv.get(`${key}/a`)).toMatchObject({ Value: '1' });
  });

  it('fires an event and lists it', async () => {
    const name = `deploy-${node}`;
    const fired = await consul.event.fire(name, 'v1.2');
    expect(fired).toMatchObject({ Name: name, Payload: 'v1.2', Version: 1 });
    const seen = async () =>
      ((await consul.event.list(name)) as unknown as Json[]).map(({ ID, Payload }) => ({ ID, Payload }));
    await eventually(async () => expect(await seen()).toEqual([{ ID: fired.ID, Payload: 'v1.2' }]), WITHIN);
  });

  it('keeps a prepared query and runs it', async () => {
    const service = `queried-${node}`;
    await consul.agent.service.register({ name: service, tags: ['a'], port: 99 });
    await eventually(async () => (await consul.health.service(service)).length === 1, WITHIN);
    const { ID } = (await consul.query.create({
      name: `find-${node}`,
      service: { service, onlypassing: true, tags: ['a'] },
      dns: { ttl: '7s' },
    } as never)) as { ID: string };
    expect(await consul.query.get(ID)).toMatchObject({ ID, Name: `find-${node}`, Service: { Service: service } });
    expect(((await consul.query.list()) as Json[]).map((query) => query.ID)).toContain(ID);
    const run = (await consul.query.execute(`find-${node}`)) as Json;
    expect(run).toMatchObject({ Service: service, Nodes: [{ Service: { Port: 99 } }], DNS: { TTL: '7s' } });
    await consul.query.update({ query: ID, name: `find-${node}`, service: { service, tags: ['b'] } } as never);
    expect(await consul.query.execute(ID)).toMatchObject({ Nodes: [] });
    // Its types have no destroy.
    await (consul.query as unknown as { destroy(id: string): Promise<void> }).destroy(ID);
    await expect(consul.query.execute(ID)).rejects.toMatchObject({ statusCode: 404 });
    await consul.agent.service.deregister(service);
  });
});

describe('npm consul while the server is away', () => {
  it('tells the error, comes back by itself and sees what changed', async () => {
    const durable = await startServer();
    const consul = new Consul({ host: '127.0.0.1', port: durable.httpPort });
    let watched: Watched | undefined;
    try {
      await consul.kv.set('kept', 'before');
      watched = new Watched(consul, consul.kv.get as never, { key: 'kept', wait: '10s' });
      const values = () => watched!.changes.map((entry) => (entry as Json).Value);
      await eventually(() => values().length === 1, WITHIN);
      await durable.kill();
      await eventually(() => watched!.errors.length > 0, WITHIN);
      await durable.restart();
      await consul.kv.set('kept', 'after');
      await eventually(() => values().at(-1) === 'after', WITHIN);
      expect(new Set(values())).toEqual(new Set(['before', 'after']));
      expect(watched.running).toBe(true);
    } finally {
      watched?.end();
      consul.destroy();
      await durable.stop();
    }
  }, 120_000);
});
