import { eventIndex, type UserEvent } from '../../api/shapes/user-event.ts';
import { FakeClock } from '../../core/clock.ts';
import { RunningServer } from '../../test/support/running-server.ts';

describe('user events', () => {
  let server: RunningServer;
  beforeEach(async () => {
    server = await RunningServer.start();
  });
  afterEach(() => server.stop());

  const fire = async (target: string, payload = '') =>
    (await server.call('PUT', `/v1/event/fire/${target}`, { body: Buffer.from(payload) })).json as UserEvent;
  const list = async (parameters = '', agent?: string) => {
    const headers: Record<string, string> = agent === undefined ? {} : { 'x-lictor-agent': agent };
    return server.call('GET', `/v1/event/list${parameters}`, { headers });
  };
  const names = async (parameters = '', agent?: string) =>
    ((await list(parameters, agent)).json as UserEvent[]).map((event) => event.Name);

  it('are listed oldest first, with their payload in base64 and a rising time', async () => {
    await fire('a', 'x');
    await fire('b');
    const events = (await list()).json as UserEvent[];
    expect(events.map(({ Name, Payload, LTime }) => [Name, Payload, LTime])).toEqual([
      ['a', 'eA==', 1],
      ['b', null, 2],
    ]);
    expect(await names('?name=b')).toEqual(['b']);
  });

  it('reach the agents whose node, services and tags fit', async () => {
    const Service = { ID: 'w', Service: 'web', Tags: ['blue'], Port: 1 };
    await server.register({ Node: 'n1', Address: '10.0.0.1', Service });
    await server.register({ Node: 'n2', Address: '10.0.0.2' });
    await fire('node?node=^n2$');
    await fire('service?service=^w');
    await fire('tag?service=web&tag=gr.y');
    expect(await names('', 'n1')).toEqual(['service']);
    expect(await names('', 'n2')).toEqual(['node']);
    expect(await names()).toEqual([]);
  });

  it('are kept up to 256 for an agent', async () => {
    for (let i = 0; i < 300; i++) await fire(`e${i}`);
    const kept = await names();
    expect([kept.length, kept[0], kept.at(-1)]).toEqual([256, 'e44', 'e299']);
  });

  it('wake a query that waits with the index of the last one, and no other', async () => {
    const { ID } = await fire('a');
    const index = String(eventIndex(ID));
    expect((await list()).headers?.['x-consul-index']).toBe(index);
    expect(((await list(`?index=${BigInt(index) + 1n}`)).json as unknown[]).length).toBe(1);
    const waiting = list(`?index=${index}&wait=60s`);
    await fire('b');
    expect(((await waiting).json as UserEvent[]).map((event) => event.Name)).toEqual(['a', 'b']);
  });

  it('end a wait with what is there when its time is over', async () => {
    const clock = new FakeClock();
    const other = await RunningServer.start({ clock });
    const fired = (await other.call('PUT', '/v1/event/fire/a')).json as UserEvent;
    const waiting = other.call('GET', `/v1/event/list?index=${eventIndex(fired.ID)}&wait=10s`);
    await clock.advance(11_000);
    expect((await waiting).json).toHaveLength(1);
    await other.stop();
  });

  it.each([
    ['?node=%5B', /Invalid node filter: error parsing regexp/],
    ['?tag=x', /Cannot provide tag filter without service filter/],
  ])('with %s are refused', async (parameters, text) => {
    const answer = await server.call('PUT', `/v1/event/fire/bad${parameters}`);
    expect([answer.status, answer.text]).toEqual([500, expect.stringMatching(text)]);
    expect(await names()).toEqual([]);
  });
});
