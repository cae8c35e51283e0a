import type { HealthCheck, HealthEntry } from '../../api/shapes/catalog.ts';
import type { PreparedQuery } from '../../api/shapes/prepared-query.ts';
import { eventually } from '../support/eventually.ts';
import { entryAt, type FullCatalog, fillCatalog, putRaw, storedEntries } from '../support/full-catalog.ts';
import { LmdbServer } from '../support/lmdb-server.ts';
import type { RunningServer } from '../support/running-server.ts';
import { spoilEntry } from '../support/spoiled-entry.ts';

let lmdb: LmdbServer;
let server: RunningServer;
let made: FullCatalog;
beforeEach(async () => {
  lmdb = await LmdbServer.start();
  ({ server } = lmdb);
  made = await fillCatalog(server);
});
afterEach(() => lmdb.remove());

const call = (method: string, url: string, body?: unknown) => server.call(method, url, { body });
const json = async <T>(url: string) => (await server.get<T>(url)).json;
const storedAt = (rest: string) => entryAt(lmdb.store, rest);

async function spoil(when: 'watched' | 'loaded', rest: string, text: string): Promise<void> {
  server = await spoilEntry(lmdb, { when, rest, text });
}

/** The stored record with a change. */
async function changed(rest: string, change: (record: never) => void): Promise<string> {
  const record = JSON.parse((await storedAt(rest))!.toString()) as never;
  change(record);
  return JSON.stringify(record);
}

describe.each(['watched', 'loaded'] as const)('an entry that cannot be read when it is %s', (when) => {
  it('is a query that is listed, says why it cannot be executed, and can be updated or deleted', async () => {
    const rest = `query/id/${made.template}`;
    const text = await changed(rest, (record: { content: { Template: { Regexp: string } } }) => {
      record.content.Template.Regexp = '(';
    });
    await spoil(when, rest, text);
    const why = { code: 'storeCorrupt', message: expect.stringMatching(/cannot be executed.*Bad Regexp/) };
    await expect(call('GET', '/v1/query/tpl-web/execute')).rejects.toMatchObject(why);
    await expect(call('GET', `/v1/query/${made.template}/execute`)).rejects.toMatchObject(why);
    expect((await json<PreparedQuery[]>('/v1/query')).map(({ ID }) => ID)).toContain(made.template);
    const [query] = await json<PreparedQuery[]>(`/v1/query/${made.template}`);
    expect(query).toMatchObject({ Name: 'tpl-', Template: { Regexp: '(' } });
    const { ID: _id, CreateIndex: _create, ModifyIndex: _modify, ...content } = query!;
    const body = { ...content, Template: { ...content.Template, Regexp: '^tpl-(.*)$' } };
    await call('PUT', `/v1/query/${made.template}`, body);
    expect(await json('/v1/query/tpl-web/execute')).toMatchObject({ Service: 'web' });
    await spoil(when, rest, text);
    await call('DELETE', `/v1/query/${made.template}`);
    expect((await call('GET', '/v1/query/tpl-web/execute')).status).toBe(404);
    expect((await storedEntries(lmdb.store)).filter((entry) => entry.rest.startsWith('query/template'))).toEqual([]);
  });

  it('is a query of which nothing is known but its name, and is deleted with that', async () => {
    await spoil(when, `query/id/${made.plain}`, '{}');
    const why = { code: 'storeCorrupt', message: expect.stringContaining('id must be a name') };
    await expect(call('GET', '/v1/query/plain/execute')).rejects.toMatchObject(why);
    await call('DELETE', `/v1/query/${made.plain}`);
    expect((await call('POST', '/v1/query', { Name: 'plain', Service: { Service: 'web' } })).status ?? 200).toBe(200);
  });

  it.each(['{}', '{"Kind":"service-intentions","Name":"web","Sources":[]}', '{"Kind":'])(
    'is an intention that lets nobody through until it is written anew (%s)',
    async (text) => {
      const allowed = async () =>
        (await json<{ Allowed: boolean }>('/v1/connect/intentions/check?source=api&destination=web')).Allowed;
      expect(await allowed()).toBe(true);
      await spoil(when, 'config-entry/entry/service-intentions/web', text);
      expect(await allowed()).toBe(false);
      expect(await json('/v1/config/service-intentions/web')).toMatchObject({
        Sources: [{ Name: '*', Action: 'deny' }],
        Meta: { 'lictor-unreadable': expect.stringContaining('cannot be read') },
      });
      const Sources = [{ Name: 'api', Action: 'allow' }];
      await call('PUT', '/v1/config', { Kind: 'service-intentions', Name: 'web', Sources });
      expect(await allowed()).toBe(true);
    },
  );

  it('is an intention of any destination: only whom another one lets through gets through', async () => {
    const allowed = async (source: string, destination: string) =>
      (await json<{ Allowed: boolean }>(`/v1/connect/intentions/check?source=${source}&destination=${destination}`))
        .Allowed;
    const Sources = [{ Name: '*', Action: 'allow' }];
    await call('PUT', '/v1/config', { Kind: 'service-intentions', Name: '*', Sources });
    expect([await allowed('api', 'web'), await allowed('api', 'db')]).toEqual([true, true]);
    await spoil(when, 'config-entry/entry/service-intentions/*', '5');
    expect([await allowed('api', 'web'), await allowed('api', 'db')]).toEqual([true, false]);
    await call('DELETE', '/v1/config/service-intentions/*');
    expect(await allowed('api', 'db')).toBe(true);
  });

  it('is a configuration entry that says so, and is deleted or written anew', async () => {
    await spoil(when, 'config-entry/entry/mesh/mesh', '[]');
    expect(await json('/v1/config/mesh/mesh')).toMatchObject({
      TransparentProxy: when === 'watched' ? { MeshDestinationsOnly: true } : {},
      Meta: { 'lictor-unreadable': expect.stringContaining('the record must be an object') },
    });
    const entry = { Kind: 'mesh', TransparentProxy: { MeshDestinationsOnly: true } };
    await call('PUT', '/v1/config', entry);
    expect(await json('/v1/config/mesh/mesh')).toMatchObject({ TransparentProxy: { MeshDestinationsOnly: true } });
    await spoil(when, 'config-entry/entry/mesh/mesh', '[]');
    await call('DELETE', '/v1/config/mesh/mesh');
    expect(await storedAt('config-entry/entry/mesh/mesh')).toBeUndefined();
  });

  it('is a session that keeps its lock until it is destroyed', async () => {
    await spoil(when, `session/${made.session}`, '{"id":5}');
    const { ID: other } = (await call('PUT', '/v1/session/create', { Node: 'n1', NodeChecks: [] })).json as {
      ID: string;
    };
    const acquire = async () => (await call('PUT', `/v1/kv/locked?acquire=${other}`, 'theirs')).json;
    expect(await acquire()).toBe(false);
    expect(await json(`/v1/session/info/${made.session}`)).toMatchObject([
      { Name: expect.stringContaining('destroy') },
    ]);
    await call('PUT', `/v1/session/destroy/${made.session}`);
    expect(await json('/v1/kv/locked')).toMatchObject([{ Key: 'locked' }]);
    expect((await json<{ Session?: string }[]>('/v1/kv/locked'))[0]!.Session).toBeUndefined();
  });

  it('is a key whose value is refused, not taken for absent, and whose lock nobody gets', async () => {
    await spoil(when, 'kv/default/locked', '{}');
    await expect(server.get('/v1/kv/locked')).rejects.toMatchObject({ code: 'storeCorrupt' });
    const { ID } = (await call('PUT', '/v1/session/create', { Node: 'n1', NodeChecks: [] })).json as { ID: string };
    expect((await call('PUT', `/v1/kv/locked?acquire=${ID}`, 'x')).json).toBe(false);
    expect((await call('PUT', '/v1/kv/locked?cas=0', 'x')).json).toBe(false);
    expect((await call('PUT', '/v1/kv/locked', 'anew')).json).toBe(true);
    expect((await call('PUT', `/v1/kv/locked?acquire=${ID}`, 'x')).json).toBe(true);
    await spoil(when, 'kv/default/locked', '{}');
    expect((await call('DELETE', '/v1/kv/locked')).json).toBe(true);
    expect(await storedAt('kv/default/locked')).toBeUndefined();
  });

  it('is a lock delay that lasts as long as one can', async () => {
    await spoil(when, 'lock-delay/default/delayed', 'null');
    const { ID } = (await call('PUT', '/v1/session/create', { Node: 'n1', NodeChecks: [] })).json as { ID: string };
    expect((await call('PUT', `/v1/kv/delayed?acquire=${ID}`, 'x')).json).toBe(false);
  });

  it.each([
    ['check-state/n1/default/up', '{}'],
    ['check-definition/n1/default/up', '[{"serviceId":"web-1","definition":5}]'],
    ['check-definition/n1/default/up', '{}'],
  ])('is a check that is critical until it is registered anew (%s: %s)', async (rest, text) => {
    const Check = { CheckID: 'up', Name: 'up', ServiceID: 'web-1', Status: 'passing' as const };
    const register = () => server.register({ Node: 'n1', SkipNodeUpdate: true, Check });
    const passing = async () => (await json<HealthEntry[]>('/v1/health/service/web?passing')).length;
    await register();
    expect(await passing()).toBe(1);
    // The agent's half, at its own key.
    const said = Buffer.from('{"status":"passing","output":"fine"}');
    await putRaw(lmdb.store, [{ rest: 'check-state/n1/default/up', value: said }]);
    await spoil(when, rest, text);
    expect(await passing()).toBe(0);
    const [check] = (await json<HealthCheck[]>('/v1/health/node/n1')).filter(({ CheckID }) => CheckID === 'up');
    expect(check).toMatchObject({ Status: 'critical', Output: expect.stringContaining('cannot be read') });
    const isKnown = when === 'watched' || text.includes('web-1') || rest.startsWith('check-state');
    expect(check!.ServiceID).toBe(isKnown ? 'web-1' : '');
    await register();
    expect(await passing()).toBe(1);
    await spoil(when, rest, text);
    const ofTxn = { Node: 'n1', ...Check };
    await call('PUT', '/v1/txn', [{ Check: { Verb: 'set', Check: ofTxn } }]);
    expect(await passing()).toBe(1);
    expect((await json<HealthCheck[]>('/v1/health/state/passing')).map(({ CheckID }) => CheckID)).toContain('up');
  });

  it('is a node or an instance that is not served until it is registered anew', async () => {
    const nodes = async () => (await json<{ Node: string }[]>('/v1/catalog/nodes')).map(({ Node }) => Node);
    const canary = { Node: 'other', Address: '10.0.0.9', Service: { ID: 'canary', Service: 'canary', Port: 1 } };
    const served = async () => (await json<HealthEntry[]>('/v1/health/service/canary')).length;
    for (const rest of ['node/other', 'instance/other/default/canary']) {
      await spoil(when, rest, '{"name":5}');
      expect(await served()).toBe(0);
      await server.register(canary);
      expect(await served()).toBe(1);
      expect(await nodes()).toContain('other');
    }
  });

  it('is the id of a node, which goes with the node', async () => {
    const rest = (await storedEntries(lmdb.store)).find((entry) =>
      entry.rest.startsWith('node-id/aaaaaaaa-0000-4000-8000-000000000001'),
    )!.rest;
    await spoil(when, rest, '{}');
    await call('PUT', '/v1/catalog/deregister', { Node: 'n1' });
    expect([await storedAt('node/n1'), await storedAt(rest)]).toEqual([undefined, undefined]);
  });

  it('is a part of the authority: no other takes its place, and its roots are not shown short', async () => {
    const before = await storedAt('connect-ca/state');
    await spoil(when, 'connect-ca/state', '{}');
    const why = { code: 'storeCorrupt', message: expect.stringContaining('clusterId must be a name') };
    await expect(server.get('/v1/connect/ca/roots')).rejects.toMatchObject(why);
    expect(((await storedAt('connect-ca/state')) ?? '').toString()).toBe('{}');
    await putRaw(lmdb.store, [{ rest: 'connect-ca/state', value: before! }]);
    const roots = async () => (await json<{ Roots: object[] }>('/v1/connect/ca/roots')).Roots.length === 1;
    await eventually(roots, { withinMs: 20_000, everyMs: 5 });
  });

  it('is the last virtual address: no service gets that of another', async () => {
    await spoil(when, 'virtual-address/last', '-1');
    const proxy = { Proxy: { DestinationServiceName: 'new' } };
    await server.register({
      Node: 'n1',
      SkipNodeUpdate: true,
      Service: { Service: 'new-proxy', Kind: 'connect-proxy', Port: 21_001, ...proxy },
    });
    const numbers = (await storedEntries(lmdb.store)).filter(({ rest }) => rest.startsWith('virtual-address/service/'));
    expect(new Set(numbers.map(({ value }) => value.toString())).size).toBe(numbers.length);
    expect(numbers.length).toBeGreaterThan(1);
  });

  it('is what autopilot was told: nobody falls back to the defaults, and it is told anew', async () => {
    await spoil(when, 'autopilot/config', '{"CleanupDeadServers":"no"}');
    const why = { code: 'storeCorrupt', message: expect.stringContaining('CleanupDeadServers must be true or false') };
    await expect(server.get('/v1/operator/autopilot/configuration')).rejects.toMatchObject(why);
    await call('PUT', '/v1/operator/autopilot/configuration', { MinQuorum: 5 });
    expect(await json('/v1/operator/autopilot/configuration')).toMatchObject({ MinQuorum: 5 });
  });
});
