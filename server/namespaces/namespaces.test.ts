import type { Namespace } from '../../api/shapes/namespace.ts';
import { openMemoryStore } from '../../store/memory/memory-store.ts';
import { API, jsonOf, RunningServer } from '../../test/support/running-server.ts';

let server: RunningServer;
beforeEach(async () => {
  server = await RunningServer.start();
});
afterEach(() => server.stop());

const names = async () => (await server.get<Namespace[]>('/v1/namespaces')).json.map(({ Name }) => Name);
const web = (Namespace: string, Tags: string[]) =>
  server.register({
    Node: 'n',
    Address: '10.0.0.1',
    Service: { ID: 'w', Service: 'web', Namespace, Tags },
    Checks: [{ CheckID: 'c', Name: 'c', ServiceID: 'w', Namespace, Status: 'critical' }],
  });

it('has the one that is always there, those in use and those that were described', async () => {
  expect((await server.get('/v1/namespaces')).json).toEqual([
    { Name: 'default', Description: 'Builtin Default Namespace', Meta: null, CreateIndex: 1, ModifyIndex: 1 },
  ]);
  await web('team', []);
  await server.call('PUT', '/v1/kv/a?ns=keys', { body: Buffer.from('1') });
  const made = await server.call('PUT', '/v1/namespace', {
    body: { Name: 'Empty', Description: 'd', Meta: { a: 'b' } },
  });
  expect(made.json).toMatchObject({ Name: 'empty', Description: 'd', Meta: { a: 'b' } });
  expect(await names()).toEqual(['default', 'empty', 'keys', 'team']);
  const { json } = await server.get<Namespace>('/v1/namespace/empty');
  expect(json).toEqual(made.json);
  expect(json.ModifyIndex).toBeGreaterThan(1);
  await server.call('PUT', '/v1/namespace/empty', { body: { Description: 'other' } });
  const changed = (await server.get<Namespace>('/v1/namespace/EMPTY')).json;
  expect(changed).toMatchObject({ Description: 'other', Meta: null, CreateIndex: json.CreateIndex });
  expect(await server.call('GET', '/v1/namespace/none')).toMatchObject({ status: 404 });
});

it('is not chosen silently where a request names one and its body another', async () => {
  const node = { Node: 'n', Address: '10.0.0.1' };
  const bodies = [
    { ...node, Namespace: 'other' },
    { ...node, Service: { Service: 'web', Namespace: 'other' } },
    { ...node, Check: { CheckID: 'c', Name: 'c', Namespace: 'other' } },
    { ...node, Checks: [{ CheckID: 'c', Name: 'c', Namespace: 'other' }] },
  ];
  const text = 'Conflicting namespaces: "Team" in the URL or a header, "other" in the body; give one';
  const call = async (path: string, body: object, headers = {}) => server.call('PUT', path, { body, headers });
  for (const body of bodies) {
    const refused = { code: 'badRequest', message: text };
    await expect(call('/v1/catalog/register?ns=Team', body)).rejects.toMatchObject(refused);
    await expect(call('/v1/catalog/register', body, { 'x-consul-namespace': 'Team' })).rejects.toMatchObject(refused);
    await call('/v1/catalog/register?ns=OTHER', body);
    await call('/v1/catalog/register', body);
  }
  const target = { Node: 'n', ServiceID: 'web', Namespace: 'other' };
  await expect(call('/v1/catalog/deregister?ns=Team', target)).rejects.toMatchObject({ message: text });
  expect(await names()).toEqual(['default', 'other']);
});

it('is as old as the first thing in it, also at a server that has loaded it', async () => {
  const store = openMemoryStore();
  const first = await RunningServer.start({ store });
  const body = Buffer.from('1');
  await first.register({ Node: 'n', Address: '10.0.0.1', Service: { Service: 'web', Namespace: 'team' } });
  const { index: team } = await first.get('/v1/catalog/service/web?ns=team');
  await first.call('PUT', '/v1/kv/later?ns=team', { body });
  await first.call('PUT', '/v1/kv/key?ns=keys', { body });
  const { index: keys } = await first.get('/v1/kv/key?ns=keys');
  await first.call('PUT', '/v1/kv/another?ns=keys', { body });
  const session = await first.call('PUT', '/v1/session/create?ns=locks', { body: { Node: 'n', NodeChecks: [] } });
  const { ID } = jsonOf(session) as { ID: string };
  const { index: locks } = await first.get(`/v1/session/info/${ID}?ns=locks`);
  const since = (Name: string, index: number) => ({ Name, CreateIndex: index, ModifyIndex: index });
  const expected = [since('default', 1), since('keys', keys), since('locks', locks), since('team', team)];
  expect((await first.get('/v1/namespaces')).json).toMatchObject(expected);
  expect((await first.get('/v1/namespace/team')).json).toMatchObject(since('team', team));
  await first.stop();
  const second = await RunningServer.start({ store });
  expect((await second.get('/v1/namespaces')).json).toMatchObject(expected);
  await second.stop();
});

it('lets clients wait for one that begins, changes or ends, and for nothing else', async () => {
  const list = (index: number) => server.get<Namespace[]>(`/v1/namespaces?index=${index}&wait=30s`);
  const put = (path: string, body: unknown) => server.call('PUT', path, { body });
  const inDefault = async (name: string) => {
    await server.register({ Node: name, Address: '10.0.0.2', Service: { ID: 'web', Service: 'web' } });
    await put(`/v1/kv/${name}`, Buffer.from('1'));
  };
  await inDefault('stays');
  let { index } = await server.get('/v1/namespaces');
  let session = '';
  const steps: [string, () => Promise<unknown>, string[]][] = [
    ['a service', () => web('team', []), ['default', 'team']],
    ['a key', () => put('/v1/kv/a?ns=keys', Buffer.from('1')), ['default', 'keys', 'team']],
    ['a description', () => put('/v1/namespace/empty', {}), ['default', 'empty', 'keys', 'team']],
    ['another one', () => put('/v1/namespace/empty', { Description: 'd' }), ['default', 'empty', 'keys', 'team']],
    [
      'a session',
      async () => {
        const made = await put('/v1/session/create?ns=locks', { Node: 'n', NodeChecks: [] });
        session = (jsonOf(made) as { ID: string }).ID;
      },
      ['default', 'empty', 'keys', 'locks', 'team'],
    ],
    [
      'no session',
      () => server.call('PUT', `/v1/session/destroy/${session}?ns=locks`),
      ['default', 'empty', 'keys', 'team'],
    ],
    ['no key', () => server.call('DELETE', '/v1/kv/a?ns=keys'), ['default', 'empty', 'team']],
    ['no description', () => server.call('DELETE', '/v1/namespace/empty'), ['default', 'team']],
    ['no service', () => server.composed.serverCatalog.deregister({ Node: 'n' }, API), ['default']],
  ];
  for (const [what, change, expected] of steps) {
    const waiting = list(index);
    await change();
    const { json, index: next } = await waiting;
    expect([what, json.map(({ Name }) => Name)]).toEqual([what, expected]);
    expect(next).toBeGreaterThan(index);
    index = next;
    await inDefault('comes-and-goes');
    await server.composed.serverCatalog.deregister({ Node: 'comes-and-goes' }, API);
    await server.call('DELETE', '/v1/kv/comes-and-goes');
    expect((await server.get('/v1/namespaces')).index).toBe(index);
  }
});

it('takes away a description, and never what somebody owns', async () => {
  await server.call('PUT', '/v1/namespace', { body: { Name: 'team' } });
  await web('team', []);
  await expect(server.call('DELETE', '/v1/namespace/team')).rejects.toThrow('remove its services first');
  await server.composed.serverCatalog.deregister({ Node: 'n' }, API);
  await server.call('DELETE', '/v1/namespace/team');
  await server.call('DELETE', '/v1/namespace/team');
  expect(await names()).toEqual(['default']);
  await expect(server.call('DELETE', '/v1/namespace/default')).rejects.toThrow('default');
});

it.each([
  [{}, 'Name must be given'],
  [{ Name: '-x' }, 'Invalid namespace "-x"'],
  [{ Name: 'a', Partition: 'p' }, 'Partition'],
  [{ Name: 'a', ACLs: { PolicyDefaults: [{ Name: 'p' }] } }, 'ACLs'],
  [{ Name: 'a', Meta: { '': 'v' } }, 'Meta'],
  [{ Name: 'a', Nope: 1 }, 'Nope'],
])('refuses %j', async (body, text) => {
  await expect(server.call('PUT', '/v1/namespace', { body })).rejects.toThrow(text);
});

it('reads lists of all namespaces at once, and wakes for each', async () => {
  await web('default', ['b']);
  await web('team', ['a']);
  const { json, index } = await server.get<object>('/v1/catalog/services?ns=*');
  expect(json).toMatchObject({ web: ['b', 'a'] });
  const checks = await server.get<object[]>('/v1/health/state/critical?ns=*');
  expect(checks.json).toMatchObject([{ CheckID: 'c' }, { CheckID: 'c', Namespace: 'team' }]);
  const waiting = server.get<object>(`/v1/catalog/services?ns=*&index=${index}&wait=30s`);
  await web('other', ['z']);
  expect((await waiting).json).toMatchObject({ web: ['b', 'a', 'z'] });
  await expect(server.call('GET', '/v1/health/service/web?ns=*')).rejects.toThrow('one namespace');
});
