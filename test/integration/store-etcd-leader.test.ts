import * as grpc from '@grpc/grpc-js';
import { SystemClock } from '../../core/clock.ts';
import { parseEndpoints } from '../../store/etcd/endpoints.ts';
import { DEFAULT_TIMEOUTS, EtcdClient } from '../../store/etcd/etcd-client.ts';
import { CURRENT_ETCD, describeEtcd } from '../support/etcd/binaries.ts';
import { EtcdCluster } from '../support/etcd/etcd-cluster.ts';
import { eventually } from '../support/eventually.ts';

const WITHIN = { withinMs: 60_000 };
const NOTHING = { compares: [], success: [], failure: [] };

describeEtcd(CURRENT_ETCD, 'the members that a client uses', (file) => {
  let cluster: EtcdCluster;
  let client: EtcdClient;
  let ids: number[];

  beforeAll(async () => {
    cluster = await EtcdCluster.start({ file, members: 3 });
  }, 60_000);
  afterAll(() => cluster?.stop());

  beforeEach(async () => {
    if ((await cluster.leader()) !== 2) await cluster.moveLeader(2);
    const endpoints = parseEndpoints(cluster.endpoints, false);
    client = new EtcdClient({ grpc, clock: new SystemClock() }, { endpoints, timeouts: DEFAULT_TIMEOUTS });
    await eventually(async () => {
      // All of them know it.
      const all = await statuses();
      expect(all.map(({ leader }) => leader)).toEqual(all.map(() => all[2]!.header.memberId));
      ids = all.map(({ header }) => header.memberId);
    }, WITHIN);
    client.close();
    client = new EtcdClient({ grpc, clock: new SystemClock() }, { endpoints, timeouts: DEFAULT_TIMEOUTS });
  }, 60_000);
  afterEach(() => client.close());

  const statuses = () => Promise.all([0, 1, 2].map((at) => client.statusOf(at)));
  const writer = async () => ids.indexOf((await client.txn(NOTHING)).header.memberId);
  const reader = async () => ids.indexOf((await client.range({ key: Buffer.from('k') })).header.memberId);

  it('are the first endpoint while it is not known which one leads', async () => {
    expect([await writer(), await reader()]).toEqual([0, 0]);
  });

  it('are the one that leads once all were asked', async () => {
    await client.assertOneCluster();
    expect([await writer(), await reader()]).toEqual([2, 2]);
  });

  it('are the new leader for transactions once another one leads, and another after one was lost there', async () => {
    await client.assertOneCluster();
    await cluster.moveLeader(1);
    await eventually(async () => {
      await statuses();
      expect(await writer()).toBe(1);
    }, WITHIN);
    expect(await reader()).toBe(2);
    await cluster.kill(1);
    try {
      await expect(client.txn(NOTHING)).rejects.toMatchObject({ reason: 'unreachable' });
      await eventually(async () => expect(await writer()).toBe(2), WITHIN);
    } finally {
      await cluster.restart(1);
    }
  }, 120_000);

  it('are others than the leader once a watch has found it silent', async () => {
    await client.assertOneCluster();
    const watch = client.watch({ key: Buffer.from('k'), startRevision: 0 }, { response() {}, lost() {} });
    watch.giveUp();
    expect([await writer(), await reader()]).toEqual([0, 0]);
  });

  it('are not the leader for transactions while it is defragmented', async () => {
    await statuses();
    expect(await writer()).toBe(2);
    const defragmented = client.defragment(2, 60_000);
    expect(await writer()).toBe(0);
    await defragmented;
    await client.statusOf(2);
    expect(await writer()).toBe(2);
  });
});
