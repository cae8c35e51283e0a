import { jsonOf, RunningServer } from '../../test/support/running-server.ts';

type Op = Record<string, unknown>;
interface Answer {
  status: number;
  results: Record<string, { ModifyIndex: number; [field: string]: unknown }>[] | null;
  errors: { OpIndex: number; What: string }[] | null;
}

const node = (Verb: string, more: object = {}) => ({
  Node: { Verb, Node: { Node: 'n', Address: '10.0.0.1', ...more } },
});
const service = (Verb: string, more: object = {}) => ({
  Service: { Verb, Node: 'n', Service: { ID: 's1', Service: 's', ...more } },
});
const check = (Verb: string, more: object = {}) => ({
  Check: { Verb, Check: { Node: 'n', CheckID: 'c', Name: 'c', Status: 'passing', ServiceID: 's1', ...more } },
});

describe('a transaction over the catalog', () => {
  let server: RunningServer;
  beforeEach(async () => {
    server = await RunningServer.start();
  });
  afterEach(() => server.stop());

  async function txn(...ops: Op[]): Promise<Answer> {
    const answer = await server.call('PUT', '/v1/txn', { body: ops });
    const { Results, Errors } = jsonOf(answer) as { Results: Answer['results']; Errors: Answer['errors'] };
    return { status: answer.status ?? 200, results: Results, errors: Errors };
  }
  const health = async () => (await server.get<unknown[]>('/v1/health/service/s')).json.length;

  it('registers together what depends on each other, in one index', async () => {
    const { status, results } = await txn(node('set'), service('set'), check('set'));
    expect(status).toBe(200);
    const indexes = results!.map((result) => Object.values(result)[0]!.ModifyIndex);
    expect(new Set(indexes).size).toBe(1);
    const read = await txn(node('get'), service('get'), check('get'));
    expect(read.results!.map((result) => Object.values(result)[0]!.ModifyIndex)).toEqual(indexes);
    expect(await health()).toBe(1);
  });

  it('does nothing when one operation fails, and names all that do', async () => {
    const failing = await txn(node('set'), check('set', { ServiceID: 'none' }), service('cas', { ModifyIndex: 9 }));
    expect(failing.status).toBe(409);
    expect(failing.errors).toEqual([
      { OpIndex: 1, What: 'Missing service registration' },
      { OpIndex: 2, What: 'failed to set service "s1" on node "n", index is stale' },
    ]);
    expect((await txn(node('get'))).errors?.[0]?.What).toBe('node "n" doesn\'t exist');
  });

  it('takes 128 operations that each write an entry', async () => {
    const many = <T>(make: (n: number) => T) => Array.from({ length: 128 }, (_, n) => make(n));
    const kv = (Verb: string) => many((n) => ({ KV: { Verb, Key: `k${n}`, Value: 'dg==' } }));
    const nodes = (Verb: string) => many((n) => node(Verb, { Node: `n${n}` }));
    const services = (Verb: string) => many((n) => service(Verb, { ID: `s${n}` }));
    const checks = many((n) => check('set', { CheckID: `c${n}`, ServiceID: '' }));
    await txn(node('set'));
    for (const ops of [kv('set'), kv('set'), kv('delete'), nodes('set'), services('set'), services('delete')]) {
      expect((await txn(...ops)).status).toBe(200);
    }
    // A check is two entries.
    expect((await txn(...checks.slice(0, 64))).status).toBe(200);
  });

  it('reads any number of trees beside what it writes', async () => {
    const trees = Array.from({ length: 64 }, (_, n) => `tree${n}/`);
    const keys = trees.flatMap((tree) => Array.from({ length: 31 }, (_, n) => `${tree}${n}`));
    const set = (Key: string) => ({ KV: { Verb: 'set', Key, Value: 'dg==' } });
    for (let at = 0; at < keys.length; at += 128) await txn(...keys.slice(at, at + 128).map(set));
    const reading = await txn(...trees.map((Key) => ({ KV: { Verb: 'get-tree', Key } })), ...trees.map(set));
    expect([reading.status, reading.results?.length]).toEqual([200, keys.length + trees.length]);
  });

  it('compares the index that a check shows, which is that of its later half', async () => {
    await server.register({ Node: 'n', Address: '10.0.0.1' });
    const own = {
      Node: 'n',
      CheckID: 'c',
      Name: 'c',
      Type: 'http',
      Interval: '10s',
      Definition: { HTTP: 'http://a/' },
    };
    await server.register({ Node: 'n', Address: '10.0.0.1', Check: { ...own, Status: 'critical' } });
    const shown = async () => {
      const { json } = await server.get<{ ModifyIndex: number }[]>('/v1/health/node/n');
      return json[0]!.ModifyIndex;
    };
    const definition = await shown();
    const verdict = { Namespace: 'default', CheckID: 'c', Status: 'passing', Output: 'fine' } as const;
    await server.composed.serverCatalog.report('n', { Verdicts: [verdict], HeartbeatMs: 10_000 });
    const later = await shown();
    expect(later).toBeGreaterThan(definition);
    const cas = (ModifyIndex: number) => txn(check('cas', { ServiceID: '', Notes: 'new', ModifyIndex }));
    expect((await cas(definition)).status).toBe(409);
    expect((await cas(later)).status).toBe(200);
  });

  it('replaces a node and what is on it within one transaction', async () => {
    await txn(node('set'), service('set'), check('set'));
    const again = await txn(node('delete'), node('set', { Address: '10.0.0.2' }), service('set', { ID: 's2' }));
    expect(again.status).toBe(200);
    const { json } =
      await server.get<{ Node: { Address: string }; Service: { ID: string }; Checks: unknown[] }[]>(
        '/v1/health/service/s',
      );
    expect(json).toHaveLength(1);
    expect(json[0]).toMatchObject({ Node: { Address: '10.0.0.2' }, Service: { ID: 's2' }, Checks: [] });
  });

  it('checks indexes before it sets or deletes', async () => {
    const { results } = await txn(node('set'), service('set'));
    const ModifyIndex = results![1]!.Service!.ModifyIndex;
    expect((await txn(service('delete-cas', { ModifyIndex: ModifyIndex - 1 }))).status).toBe(409);
    const set = await txn(service('cas', { ModifyIndex, Port: 7 }));
    expect(set.status).toBe(200);
    expect((await txn(service('cas', { ModifyIndex, Port: 8 }))).status).toBe(409);
    expect((await txn(service('delete-cas', { ModifyIndex: set.results![0]!.Service!.ModifyIndex }))).status).toBe(200);
    expect(await health()).toBe(0);
  });

  it('takes weights that make no sense for none, as clients send 0 for what they were not given', async () => {
    await txn(node('set'));
    const weights = async (Weights: object) => {
      const { results } = await txn(service('set', { Weights }));
      return results![0]!.Service!.Weights;
    };
    expect(await weights({ Passing: 0, Warning: 0 })).toEqual({ Passing: 1, Warning: 1 });
    expect(await weights({ Passing: 7, Warning: 0 })).toEqual({ Passing: 7, Warning: 0 });
    const body = { Node: 'n', Address: '10.0.0.1', Service: { Service: 's', Weights: { Passing: 0, Warning: 0 } } };
    await server.call('PUT', '/v1/catalog/register', { body });
    const { json } = await server.get<{ ServiceWeights: object }[]>('/v1/catalog/service/s');
    expect(json.map((row) => row.ServiceWeights)).toContainEqual({ Passing: 1, Warning: 1 });
  });

  it('refuses locks without a session by name', async () => {
    const { status, errors } = await txn(
      { KV: { Verb: 'lock', Key: 'k', Value: 'eA==' } },
      { KV: { Verb: 'unlock', Key: 'k', Value: 'eA==' } },
      { KV: { Verb: 'lock', Key: 'k', Value: 'eA==', Session: 'nope' } },
    );
    expect(status).toBe(409);
    expect(errors!.map(({ What }) => What)).toEqual(['missing session', 'missing session', 'invalid session "nope"']);
    for (const how of ['acquire', 'release']) {
      const answer = await server.call('PUT', `/v1/kv/k?${how}=`, { body: Buffer.from('v') });
      expect(answer).toMatchObject({ status: 500, text: 'raft apply failed: missing session' });
    }
  });

  it('works in the namespace that an operation names, else in that of the request', async () => {
    const set = (Key: string, Namespace?: string) => ({ KV: { Verb: 'set', Key, Value: 'eA==', Namespace } });
    const answer = await server.call('PUT', '/v1/txn?ns=own', { body: [set('a'), set('b', 'Team')] });
    expect(answer.status ?? 200).toBe(200);
    const keys = async (ns: string) => (await server.get<string[]>(`/v1/kv/?keys&ns=${ns}`)).json;
    expect([await keys('own'), await keys('team'), await keys('default')]).toEqual([['a'], ['b'], []]);
    await txn(node('set'));
    const body = { Node: 'n', NodeChecks: [], Namespace: 'team' };
    const { ID: Session } = jsonOf(await server.call('PUT', '/v1/session/create', { body })) as { ID: string };
    const lock = (Namespace: string) => txn({ KV: { Verb: 'lock', Key: 'b', Value: 'eA==', Session, Namespace } });
    expect((await lock('own')).errors?.[0]?.What).toBe(`invalid session "${Session}"`);
    expect((await lock('team')).results?.[0]?.KV).toMatchObject({ Key: 'b', Session, Namespace: 'team' });
    // What is not in the default namespace says where it is.
    const read = async (path: string) => (await server.get<{ Namespace?: string }[]>(path)).json[0]?.Namespace;
    expect([await read('/v1/kv/b?ns=team'), await read('/v1/kv/b?recurse&ns=team')]).toEqual(['team', 'team']);
    expect(await read(`/v1/session/info/${Session}?ns=team`)).toBe('team');
    await txn(set('c'));
    expect(await read('/v1/kv/c')).toBeUndefined();
    await expect(server.call('PUT', '/v1/txn', { body: [set('a', 'no/name')] })).rejects.toMatchObject({
      code: 'badRequest',
      message: expect.stringContaining('Invalid namespace "no/name"'),
    });
  });

  it('ends no session when it is too large itself', async () => {
    const nodeCheck = (more: object = {}) => check('set', { ServiceID: '', ...more });
    await txn(node('set'), nodeCheck());
    const made = await server.call('PUT', '/v1/session/create', { body: { Node: 'n', NodeChecks: ['c'] } });
    const { ID } = jsonOf(made) as { ID: string };
    const others = Array.from({ length: 70 }, (_, n) => nodeCheck({ CheckID: `c${n}` }));
    await expect(txn(nodeCheck({ Status: 'critical' }), ...others)).rejects.toMatchObject({ code: 'tooLarge' });
    expect((await server.get<unknown[]>(`/v1/session/info/${ID}`)).json).toHaveLength(1);
    await txn(nodeCheck({ Status: 'critical' }), ...others.slice(0, 20));
    expect((await server.get<unknown[]>(`/v1/session/info/${ID}`)).json).toEqual([]);
  });

  it('ends a session together with what it writes', async () => {
    await txn(node('set'));
    const made = await server.call('PUT', '/v1/session/create', { body: { Node: 'n', NodeChecks: [] } });
    const { ID } = jsonOf(made) as { ID: string };
    await server.call('PUT', `/v1/kv/held?acquire=${ID}`, { body: Buffer.from('v') });
    const done = await txn(
      { KV: { Verb: 'set', Key: 'note', Value: 'eA==' } },
      { Session: { Verb: 'delete', Session: { ID } } },
    );
    expect(done.status).toBe(200);
    const { json } = await server.get<{ Session?: string }[]>('/v1/kv/held');
    expect(json[0]?.Session).toBeUndefined();
    expect((await server.get<unknown[]>(`/v1/session/info/${ID}`)).json).toEqual([]);
    expect((await txn({ Session: { Verb: 'get', Session: { ID } } })).errors?.[0]?.What).toBe(
      'unknown Session operation: get',
    );
  });
});
