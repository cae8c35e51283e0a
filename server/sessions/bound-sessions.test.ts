import type { AppError } from '../../core/errors.ts';
import { openMemoryStore } from '../../store/memory/memory-store.ts';
import { jsonOf, RunningServer } from '../../test/support/running-server.ts';

const NODE = { Node: 'n1', Address: '10.0.0.1' };

interface Row {
  readonly Key: string;
  readonly Session?: string;
  readonly ModifyIndex: number;
}

async function started(store = openMemoryStore()) {
  const server = await RunningServer.start({ store });
  const put = async (url: string, body: unknown) => jsonOf(await server.call('PUT', url, { body }));
  return {
    server,
    checks: (Status: string, ids: readonly string[], more: object = {}) =>
      server.register({ ...NODE, Checks: ids.map((id) => ({ CheckID: id, Name: id, Status, ...more })) } as never),
    create: async (body: object, query = '') =>
      (
        (await put(`/v1/session/create${query}`, { Node: 'n1', NodeChecks: [], LockDelay: '0s', ...body })) as {
          ID: string;
        }
      ).ID,
    acquire: (key: string, session: string) => put(`/v1/kv/held/${key}?acquire=${session}`, Buffer.from('v')),
    rows: async () => (await server.get<Row[]>('/v1/kv/held/?recurse')).json,
    lives: async (id: string, query = '') =>
      (await server.get<unknown[]>(`/v1/session/info/${id}${query}`)).json.length === 1,
    /** The index at which the check was last changed. */
    indexOf: async (check: string) =>
      (await server.get<{ CheckID: string; ModifyIndex: number }[]>('/v1/health/node/n1')).json.find(
        ({ CheckID }) => CheckID === check,
      )!.ModifyIndex,
    txn: (ops: unknown) => put('/v1/txn', ops),
  };
}

describe('a session whose check turns critical', () => {
  it.each([2, 200])('lets go of its %d keys with the index of that', async (count) => {
    const { server, checks, create, acquire, rows, lives, indexOf } = await started();
    await checks('passing', ['c', 'other']);
    const id = await create({ NodeChecks: ['c'] });
    await Promise.all(Array.from({ length: count }, (_, n) => acquire(`${n}`, id)));
    await checks('critical', ['other']);
    expect(await lives(id)).toBe(true);
    await checks('critical', ['c']);
    expect(await lives(id)).toBe(false);
    const index = await indexOf('c');
    expect(await rows()).toHaveLength(count);
    expect((await rows()).filter(({ Session, ModifyIndex }) => Session !== undefined || ModifyIndex !== index)).toEqual(
      [],
    );
    await server.stop();
  });

  it('lets go of what the same transaction has locked with it', async () => {
    const { server, checks, create, rows, lives, txn } = await started();
    await checks('passing', ['c']);
    const id = await create({ NodeChecks: ['c'] });
    await txn([
      { KV: { Verb: 'lock', Key: 'held/x', Value: '', Session: id } },
      { Check: { Verb: 'set', Check: { Node: 'n1', CheckID: 'c', Name: 'c', Status: 'critical' } } },
    ]);
    expect([await lives(id), (await rows()).map(({ Session }) => Session)]).toEqual([false, [undefined]]);
    await server.stop();
  });

  it('ends with more others than one transaction has room for', async () => {
    const { server, checks, create, acquire, rows, lives } = await started();
    const ids = Array.from({ length: 50 }, (_, n) => `c${n}`);
    await checks('passing', ids);
    const sessions = await Promise.all(ids.map((id) => create({ NodeChecks: [id] })));
    await Promise.all(sessions.map((session, n) => acquire(`${n}`, session)));
    await checks('critical', ids);
    expect(await Promise.all(sessions.map((session) => lives(session)))).not.toContain(true);
    expect((await rows()).filter(({ Session }) => Session !== undefined)).toEqual([]);
    await server.stop();
  });

  it('lets go with the index of that also where the transaction relies on more than it writes', async () => {
    const { server, checks, create, acquire, rows, lives, indexOf, txn } = await started();
    await checks('passing', ['c']);
    const id = await create({ NodeChecks: ['c'] });
    await acquire('x', id);
    const read = Array.from({ length: 126 }, (_, n) => ({ KV: { Verb: 'check-not-exists', Key: `none/${n}` } }));
    const critical = { Node: 'n1', CheckID: 'c', Name: 'c', Status: 'critical' };
    await txn([...read, { Check: { Verb: 'set', Check: critical } }]);
    expect(await lives(id)).toBe(false);
    expect(await rows()).toMatchObject([{ Key: 'held/x', ModifyIndex: await indexOf('c') }]);
    await server.stop();
  });

  it('ends also where a transaction relies on almost as much as a store takes', async () => {
    const store = openMemoryStore({ limits: { maxTxnCompares: 40 } });
    const { server, checks, create, acquire, rows, lives, indexOf, txn } = await started(store);
    const critical = { Check: { Verb: 'set', Check: { Node: 'n1', CheckID: 'c', Name: 'c', Status: 'critical' } } };
    const taken: boolean[] = [];
    const together: boolean[] = [];
    for (let count = 28; count <= 40; count++) {
      await checks('passing', ['c']);
      const id = await create({ NodeChecks: ['c'] });
      await acquire('x', id);
      const read = Array.from({ length: count }, (_, n) => ({ KV: { Verb: 'check-not-exists', Key: `none/${n}` } }));
      const alone = await txn([...read, critical]).then(
        () => true,
        (error: AppError) => error.code !== 'tooLarge',
      );
      taken.push(alone);
      if (!alone) continue;
      expect(await lives(id)).toBe(false);
      const row = (await rows())[0]!;
      expect(row.Session).toBeUndefined();
      together.push(row.ModifyIndex === (await indexOf('c')));
    }
    // In one commit, or before it where there is no room in it; not after it.
    expect(together[0]).toBe(true);
    // One compare is the server's own, and the check has its node and its two entries.
    expect(taken.lastIndexOf(true)).toBe(36 - 28);
    await server.stop();
  });

  it('is not one that is bound to a check of that id in another namespace', async () => {
    const { server, checks, create, lives } = await started();
    await checks('passing', ['c']);
    await checks('passing', ['c'], { Namespace: 'team' });
    const id = await create({ NodeChecks: ['c'] }, '?ns=team');
    await checks('critical', ['c'], { Namespace: 'team' });
    expect(await lives(id, '?ns=team')).toBe(true);
    await checks('critical', ['c']);
    expect(await lives(id, '?ns=team')).toBe(false);
    await server.stop();
  });
});

describe('a session whose node is renamed', () => {
  it('lets go of its keys with that', async () => {
    const { server, create, acquire, rows } = await started();
    const ID = 'aaaaaaaa-0000-4000-8000-0000000000aa';
    await server.register({ ...NODE, ID });
    const id = await create({ Behavior: 'delete' });
    await acquire('x', id);
    expect(await rows()).toHaveLength(1);
    await server.register({ ...NODE, Node: 'n2', ID });
    expect((await server.call('GET', '/v1/kv/held/?recurse')).status).toBe(404);
    await server.stop();
  });
});
