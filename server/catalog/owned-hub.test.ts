import type { Readable } from 'node:stream';
import type { OwnedEvent } from '../../api/shapes/owned.ts';
import { FakeClock } from '../../core/clock.ts';
import { putRaw } from '../../test/support/full-catalog.ts';
import { instanceRecord } from '../../test/support/instance-record.ts';
import { API, RunningServer } from '../../test/support/running-server.ts';
import { OwnedHub } from './owned-hub.ts';
import { CatalogState } from './state.ts';
import { Topics } from './topics.ts';

const operator = { owner: 'operator/k8s', epoch: 1, ref: 'default/web', hash: 'h' };
const web = (n: number) => ({
  Node: 'n1',
  Address: '10.0.0.1',
  SkipNodeUpdate: true,
  Service: { ID: `web-${n}`, Service: 'web', Address: `10.1.0.${n}`, Port: 80 },
});

/** Reads events one by one. */
function reader(events: AsyncIterable<OwnedEvent>) {
  const iterator = events[Symbol.asyncIterator]();
  return { next: async () => (await iterator.next()).value as OwnedEvent, end: () => iterator.return?.() };
}

describe('a stream of owned instances', () => {
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

  it('is a snapshot, then every change of an own instance and of its checks, and of nothing else', async () => {
    const { catalogClient, serverCatalog } = server.composed;
    await catalogClient.register(web(1), operator);
    await server.register({ Node: 'n1', Address: '10.0.0.1', Service: { Service: 'foreign' } });
    const { next } = reader(catalogClient.followOwned('operator/k8s', controller.signal));
    expect(await next()).toMatchObject({ Type: 'snapshot' });
    expect(await next()).toMatchObject({
      Type: 'upsert',
      Instance: {
        Node: 'n1',
        ServiceID: 'web-1',
        Namespace: 'default',
        Address: '10.1.0.1',
        Ref: 'default/web',
        Hash: 'h',
        Checks: [],
      },
    });
    expect(await next()).toMatchObject({ Type: 'synced' });

    await server.register({ Node: 'n1', SkipNodeUpdate: true, Service: { Service: 'foreign', Port: 7 } });
    await server.register({
      Node: 'n1',
      SkipNodeUpdate: true,
      Check: { Name: 'c', Status: 'passing', ServiceID: 'web-1' },
    });
    expect(await next()).toMatchObject({
      Type: 'upsert',
      Instance: { Checks: [{ CheckID: 'c', Status: 'passing', Owner: '' }] },
    });
    await serverCatalog.report('n1', { HeartbeatMs: 1000, Verdicts: [] });
    expect(await next()).toMatchObject({
      Type: 'upsert',
      Instance: { Checks: [{ CheckID: 'serfHealth', Status: 'passing' }, { CheckID: 'c' }] },
    });
    const upsert = (Hash: string) => ({ Type: 'upsert', Instance: { Hash } });
    await putRaw(server.store, [{ rest: 'check-definition/n1/default/c', value: Buffer.from('{}') }]);
    expect(await next()).toMatchObject(upsert(''));
    const Check = { Name: 'c', Status: 'passing' as const, ServiceID: 'web-1' };
    await catalogClient.register({ ...web(1), Check }, operator);
    expect(await next()).toMatchObject(upsert('h'));
    await serverCatalog.deregister({ Node: 'n1', ServiceID: 'web-1' }, API);
    expect(await next()).toMatchObject({
      Type: 'delete',
      Node: 'n1',
      ServiceID: 'web-1',
      Ref: 'default/web',
      Namespace: 'default',
    });
  });

  it('has a heartbeat every ten seconds of silence and ends with its signal', async () => {
    const { next } = reader(server.composed.catalogClient.followOwned('operator/k8s', controller.signal));
    await next();
    await next();
    const beat = next();
    await clock.advance(10_000);
    expect(await beat).toMatchObject({ Type: 'heartbeat' });
    const end = next();
    controller.abort();
    expect(await end).toBeUndefined();
  });

  it('is sent as lines by the route, which refuses a bad owner before the headers', async () => {
    await server.composed.catalogClient.register(web(1), operator);
    await expect(server.call('GET', '/v1/stream/owned')).rejects.toMatchObject({ code: 'badRequest' });
    await expect(server.call('GET', '/v1/stream/owned?owner=x')).rejects.toMatchObject({ code: 'badRequest' });
    const answer = await server.call('GET', '/v1/stream/owned?owner=operator/k8s', { signal: controller.signal });
    const types: string[] = [];
    for await (const chunk of answer.stream as Readable) {
      for (const line of String(chunk).trim().split('\n')) types.push((JSON.parse(line) as OwnedEvent).Type);
      if (types.includes('synced')) break;
    }
    expect(types).toEqual(['snapshot', 'upsert', 'synced']);
  });
});

describe('a follower that does not keep up', () => {
  it('is cut off, and nothing after the gap is seen', async () => {
    const clock = new FakeClock();
    const topics = new Topics({ clock }, { maxWatchers: 10, maxRemembered: 10 });
    const state = new CatalogState({ topics }, { datacenter: 'dc1' });
    const hub = new OwnedHub({ state, clock }, { maxQueued: 2, maxFollowers: 1, heartbeatMs: 1000 });
    await state.load({ revision: 1, async *slices() {}, release() {} });
    const slow = reader(hub.follow('operator/k8s', new AbortController().signal));
    await slow.next();
    expect(await slow.next()).toMatchObject({ Type: 'synced' });
    await expect(reader(hub.follow('operator/k8s', new AbortController().signal)).next()).rejects.toMatchObject({
      code: 'rateLimited',
    });
    for (let n = 0; n < 5; n++) {
      const key = `catalog/0/instance/n1/default/web-${n}`;
      const value = Buffer.from(JSON.stringify(instanceRecord(`web-${n}`, { node: 'n1', owner: 'operator/k8s' })));
      const entry = { key, value, createRevision: 2 + n, modRevision: 2 + n };
      state.apply({ revision: 2 + n, changes: [{ kind: 'put', entry }] });
    }
    await expect(slow.next()).rejects.toMatchObject({ code: 'queueFull' });
    // Its place is free again.
    expect(await reader(hub.follow('operator/k8s', new AbortController().signal)).next()).toMatchObject({
      Type: 'snapshot',
    });
  });
});
