import { openMemoryStore } from '../../store/memory/memory-store.ts';
import type { Compare, Op, Store } from '../../store/store.ts';
import { GENERATION_KEY, LEADER_KEY } from '../catalog/keys.ts';
import type { CatalogState } from '../catalog/state.ts';
import { Footing } from './footing.ts';

const put = (key: string): Op => ({ kind: 'put', key, value: Buffer.from('"1"') });
const write = async (store: Store, key: string) => (await store.commit({ compares: [], ops: [put(key)] })).revision;

describe('the footing of a restore', () => {
  async function setUp() {
    const store = openMemoryStore();
    const fence = async (): Promise<Compare> => {
      return { kind: 'key', key: LEADER_KEY, modRevision: await write(store, LEADER_KEY) };
    };
    let led = await fence();
    const state = { generation: '0', generationRevision: 0 } as CatalogState;
    const footing = Footing.take({ store, state, leadership: { fence: () => [led] } });
    const electedAgain = async () => {
      led = await fence();
    };
    const has = async (key: string) => (await store.read({ start: key, end: `${key}\u0001` })).entries.length === 1;
    return { store, footing, electedAgain, has };
  }

  it('holds while other things are written', async () => {
    const { store, footing, has } = await setUp();
    await write(store, 'catalog/0/kv/default/a');
    await footing.commit([put('mine')]);
    expect(await has('mine')).toBe(true);
  });

  it('is lost with the leadership, also when the same server is elected again', async () => {
    const { footing, electedAgain, has } = await setUp();
    await electedAgain();
    await expect(footing.commit([put('mine')])).rejects.toMatchObject({
      code: 'noLeader',
      message: expect.stringContaining('nothing is lost'),
    });
    expect(await has('mine')).toBe(false);
  });

  it('is lost when another restore comes first, and goes with its own one', async () => {
    const { store, footing, has } = await setUp();
    const revision = await footing.commit([put(GENERATION_KEY)]);
    await expect(footing.commit([put('mine')])).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringContaining('another restore came first'),
    });
    expect(await has('mine')).toBe(false);
    const moved = footing.moved('1', revision);
    await moved.commit([put('mine')]);
    expect([moved.generation, await has('mine')]).toEqual(['1', true]);
    await write(store, GENERATION_KEY);
    await expect(moved.commit([put('mine')])).rejects.toMatchObject({ code: 'conflict' });
  });
});
