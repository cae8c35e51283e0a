import { FakeClock } from '../../core/clock.ts';
import { openMemoryStore } from '../../store/memory/memory-store.ts';
import { EndingStore } from '../../test/support/ending-store.ts';
import { jsonOf, RunningServer } from '../../test/support/running-server.ts';

const NODE = { Node: 'n1', Address: '10.0.0.1' };

interface Row {
  Key: string;
  Session?: string;
}

async function started(options: { clock?: FakeClock; store?: ReturnType<typeof openMemoryStore> } = {}) {
  const server = await RunningServer.start(options);
  await server.register(NODE);
  const create = async (body: object): Promise<string> => {
    const answer = await server.call('PUT', '/v1/session/create', { body: { Node: 'n1', NodeChecks: [], ...body } });
    return (jsonOf(answer) as { ID: string }).ID;
  };
  const put = async (key: string, query = '') =>
    jsonOf(await server.call('PUT', `/v1/kv/${key}${query}`, { body: Buffer.from('v') }));
  const lives = async (id: string) => (await server.get<unknown[]>(`/v1/session/info/${id}`)).json.length === 1;
  const row = async (key: string) => {
    const answer = await server.call('GET', `/v1/kv/${key}`);
    return answer.status === 404 ? undefined : (jsonOf(answer) as Row[])[0];
  };
  return { server, create, put, lives, row };
}

describe('a session', () => {
  it('ends after twice its TTL, and not while it is renewed', async () => {
    const clock = new FakeClock();
    const { server, create, lives } = await started({ clock });
    const id = await create({ TTL: '10s' });
    await clock.advance(15_000);
    expect((await server.call('PUT', `/v1/session/renew/${id}`)).status ?? 200).toBe(200);
    await clock.advance(19_000);
    expect(await lives(id)).toBe(true);
    await clock.advance(1_500);
    expect(await lives(id)).toBe(false);
    expect((await server.call('PUT', `/v1/session/renew/${id}`)).status).toBe(404);
    await server.stop();
  });

  it('is gone for others only when its end is stored, and is renewed no more', async () => {
    const clock = new FakeClock();
    const ending = new EndingStore(openMemoryStore());
    const { server, create, put, lives, row } = await started({ clock, store: ending.store });
    const [id, other] = [await create({ TTL: '10s', LockDelay: '0s' }), await create({})];
    expect(await put('lead', `?acquire=${id}`)).toBe(true);
    ending.left = 0;
    await clock.advance(21_000);
    expect([await lives(id), (await row('lead'))?.Session]).toEqual([true, id]);
    const refused = { code: 'unavailable' };
    await expect(server.call('PUT', `/v1/session/renew/${id}`)).rejects.toMatchObject(refused);
    for (const session of [id, other]) await expect(put('lead', `?acquire=${session}`)).rejects.toMatchObject(refused);
    expect([await lives(id), (await row('lead'))?.Session]).toEqual([true, id]);
    ending.left = Infinity;
    expect((await server.call('PUT', `/v1/session/renew/${id}`)).status).toBe(404);
    expect([await lives(id), (await row('lead'))?.Session]).toEqual([false, undefined]);
    expect(await put('lead', `?acquire=${other}`)).toBe(true);
    await server.stop();
  });

  it('that could not be destroyed lives on', async () => {
    const ending = new EndingStore(openMemoryStore());
    const { server, create, put, lives, row } = await started({ store: ending.store });
    const id = await create({});
    await put('lead', `?acquire=${id}`);
    ending.left = 0;
    await expect(server.call('PUT', `/v1/session/destroy/${id}`)).rejects.toMatchObject({ code: 'unavailable' });
    ending.left = Infinity;
    expect([await lives(id), (await row('lead'))?.Session]).toEqual([true, id]);
    await server.stop();
  });

  it('can still be renewed after its server was stopped for longer, but not for ever', async () => {
    const clock = new FakeClock();
    const { server, create, lives } = await started({ clock });
    const [renewed, silent] = [await create({ TTL: '10s' }), await create({ TTL: '10s' })];
    await clock.advance(5_000);
    await clock.stall(60_000);
    expect((await server.call('PUT', `/v1/session/renew/${renewed}`)).status ?? 200).toBe(200);
    await clock.advance(9_000);
    expect([await lives(renewed), await lives(silent)]).toEqual([true, true]);
    await clock.advance(2_000);
    expect([await lives(renewed), await lives(silent)]).toEqual([true, false]);
    await clock.advance(10_000);
    expect(await lives(renewed)).toBe(false);
    await server.stop();
  });

  it('gets its full time again when another server has loaded it', async () => {
    const clock = new FakeClock();
    const store = openMemoryStore();
    const first = await started({ clock, store });
    const id = await first.create({ TTL: '10s' });
    await clock.advance(19_000);
    await first.server.stop();
    const second = await started({ clock, store });
    await clock.advance(19_000);
    expect(await second.lives(id)).toBe(true);
    await clock.advance(2_000);
    expect(await second.lives(id)).toBe(false);
    await second.server.stop();
  });

  it('lets go of its keys when it ends, after a delay that survives a restart', async () => {
    const clock = new FakeClock();
    const store = openMemoryStore();
    const first = await started({ clock, store });
    const [a, b] = [await first.create({ LockDelay: '5s' }), await first.create({})];
    expect(await first.put('lead', `?acquire=${a}`)).toBe(true);
    await first.server.call('PUT', `/v1/session/destroy/${a}`);
    expect((await first.row('lead'))?.Session).toBeUndefined();
    expect(await first.put('lead', `?acquire=${b}`)).toBe(false);
    await first.server.stop();
    const second = await started({ clock, store });
    expect(await second.put('lead', `?acquire=${b}`)).toBe(false);
    await clock.advance(5_100);
    expect(await second.put('lead', `?acquire=${b}`)).toBe(true);
    await second.server.stop();
  });

  it('locks its keys for a minute after its end at most, and shows the delay that it was made with', async () => {
    const clock = new FakeClock();
    const { server, create, put } = await started({ clock });
    const [a, b] = [await create({ LockDelay: '2m' }), await create({})];
    const { json } = await server.get<object[]>(`/v1/session/info/${a}`);
    expect(json).toMatchObject([{ LockDelay: 120e9 }]);
    expect(await put('lead', `?acquire=${a}`)).toBe(true);
    await server.call('PUT', `/v1/session/destroy/${a}`);
    await clock.advance(59_000);
    expect(await put('lead', `?acquire=${b}`)).toBe(false);
    await clock.advance(1_100);
    expect(await put('lead', `?acquire=${b}`)).toBe(true);
    await server.stop();
  });

  it('names a check once that is given as both NodeChecks and Checks', async () => {
    const { server, create } = await started();
    await server.register({ ...NODE, Check: { CheckID: 'c', Name: 'c', Status: 'passing' } } as never);
    const id = await create({ NodeChecks: ['c'], Checks: ['c'] });
    expect((await server.get<object[]>(`/v1/session/info/${id}`)).json).toMatchObject([{ NodeChecks: ['c'] }]);
    await server.stop();
  });

  it('has no lock delay after its holder has released the key itself', async () => {
    const { server, create, put } = await started();
    const [a, b] = [await create({}), await create({})];
    expect(await put('lead', `?acquire=${a}`)).toBe(true);
    expect(await put('lead', `?acquire=${b}`)).toBe(false);
    expect(await put('lead', `?release=${a}`)).toBe(true);
    expect(await put('lead', `?acquire=${b}`)).toBe(true);
    await server.stop();
  });

  it('ends whole when it holds more than a transaction can release', async () => {
    for (const { Behavior, count } of [
      { Behavior: 'release', count: 5000 },
      { Behavior: 'delete', count: 500 },
    ]) {
      const { server, create, put } = await started();
      const id = await create({ Behavior });
      for (let n = 0; n < count; n += 500) {
        const keys = Array.from({ length: 500 }, (_, at) => `many/${n + at}`);
        await Promise.all(keys.map((key) => put(key, `?acquire=${id}`)));
      }
      const other = await create({});
      await server.call('PUT', `/v1/session/destroy/${id}`);
      const left = await server.call('GET', '/v1/kv/many/?recurse');
      const rows = left.status === 404 ? [] : (jsonOf(left) as Row[]);
      expect(rows).toHaveLength(Behavior === 'delete' ? 0 : count);
      expect(rows.filter(({ Session }) => Session !== undefined)).toEqual([]);
      // The lock delay is that of the session's end.
      expect(await put(`many/${count - 1}`, `?acquire=${other}`)).toBe(false);
      await server.stop();
    }
  }, 60_000);

  it('is gone for whoever looks as soon as its check has turned critical', async () => {
    const { server, create, lives } = await started();
    const check = (Status: string) => server.register({ ...NODE, Check: { CheckID: 'c', Name: 'c', Status } } as never);
    await check('passing');
    const id = await create({ NodeChecks: ['c'] });
    expect(await lives(id)).toBe(true);
    await check('critical');
    expect(await lives(id)).toBe(false);
    await check('passing');
    expect(await lives(id)).toBe(false);
    await server.stop();
  });

  it('wakes those who wait for its key when it ends, and nobody else', async () => {
    const { server, create, put } = await started();
    const id = await create({ LockDelay: '0s' });
    await put('lead', `?acquire=${id}`);
    await put('other');
    const { index } = await server.get('/v1/kv/lead');
    const ended = new AbortController();
    const lead = server.get<Row[]>(`/v1/kv/lead?index=${index}&wait=60s`);
    const prefix = server.get<Row[]>(`/v1/kv/le?recurse&index=${index}&wait=60s`);
    let woken = false;
    const rest = server.get(`/v1/kv/other?index=${index + 1}&wait=60s`, ended.signal).then(
      () => {
        woken = true;
      },
      () => {},
    );
    await server.call('PUT', `/v1/session/destroy/${id}`);
    expect((await lead).json[0]?.Session).toBeUndefined();
    expect((await prefix).json).toHaveLength(1);
    expect(woken).toBe(false);
    ended.abort();
    await rest;
    await server.stop();
  });
});
