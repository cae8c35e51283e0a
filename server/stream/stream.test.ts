import type { CheckStatus } from '../../api/shapes/catalog.ts';
import type { StreamEvent } from '../../api/shapes/stream.ts';
import { FakeClock } from '../../core/clock.ts';
import { jsonLines } from '../../test/support/ndjson.ts';
import { API, RunningServer } from '../../test/support/running-server.ts';
import { ChangeSet } from '../catalog/change-set.ts';
import { type InstanceEntry, NodeEntry } from '../catalog/entries.ts';
import { TouchLog } from './touch-log.ts';

let clock: FakeClock;
let server: RunningServer;
let controller: AbortController;
beforeEach(async () => {
  clock = new FakeClock();
  server = await RunningServer.start({ clock });
  controller = new AbortController();
});
afterEach(async () => {
  controller.abort();
  await server.stop();
});

const instance = (ID: string, Service = 'web', Namespace?: string) => ({
  Node: 'n1',
  Address: '10.0.0.1',
  SkipNodeUpdate: true,
  Service: { ID, Service, Namespace },
});
const check = (id: string, Status: CheckStatus, Output = '') => ({
  Node: 'n1',
  SkipNodeUpdate: true,
  Check: { CheckID: `c-${id}`, Name: 'c', Status, Output, ServiceID: id },
});

async function open(url: string): Promise<() => Promise<StreamEvent | undefined>> {
  const answer = await server.call('GET', url, { signal: controller.signal });
  expect(answer.headers).toMatchObject({ 'content-type': 'application/x-ndjson' });
  const lines = jsonLines<StreamEvent>(answer.stream!);
  return async () => (await lines.next()).value as StreamEvent | undefined;
}

/** The next lines, in short. */
async function take(next: () => Promise<StreamEvent | undefined>, count: number): Promise<string[]> {
  const seen: string[] = [];
  for (let n = 0; n < count; n++) {
    const event = await next();
    const what =
      event?.Type === 'upsert' ? event.Entry.Service.ID : event?.Type === 'delete' ? event.ServiceID : undefined;
    seen.push(what === undefined ? (event?.Type ?? 'end') : `${event?.Type} ${what}`);
  }
  return seen;
}

it('is a snapshot of the services asked for, then their changes and no others', async () => {
  await server.register(instance('a'));
  await server.register(instance('x', 'other'));
  const next = await open('/v1/stream/health?service=WEB&service=api');
  expect(await take(next, 3)).toEqual(['snapshot', 'upsert a', 'synced']);
  await server.register(instance('y', 'other'));
  await server.register(instance('b', 'api'));
  expect(await take(next, 1)).toEqual(['upsert b']);
  await server.register(check('a', 'critical'));
  expect(await next()).toMatchObject({
    Type: 'upsert',
    Entry: { Service: { ID: 'a' }, Checks: [{ Status: 'critical' }] },
  });
  // Moved to a service that nobody here has asked for.
  await server.register(instance('a', 'other'));
  expect(await next()).toMatchObject({ Type: 'delete', Namespace: 'default', Node: 'n1', ServiceID: 'a' });
});

it('shows what passes the filters, and says so when it does no longer', async () => {
  await server.register(instance('a'));
  await server.register(instance('b'));
  await server.register(check('b', 'critical', '1'));
  const next = await open('/v1/stream/health?service=web&passing');
  expect(await take(next, 3)).toEqual(['snapshot', 'upsert a', 'synced']);
  await server.register(check('b', 'critical', '2'));
  await server.register(check('a', 'warning'));
  expect(await take(next, 1)).toEqual(['delete a']);
  await server.register(check('b', 'passing'));
  expect(await take(next, 1)).toEqual(['upsert b']);
});

it('shows all services of a namespace, or of all, and no changes of checks in the catalog', async () => {
  await server.register(instance('a'));
  await server.register(instance('t', 'web', 'team'));
  const all = await open('/v1/stream/catalog?ns=*');
  expect((await take(all, 1)).concat((await idsOf(all, 3)).sort())).toEqual(['snapshot', 'a', 'consul', 't']);
  expect(await take(all, 1)).toEqual(['synced']);
  await server.register(check('a', 'critical'));
  await server.register(instance('u', 'new', 'team'));
  expect(await idsOf(all, 1)).toEqual(['u']);
});

it('shows all services for an asterisk', async () => {
  await server.register(instance('a'));
  const all = await open('/v1/stream/health?service=web&service=*');
  expect((await take(all, 4)).sort()).toEqual(['snapshot', 'synced', 'upsert a', 'upsert consul']);
});

async function idsOf(next: () => Promise<StreamEvent | undefined>, count: number): Promise<string[]> {
  const seen: string[] = [];
  for (let n = 0; n < count; n++)
    seen.push(((await next()) as unknown as { Entry: { ServiceID: string } }).Entry.ServiceID);
  return seen;
}

it('goes on from an index, with a heartbeat in silence, and ends with its signal', async () => {
  await server.register(instance('a'));
  await server.register(instance('b'));
  const first = await open('/v1/stream/health?service=web');
  await take(first, 3);
  expect(await take(first, 1)).toEqual(['synced']);
  const waiting = first();
  await clock.advance(10_000);
  const beat = (await waiting) as { Type: string; Index: number };
  expect(beat.Type).toBe('heartbeat');

  await server.register(instance('c'));
  await server.composed.serverCatalog.deregister({ Node: 'n1', ServiceID: 'a' }, API);
  const again = await open(`/v1/stream/health?service=web&index=${beat.Index}`);
  expect(await take(again, 1)).toEqual(['resume']);
  expect((await take(again, 2)).sort()).toEqual(['delete a', 'upsert c']);
  const { Index } = (await again()) as { Index: number };
  const last = await open(`/v1/stream/health?service=web&index=${Index}`);
  expect(await take(last, 2)).toEqual(['resume', 'synced']);
  // An index from nowhere gets everything.
  expect(await take(await open('/v1/stream/health?service=web&index=99999999'), 2)).toEqual(['snapshot', 'upsert b']);

  const end = last();
  controller.abort();
  expect(await end).toBeUndefined();
});

it('names what has gone as it was spelled last', async () => {
  await server.register(instance('Web1'));
  await server.register(instance('web1'));
  const next = await open('/v1/stream/health?service=web');
  expect(await take(next, 3)).toEqual(['snapshot', 'upsert web1', 'synced']);
  await server.composed.serverCatalog.deregister({ Node: 'n1', ServiceID: 'WEB1' }, API);
  expect(await take(next, 1)).toEqual(['delete web1']);
});

it('refuses what it cannot show before the headers', async () => {
  await expect(server.call('GET', '/v1/stream/health?filter=Nope+==+1')).rejects.toMatchObject({
    code: 'filterInvalid',
  });
  await expect(server.call('GET', '/v1/stream/health?index=x')).rejects.toThrow('Invalid index');
  await expect(server.call('GET', '/v1/stream/health?peer=p')).rejects.toThrow('peer');
  expect(await server.call('GET', '/v1/stream/health?dc=dc9')).toMatchObject({ status: 500 });
});

it('knows which indexes it can go on from', () => {
  const log = new TouchLog({ maxTouches: 2 });
  const touched = (...ids: string[]) => {
    const changes = new ChangeSet();
    for (const id of ids) {
      const place = { node: new NodeEntry('n1'), key: `default/${id}`, id };
      changes.instance(place, undefined, { serviceKey: 'web' } as InstanceEntry);
    }
    return changes;
  };
  const since = (index: number) => {
    const touches = log.since(index);
    return touches && [...touches].map(({ place, services }) => `${place.id} of ${services.join()}`);
  };
  log.add(touched('a'), 5);
  log.add(touched('b', 'c'), 6);
  expect(since(5)).toEqual(['c of web', 'b of web']);
  log.add(touched('d'), 7);
  // Of the transaction at 6 a part is forgotten.
  expect([since(7), since(6), since(5)]).toEqual([[], ['d of web'], undefined]);
  log.clear(9);
  expect([since(9), since(8)]).toEqual([[], undefined]);
});
