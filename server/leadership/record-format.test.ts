import { FakeClock } from '../../core/clock.ts';
import { EVERYTHING } from '../../store/contract/shorthand.ts';
import { openMemoryStore } from '../../store/memory/memory-store.ts';
import type { Store } from '../../store/store.ts';
import { RunningServer } from '../../test/support/running-server.ts';
import { sharedStore } from '../../test/support/shared-store.ts';

const CHECK = { CheckID: 'c', Name: 'alive', Status: 'passing' } as const;
const instance = (n: number) => ({
  Node: 'n1',
  Address: '10.0.0.1',
  Service: { ID: `web-${n}`, Service: 'web' },
  Check: { ...CHECK, CheckID: `c${n}`, ServiceID: `web-${n}` },
});

/** Of the check of an instance: whether its record is packed, and whether its state lies at a key of its own. */
async function formOf(store: Store, n: number): Promise<{ packed: boolean; own: boolean }> {
  const { entries } = await store.read(EVERYTHING);
  const definition = entries.find(({ key }) => key.endsWith(`/check-definition/n1/default/c${n}`))!;
  const own = entries.some(({ key }) => key.endsWith(`/check-state/n1/default/c${n}`));
  return { packed: Buffer.from(definition.value).toString().startsWith('['), own };
}

describe('the form of records in a store that servers share', () => {
  let clock: FakeClock;
  let format: number;
  let store: Store;
  let server: RunningServer;

  async function start(): Promise<void> {
    server = await RunningServer.start({ store, clock, elected: false });
  }

  beforeEach(() => {
    clock = new FakeClock();
    format = 1;
    store = sharedStore(openMemoryStore(), {
      known: () => format,
      raise: async (to) => {
        format = to;
      },
    });
  });
  afterEach(() => server.stop());

  it('is plain while a server is listed that does not say that it knows another, and packed afterwards', async () => {
    // As a server of an earlier version is listed.
    const first = await RunningServer.start({ store: sharedStore(store), clock, elected: false });
    await first.register({ Node: 'old', Address: '10.0.0.9', Service: { Service: 'consul', Port: 8300 } });
    await first.stop();
    await start();
    await clock.advance(10_000);
    await server.register(instance(1));
    expect([format, await formOf(store, 1)]).toEqual([1, { packed: false, own: true }]);

    await server.call('PUT', '/v1/catalog/deregister', { body: { Node: 'old' } });
    await clock.advance(10_000);
    expect(format).toBe(2);
    await server.register(instance(2));
    expect(await formOf(store, 2)).toEqual({ packed: true, own: false });
    // What was there before is read as it was, and goes on as it was.
    await server.register({ ...instance(1), Check: { ...instance(1).Check, Status: 'warning' as const } });
    expect((await formOf(store, 1)).own).toBe(true);
    const { json } = await server.get<{ Checks: { Status: string }[] }[]>('/v1/health/service/web');
    expect(json.map(({ Checks }) => Checks.map(({ Status }) => Status))).toEqual([['warning'], ['passing']]);
  });

  it('is packed from the start where the store says so, and each server says what it knows', async () => {
    format = 2;
    await start();
    await server.register(instance(1));
    expect(await formOf(store, 1)).toEqual({ packed: true, own: false });
    const { json } = await server.get<{ ServiceMeta: object }[]>('/v1/catalog/service/consul');
    expect(json.map(({ ServiceMeta }) => ServiceMeta)).toEqual([{ lictor_record_format: '2' }]);
  });
});
