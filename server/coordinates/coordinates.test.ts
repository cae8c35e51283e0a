import type { CoordinateEntry } from '../../api/shapes/coordinate.ts';
import { ORIGIN } from '../../api/shapes/coordinate.ts';
import { RunningServer } from '../../test/support/running-server.ts';

const at = (x: number) => ({ ...ORIGIN, Vec: [x, 0, 0, 0, 0, 0, 0, 0], Height: 0.001 });

describe('coordinates', () => {
  let server: RunningServer;
  beforeEach(async () => {
    server = await RunningServer.start();
    for (const Node of ['n1', 'n2']) await server.register({ Node, Address: '10.0.0.1' });
  });
  afterEach(() => server.stop());

  const update = (body: object) => server.call('PUT', '/v1/coordinate/update', { body });
  const nodes = async () => (await server.get<CoordinateEntry[]>('/v1/coordinate/nodes')).json;
  const own = 'server-1';

  it('are stored when acknowledged, listed by node, and read one by one', async () => {
    await Promise.all([update({ Node: 'n2', Coord: at(2) }), update({ Node: 'N1', Coord: at(1) })]);
    const others = (await nodes()).filter(({ Node }) => Node !== own);
    expect(others).toEqual([
      { Node: 'n1', Segment: '', Coord: at(1) },
      { Node: 'n2', Segment: '', Coord: at(2) },
    ]);
    expect((await server.call('GET', '/v1/coordinate/node/n2')).json).toEqual([others[1]]);
    expect((await server.call('GET', '/v1/coordinate/node/n2?segment=alpha')).status).toBe(404);
    expect((await server.call('GET', '/v1/coordinate/node/nobody')).status).toBe(404);
  });

  it('of one node are written once for many updates that come together', async () => {
    const before = server.store.revision();
    await Promise.all([1, 2, 3, 4].map((x) => update({ Node: 'n1', Coord: at(x) })));
    expect((await nodes()).find(({ Node }) => Node === 'n1')?.Coord).toEqual(at(4));
    expect(server.store.revision() - before).toBeLessThanOrEqual(3);
  });

  it('order catalog and health reads by ?near, unknown places last', async () => {
    await update({ Node: 'n1', Coord: at(1) });
    await update({ Node: 'n2', Coord: at(3) });
    for (const Node of ['a-lost', 'n1', 'n2'])
      await server.register({ Node, Address: '10.0.0.1', Service: { ID: 'web', Service: 'web' } });
    const rows = async (path: string) => (await server.get<object[]>(path)).json;
    const names = async (path: string) =>
      (await rows(path)).map((row) => {
        const { Node } = row as { Node: string | { Node: string } };
        return typeof Node === 'string' ? Node : Node.Node;
      });
    expect(await names('/v1/health/service/web')).toEqual(['a-lost', 'n1', 'n2']);
    expect(await names('/v1/health/service/web?near=N2')).toEqual(['n2', 'n1', 'a-lost']);
    expect(await names('/v1/catalog/service/web?near=_agent')).toEqual(['n1', 'n2', 'a-lost']);
    expect(await names('/v1/catalog/service/web?near=nobody')).toEqual(['a-lost', 'n1', 'n2']);
    expect((await names('/v1/catalog/nodes?near=n2')).slice(0, 2)).toEqual(['n2', 'n1']);
    // The order follows the coordinates, though the service has not changed.
    await update({ Node: 'n1', Coord: at(0) });
    await update({ Node: 'n2', Coord: at(-0.5) });
    expect(await names('/v1/catalog/service/web?near=n2')).toEqual(['n2', 'n1', 'a-lost']);
    await update({ Node: own, Coord: at(-1) });
    expect((await names('/v1/catalog/service/web?near=_agent'))[0]).toBe('n2');
  });

  it('of an unknown node are not kept, and a node takes its own with it', async () => {
    await update({ Node: 'ghost', Coord: at(1) });
    await update({ Node: 'n1', Coord: at(1) });
    await server.call('PUT', '/v1/catalog/deregister', { body: { Node: 'n1' } });
    expect((await nodes()).map(({ Node }) => Node).filter((name) => name !== own)).toEqual([]);
  });

  it.each([
    ['too few dimensions', { ...at(0), Vec: [0] }, /Coord\.Vec has 1 dimensions; want 8/],
    ['a value out of reach', at(1e9), /Coord\.Vec\[0\] is 1000000000/],
    ['a negative height', { ...at(0), Height: -1 }, /Coord\.Height/],
  ])('with %s are refused', async (_what, Coord, text) => {
    const answer = await update({ Node: 'n1', Coord });
    expect(answer.status).toBe(500);
    expect(answer.text).toMatch(text);
  });

  it('with a number that is none are refused', async () => {
    const body = Buffer.from('{"Node":"n1","Coord":{"Vec":[1e999]}}');
    await expect(server.call('PUT', '/v1/coordinate/update', { body })).rejects.toThrow(/Vec\[0\]/);
  });
});
