import { openMemoryStore } from '../../store/memory/memory-store.ts';
import type { Store } from '../../store/store.ts';
import { EndingStore } from '../../test/support/ending-store.ts';
import { eventually } from '../../test/support/eventually.ts';
import { jsonOf, RunningServer } from '../../test/support/running-server.ts';
import { CatalogKeys, FIRST_GENERATION } from '../catalog/keys.ts';

const NODE = { Node: 'n1', Address: '10.0.0.1' };
/** A transaction takes 126 operations, and each key two. */
const COUNT = 300;
const BEHAVIORS = ['release', 'delete'] as const;

interface Row {
  readonly Key: string;
  readonly Session?: string;
  readonly CreateIndex: number;
  readonly ModifyIndex: number;
}

class Keys {
  readonly server: RunningServer;

  constructor(server: RunningServer) {
    this.server = server;
  }

  async create(body: object = {}): Promise<string> {
    const answer = await this.server.call('PUT', '/v1/session/create', {
      body: { Node: 'n1', NodeChecks: [], ...body },
    });
    return (jsonOf(answer) as { ID: string }).ID;
  }

  put = async (key: string, query = '') =>
    jsonOf(await this.server.call('PUT', `/v1/kv/${key}${query}`, { body: Buffer.from('v') }));

  async hold(session: string): Promise<void> {
    const keys = Array.from({ length: COUNT }, (_, n) => `many/${n}`);
    expect(await Promise.all(keys.map((key) => this.put(key, `?acquire=${session}`)))).not.toContain(false);
  }

  async rows(): Promise<{ rows: Row[]; index: number }> {
    const answer = await this.server.call('GET', '/v1/kv/many/?recurse');
    return { rows: answer.status === 404 ? [] : (jsonOf(answer) as Row[]), index: answer.meta!.index! };
  }

  destroy = (session: string) => this.server.call('PUT', `/v1/session/destroy/${session}`);

  sessions = async () => (await this.server.get<{ ID: string }[]>('/v1/session/list')).json.map(({ ID }) => ID);
}

async function started(store: Store): Promise<Keys> {
  const keys = new Keys(await RunningServer.start({ store }));
  await keys.server.register(NODE);
  return keys;
}

async function isTidied(store: Store): Promise<void> {
  const { entries } = await store.read(new CatalogKeys(FIRST_GENERATION).tableRange('session'));
  expect(entries.filter(({ value }) => Buffer.from(value).includes('deadSinceMs'))).toEqual([]);
}

describe.each(BEHAVIORS)('a session that holds more than a transaction takes (%s)', (Behavior) => {
  const expectAllLetGo = ({ rows }: { rows: Row[] }): void => {
    expect(rows).toHaveLength(Behavior === 'delete' ? 0 : COUNT);
    expect(rows.filter(({ Session }) => Session !== undefined)).toEqual([]);
  };

  it('lets go of all with its end, though the store has only begun', async () => {
    const ending = new EndingStore(openMemoryStore());
    const keys = await started(ending.store);
    const id = await keys.create({ Behavior });
    await keys.hold(id);
    const before = await keys.rows();
    const stop = new AbortController();
    const waiting = keys.server.get<Row[]>(`/v1/kv/many/?recurse&index=${before.index}&wait=60s`, stop.signal);
    ending.left = 2;
    await keys.destroy(id);
    const after = await keys.rows();
    expectAllLetGo(after);
    expect(await keys.sessions()).toEqual([]);
    expect((await waiting).index).toBe(after.index);
    expect(after.index).toBeGreaterThan(before.index);
    // One change for all.
    expect(new Set(after.rows.map(({ ModifyIndex }) => ModifyIndex)).size).toBe(Behavior === 'delete' ? 0 : 1);
    expect(after.rows.map(({ CreateIndex }) => CreateIndex)).toEqual(
      Behavior === 'delete' ? [] : before.rows.map(({ CreateIndex }) => CreateIndex),
    );

    // What the store does afterwards nobody sees or hears of.
    let woken = false;
    const unchanged = keys.server.get(`/v1/kv/many/?recurse&index=${after.index}&wait=60s`, stop.signal).then(
      () => {
        woken = true;
      },
      () => {},
    );
    ending.left = Infinity;
    await eventually(() => isTidied(ending.store), { withinMs: 20_000 });
    expect(await keys.rows()).toEqual(after);
    expect(woken).toBe(false);
    stop.abort();
    await unchanged;
    await keys.server.stop();
  }, 60_000);

  it('is seen whole by a server that starts in the middle, with its lock delay', async () => {
    const memory = openMemoryStore();
    const ending = new EndingStore(memory);
    const first = await started(ending.store);
    const id = await first.create({ Behavior });
    await first.hold(id);
    ending.left = 2;
    await first.destroy(id);
    const shown = await first.rows();
    await first.server.stop();
    const halted = new EndingStore(memory);
    halted.left = 0;
    const idle = new Keys(await RunningServer.start({ store: halted.store }));
    const loaded = await idle.rows();
    expectAllLetGo(loaded);
    expect(loaded.rows).toEqual(shown.rows);
    expect(await idle.sessions()).toEqual([]);
    await idle.server.stop();

    const second = await started(memory);
    const other = await second.create();
    for (const n of [0, COUNT - 1]) expect(await second.put(`many/${n}`, `?acquire=${other}`)).toBe(false);
    await eventually(() => isTidied(memory), { withinMs: 20_000 });
    for (const n of [0, COUNT - 1]) expect(await second.put(`many/${n}`, `?acquire=${other}`)).toBe(false);
    expectAllLetGo(await second.rows());
    await second.server.stop();
  }, 60_000);

  it('leaves its keys to others at once', async () => {
    const ending = new EndingStore(openMemoryStore());
    const keys = await started(ending.store);
    const [id, other] = [await keys.create({ Behavior, LockDelay: '0s' }), await keys.create()];
    await keys.hold(id);
    ending.left = 1;
    await keys.destroy(id);
    // Every further try takes what it needs: first the store lets go of the key, then it is written.
    const last = `many/${COUNT - 1}`;
    await eventually(
      async () => {
        ending.left = 2;
        expect(await keys.put(last, `?acquire=${other}`)).toBe(true);
      },
      { withinMs: 20_000 },
    );
    const body = [{ KV: { Verb: 'set', Key: 'many/0', Value: 'dg==' } }];
    await eventually(
      async () => {
        ending.left = 2;
        await keys.server.call('PUT', '/v1/txn', { body });
      },
      { withinMs: 20_000 },
    );
    ending.left = Infinity;
    await eventually(() => isTidied(ending.store), { withinMs: 20_000 });
    const { rows } = await keys.rows();
    expect(rows).toHaveLength(Behavior === 'delete' ? 2 : COUNT);
    expect(rows.filter(({ Session }) => Session !== undefined).map(({ Key }) => Key)).toEqual([last]);
    await keys.server.stop();
  }, 60_000);

  it.each(['node', 'check'])(
    'ends whole with the %s that it is bound to',
    async (bound) => {
      const memory = openMemoryStore();
      const keys = await started(memory);
      const check = (Status: string) =>
        keys.server.register({ ...NODE, Check: { CheckID: 'c', Name: 'c', Status } } as never);
      await check('passing');
      const id = await keys.create({ Behavior, NodeChecks: ['c'] });
      await keys.hold(id);
      const counts = new Set<string>();
      let reading = true;
      const look = async () => {
        const { rows } = await keys.rows();
        counts.add(`${rows.length} keys, ${rows.filter(({ Session }) => Session !== undefined).length} held`);
      };
      const reader = (async () => {
        while (reading) {
          await look();
          await new Promise((resolve) => setImmediate(resolve));
        }
      })();
      if (bound === 'check') await check('critical');
      else await keys.server.call('PUT', '/v1/catalog/deregister', { body: { Node: 'n1' } });
      expect(await keys.sessions()).toEqual([]);
      await eventually(async () => expectAllLetGo(await keys.rows()), { withinMs: 20_000 });
      await eventually(() => isTidied(memory), { withinMs: 20_000 });
      reading = false;
      await reader;
      // On a busy machine its last look may have been before the end.
      await look();
      expect([...counts]).toEqual([
        `${COUNT} keys, ${COUNT} held`,
        `${Behavior === 'delete' ? 0 : COUNT} keys, 0 held`,
      ]);
      await keys.server.stop();
    },
    60_000,
  );

  it('can end within a transaction, beside a write of what it holds', async () => {
    const memory = openMemoryStore();
    const keys = await started(memory);
    const id = await keys.create({ Behavior });
    await keys.hold(id);
    const body = [
      { KV: { Verb: 'set', Key: 'many/7', Value: 'dg==' } },
      { Session: { Verb: 'delete', Session: { ID: id } } },
    ];
    expect((await keys.server.call('PUT', '/v1/txn', { body })).status ?? 200).toBe(200);
    expectAllLetGo(await keys.rows());
    await eventually(() => isTidied(memory), { withinMs: 20_000 });
    expectAllLetGo(await keys.rows());
    await keys.server.stop();
  }, 60_000);
});
