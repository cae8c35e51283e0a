import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { HealthEntry } from '../../api/shapes/catalog.ts';
import { FakeClock } from '../../core/clock.ts';
import { AppError } from '../../core/errors.ts';
import { silentLogger } from '../../core/log.ts';
import { EVERYTHING } from '../../store/contract/shorthand.ts';
import { openMemoryStore } from '../../store/memory/memory-store.ts';
import type { Compare, Store } from '../../store/store.ts';
import { removeFolder, tempFolder } from '../../test/support/processes/temp-folder.ts';
import { RunningServer } from '../../test/support/running-server.ts';
import { sharedStore } from '../../test/support/shared-store.ts';
import { readArchive } from '../snapshot/archive.ts';
import { RecordFormat } from './record-format.ts';

const CHECK = { CheckID: 'c', Name: 'alive', Status: 'passing' } as const;
const instance = (n: number) => ({
  Node: 'n1',
  Address: '10.0.0.1',
  Service: { ID: `web-${n}`, Service: 'web' },
  Check: { ...CHECK, CheckID: `c${n}`, ServiceID: `web-${n}` },
});

async function archiveFormat(server: RunningServer): Promise<number> {
  const folder = tempFolder('format');
  const path = join(folder, 'archive');
  writeFileSync(path, await server.archive());
  const { Lictor } = await readArchive(path, () => {});
  removeFolder(folder);
  return Lictor.Format;
}

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
  let refusals: number;
  let store: Store;
  let server: RunningServer;

  async function start(): Promise<void> {
    server = await RunningServer.start({ store, clock, elected: false });
  }

  beforeEach(() => {
    clock = new FakeClock();
    format = 1;
    refusals = 0;
    store = sharedStore(openMemoryStore(), {
      known: () => format,
      read: async () => format,
      raise: async (to) => {
        if (refusals-- > 0) throw new AppError('unavailable', 'etcd does not answer');
        const lower = format < to;
        format = to;
        return lower;
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
    await clock.advance(20_000);
    expect(format).toBe(1);
    await clock.advance(20_000);
    expect(format).toBe(2);
    await server.register(instance(2));
    expect(await formOf(store, 2)).toEqual({ packed: true, own: false });
    // What was there before is read as it was, and goes on as it was.
    await server.register({ ...instance(1), Check: { ...instance(1).Check, Status: 'warning' as const } });
    expect((await formOf(store, 1)).own).toBe(true);
    const { json } = await server.get<{ Checks: { Status: string }[] }[]>('/v1/health/service/web');
    expect(json.map(({ Checks }) => Checks.map(({ Status }) => Status))).toEqual([['warning'], ['passing']]);
    // As when etcd is restored from a backup of before.
    format = 1;
    await clock.advance(60_000);
    expect(format).toBe(2);
  });

  it('is packed though the format could not be raised at first, or was raised by another server', async () => {
    refusals = 3;
    await start();
    await clock.advance(60_000);
    expect([refusals, format]).toEqual([-1, 2]);
    await server.stop();
    format = 1;
    await start();
    await server.register(instance(1));
    format = 2;
    await clock.advance(5_000);
    await server.register(instance(2));
    expect([(await formOf(store, 1)).packed, (await formOf(store, 2)).packed]).toEqual([false, true]);
  });

  it('is said by an archive as it is, also before this server knows that another has raised the format', async () => {
    await start();
    format = 2;
    const other = await RunningServer.start({ store, clock, elected: false });
    await other.register(instance(1));
    expect((await formOf(store, 1)).packed).toBe(true);
    expect(await archiveFormat(server)).toBe(2);
    await other.stop();
  });

  it('waits anew when another catalog is loaded, and each server is listed in that again', async () => {
    await start();
    await clock.advance(1_000);
    await server.call('PUT', '/v1/catalog/deregister', { body: { Node: 'server-1', ServiceID: 'consul' } });
    const archive = await server.archive();
    await clock.advance(24_000);
    await server.restore(archive);
    expect((await server.get<object[]>('/v1/catalog/service/consul')).json).toEqual([]);
    await clock.advance(20_000);
    expect(format).toBe(1);
    const { json } = await server.get<object[]>('/v1/catalog/service/consul');
    expect(json).toHaveLength(1);
    await clock.advance(20_000);
    expect(format).toBe(2);
  });

  it('keeps what an agent finds out at a key of its own where records are packed', async () => {
    format = 2;
    await start();
    const runs = { ...instance(1), Check: { ...instance(1).Check, Type: 'http', Definition: { HTTP: 'http://a/' } } };
    await server.register(runs);
    expect(await formOf(store, 1)).toEqual({ packed: true, own: true });
    const definition = async () => {
      const { entries } = await store.read(EVERYTHING);
      return entries.find(({ key }) => key.endsWith('/check-definition/n1/default/c1'))!.modRevision;
    };
    const before = await definition();
    await server.register({ ...runs, Check: { ...runs.Check, Status: 'critical' } });
    expect(await definition()).toBe(before);
  });

  it('waits anew when this server has not led for a while and did not look, and is raised while it leads only', async () => {
    await start();
    const fence: Compare = { kind: 'key', key: 'leader', modRevision: 7 };
    let own = 1;
    let leads = true;
    let compared: readonly Compare[] = [];
    let listed = ['2'];
    const servers = () => listed.map((known) => ({ Service: { Meta: { lictor_record_format: known } } }));
    const look = new RecordFormat({
      store: {
        format: {
          known: () => own,
          read: async () => own,
          raise: async (to, compares) => {
            [own, compared] = [to, compares];
            return true;
          },
        },
      },
      state: {
        packs: false,
        service: () => servers() as unknown as HealthEntry[],
        onReset: () => () => {},
        packFromNowOn: () => {},
      },
      leadership: { leads: () => leads, fence: () => [fence] },
      clock,
      log: silentLogger,
    });
    const stopping = new AbortController();
    const done = look.run({ signal: stopping.signal, ready: () => {} });
    await clock.advance(4_000);
    [leads, listed] = [false, ['1']];
    await clock.advance(60_000);
    [leads, listed] = [true, ['2']];
    await clock.advance(20_000);
    expect(own).toBe(1);
    await clock.advance(20_000);
    expect([own, compared]).toEqual([2, [fence]]);
    stopping.abort();
    await clock.advance(60_000);
    await done;
  });

  it('is packed from the start where the store says so, and each server says what it knows', async () => {
    format = 2;
    await start();
    await server.register(instance(1));
    expect(await formOf(store, 1)).toEqual({ packed: true, own: false });
    const { json } = await server.get<{ ServiceMeta: object }[]>('/v1/catalog/service/consul');
    expect(json.map(({ ServiceMeta }) => ServiceMeta)).toEqual([
      { lictor_record_format: '2', lictor_wan_port: '8302' },
    ]);
  });
});
