import type { Node } from '../../api/shapes/catalog.ts';
import type { PreparedQuery } from '../../api/shapes/prepared-query.ts';
import { entryAt, fillCatalog, storedEntries } from '../support/full-catalog.ts';
import { LmdbServer } from '../support/lmdb-server.ts';
import type { RunningServer } from '../support/running-server.ts';
import { spoilEntry } from '../support/spoiled-entry.ts';

/** The operator that has registered `owned` on n2 in its third term. */
const OWNER = 'operator/k8s';
const OWNER_KEY = 'owner/operator%2Fk8s';
const AGENT_ID = 'aaaaaaaa-0000-4000-8000-000000000001';

let lmdb: LmdbServer;
let server: RunningServer;
beforeEach(async () => {
  lmdb = await LmdbServer.start();
  ({ server } = lmdb);
  await fillCatalog(server);
});
afterEach(() => lmdb.remove());

const call = (method: string, url: string, body?: unknown) => server.call(method, url, { body });
const json = async <T>(url: string) => (await server.get<T>(url)).json;
const storedAt = async (rest: string) => (await entryAt(lmdb.store, rest))?.toString();

async function spoil(when: 'watched' | 'loaded', rest: string, text = '{}'): Promise<void> {
  server = await spoilEntry(lmdb, { when, rest, text });
}

describe.each(['watched', 'loaded'] as const)('where an entry cannot be read that was %s', (when) => {
  it('a deposed operator is refused, and a new term is higher than all before', async () => {
    const write = (epoch: number) => {
      const Service = { ID: 'owned', Service: 'owned', Port: epoch };
      return server.register({ Node: 'n2', Address: '10.0.0.2', Service }, { owner: OWNER, epoch });
    };
    const epoch = async () => (await server.composed.catalogClient.ownerState(OWNER)).Epoch;
    await spoil(when, OWNER_KEY);
    await expect(write(2)).rejects.toMatchObject({ code: 'staleEpoch' });
    if (when === 'watched') {
      await write(3);
      expect(await storedAt(OWNER_KEY)).toBe('{"epoch":3}');
      await spoil(when, OWNER_KEY);
    } else {
      await expect(write(3)).rejects.toMatchObject({ code: 'staleEpoch', message: expect.stringContaining('claimed') });
    }
    const last = await epoch();
    expect(last).toBeGreaterThanOrEqual(3);
    await server.composed.catalogClient.claimEpoch({ Owner: OWNER, Epoch: last + 1 });
    expect(await epoch()).toBe(last + 1);
    await expect(write(3)).rejects.toMatchObject({ code: 'staleEpoch' });
    await write(last + 1);
  });

  it.each([
    ['instance/n1/default/web-1', { Node: 'n1', ServiceID: 'web-1' }],
    ['instance/n2/default/owned', { Node: 'n2', ServiceID: 'owned' }],
    ['check-definition/n1/default/up', { Node: 'n1', CheckID: 'up' }],
    ['check-state/n1/default/up', { Node: 'n1', CheckID: 'up' }],
    ['node/n2', { Node: 'n2' }],
    ['instance/n1/default/web-1', { Node: 'n1' }],
  ])('%s is removed by %j, and by no owner', async (rest, target) => {
    const isStored = async () => (await storedAt(rest)) !== undefined;
    await spoil(when, rest);
    const stranger = server.composed.catalogClient.deregister(target, { owner: 'operator/other', epoch: 1 });
    await expect(stranger).rejects.toMatchObject({ code: expect.stringMatching(/storeCorrupt|notOwner/) });
    expect(await isStored()).toBe(true);
    await call('PUT', '/v1/catalog/deregister', target);
    expect(await isStored()).toBe(false);
    const keys = (await storedEntries(lmdb.store)).map((entry) => entry.rest);
    // What was on it goes with it, and nothing else.
    const isNode = !('ServiceID' in target || 'CheckID' in target);
    expect(keys.includes(`node/${target.Node}`)).toBe(!isNode);
    if (isNode) expect(keys.filter((key) => key.includes(`/${target.Node}/`))).toEqual([]);
    expect(keys.includes('check-definition/n1/default/up')).toBe(target.Node === 'n2');
    expect(keys).toContain('instance/other/default/canary');
  });

  it('on a node that cannot be read an instance is removed', async () => {
    await spoil(when, 'node/n2');
    await call('PUT', '/v1/catalog/deregister', { Node: 'n2', ServiceID: 'owned' });
    expect([await storedAt('instance/n2/default/owned'), await storedAt('node/n2')]).toEqual([undefined, '{}']);
  });

  it('no two queries have one name, and no two templates', async () => {
    for (const [rest, query] of [
      ['query/name/plain', { Name: 'plain', Service: { Service: 'db' } }],
      ['query/template/tpl-', { Name: 'tpl-', Template: { Type: 'name_prefix_match' }, Service: { Service: 'db' } }],
    ] as const) {
      await spoil(when, rest);
      const refused = { text: expect.stringMatching(/exist/) };
      expect(await call('POST', '/v1/query', query)).toMatchObject(refused);
      const queries = (await json<PreparedQuery[]>('/v1/query')).filter(({ Name }) => Name === query.Name);
      expect(queries).toHaveLength(1);
      const { ID, CreateIndex: _create, ModifyIndex: _modify, ...content } = queries[0]!;
      await call('PUT', `/v1/query/${ID}`, content);
      expect(await storedAt(rest)).toBe(JSON.stringify(ID));
    }
  });

  it('no two nodes have one id', async () => {
    const named = async () =>
      (await json<Node[]>('/v1/catalog/nodes')).filter(({ ID }) => ID === AGENT_ID).map(({ Node: name }) => name);
    await spoil(when, `node-id/${AGENT_ID}`);
    const Node = { Verb: 'set', Node: { Node: 'other-name', ID: AGENT_ID, Address: '10.0.0.7' } };
    expect(await call('PUT', '/v1/txn', [{ Node }])).toMatchObject({ status: 409 });
    await call('PUT', '/v1/catalog/register', { Node: 'other-name', ID: AGENT_ID, Address: '10.0.0.7' });
    expect(await named()).toEqual(['other-name']);
    expect(await storedAt(`node-id/${AGENT_ID}`)).toBe('"other-name"');
  });

  it.each(['"x"', '1e300', '"-5h"'])('the authority is configured anew where its LeafCertTTL is %s', async (ttl) => {
    const rest = 'connect-ca/config';
    const text = (await storedAt(rest))!.replace('"LeafCertTTL":"72h"', `"LeafCertTTL":${ttl}`);
    expect(text).toContain(ttl);
    await spoil(when, rest, text);
    const archive = await server.archive();
    const message = expect.stringContaining('LeafCertTTL must be a duration');
    await expect(server.get('/v1/connect/ca/configuration')).rejects.toMatchObject({ code: 'storeCorrupt', message });
    expect(await server.restore(archive)).toMatchObject({ status: 500, text: message });
    const Config = { LeafCertTTL: '24h' };
    expect((await call('PUT', '/v1/connect/ca/configuration', { Provider: 'consul', Config })).status ?? 200).toBe(200);
    expect(await json('/v1/connect/ca/configuration')).toMatchObject({ Config });
    expect((await json<{ Roots: object[] }>('/v1/connect/ca/roots')).Roots).toHaveLength(1);
  });
});
