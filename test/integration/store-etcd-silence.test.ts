import { readdirSync, readFileSync } from 'node:fs';
import * as grpc from '@grpc/grpc-js';
import { SystemClock } from '../../core/clock.ts';
import { silentLogger } from '../../core/log.ts';
import { Metrics } from '../../core/metrics.ts';
import { nextTurn } from '../../core/next-turn.ts';
import { SystemRandom } from '../../core/random.ts';
import { content, put, write } from '../../store/contract/shorthand.ts';
import { parseEndpoints } from '../../store/etcd/endpoints.ts';
import { DEFAULT_TIMEOUTS, EtcdClient } from '../../store/etcd/etcd-client.ts';
import { openEtcdStore } from '../../store/etcd/open-etcd-store.ts';
import { CURRENT_ETCD, describeEtcd } from '../support/etcd/binaries.ts';
import { EtcdCluster } from '../support/etcd/etcd-cluster.ts';
import { TcpProxy } from '../support/etcd/tcp-proxy.ts';
import { eventually } from '../support/eventually.ts';

const WITHIN = { withinMs: 60_000 };
const clock = new SystemClock();

/** Whether every thread has taken the signal (proc(5)). */
function isStopped(pid: number): boolean {
  const tasks = readdirSync(`/proc/${pid}/task`);
  return tasks.every((task) => /^State:\s+T/m.test(readFileSync(`/proc/${pid}/task/${task}/status`, 'utf8')));
}

describeEtcd(CURRENT_ETCD, 'an etcd that falls silent', (file) => {
  let cluster: EtcdCluster;
  beforeAll(async () => {
    cluster = await EtcdCluster.start({ file });
  }, 60_000);
  afterAll(() => cluster?.stop());

  it('is noticed without an error of any connection, and connected to anew: the old connection is never heard of again', async () => {
    const proxy = await TcpProxy.start(cluster.port());
    const metrics = new Metrics();
    const store = await openEtcdStore({
      ...{ endpoints: [`http://127.0.0.1:${proxy.port}`], prefix: 'lost/' },
      ...{ clock, metrics, log: silentLogger, random: new SystemRandom() },
    });
    try {
      await write(store, put('a', '1'));
      proxy.loseConnections();
      const onItsWay = write(store, put('b', '1')).catch((error: { code: string }) => error.code);
      await eventually(async () => expect(await metrics.text()).toMatch(/watch_restarts_total{reason="\w+"} /), WITHIN);
      // Not grpc-js, whose own look comes much later (lost).
      expect(await metrics.text()).toMatch(/watch_restarts_total{reason="silent"} /);
      expect(['outcomeUnknown', 'unavailable']).toContain(await onItsWay);
      proxy.heal();
      await eventually(() => write(store, put('c', '1')), WITHIN);
      expect(await content(store)).toEqual(expect.arrayContaining(['a=1', 'c=1']));
    } finally {
      await store.close();
      await proxy.stop();
    }
  }, 120_000);

  it('ends what waits for it, but not what it is silent for', async () => {
    const client = new EtcdClient(
      { grpc, clock },
      { endpoints: parseEndpoints(cluster.endpoints, false), timeouts: { ...DEFAULT_TIMEOUTS, writeMs: 600_000 } },
    );
    try {
      await client.range({ key: Buffer.from('k') });
      const watch = client.watch({ key: Buffer.from('k'), startRevision: 1 }, { response() {}, lost() {} });
      cluster.process().pause();
      await eventually(() => isStopped(cluster.process().pid), WITHIN);
      const defragmented = client.defragment(0, 600_000);
      const txn = client.txn({ compares: [], success: [], failure: [] });
      txn.catch(() => {}); // observed below
      // Until grpc-js has sent them.
      for (let i = 0; i < 20; i++) await nextTurn();
      watch.giveUp();
      await expect(txn).rejects.toMatchObject({
        reason: 'unreachable',
        sent: true,
        message: expect.stringMatching(/^Txn at etcd .*: it has fallen silent$/),
      });
      cluster.process().resume();
      await expect(defragmented).resolves.toBeDefined();
      expect((await client.range({ key: Buffer.from('k') })).kvs).toEqual([]);
    } finally {
      cluster.process().resume();
      client.close();
    }
  }, 120_000);
});
