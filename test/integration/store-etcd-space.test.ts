import { Writable } from 'node:stream';
import { SystemClock } from '../../core/clock.ts';
import { createLogger } from '../../core/log.ts';
import { Metrics } from '../../core/metrics.ts';
import { SystemRandom } from '../../core/random.ts';
import { EVERYTHING, put, write } from '../../store/contract/shorthand.ts';
import { openEtcdStore } from '../../store/etcd/open-etcd-store.ts';
import type { Store } from '../../store/store.ts';
import { CURRENT_ETCD, describeEtcd, INSTALLED_ETCD } from '../support/etcd/binaries.ts';
import { EtcdCluster, type EtcdClusterOptions } from '../support/etcd/etcd-cluster.ts';
import { eventually } from '../support/eventually.ts';

const WITHIN = { withinMs: 60_000 };
const MIB = 1024 * 1024;
const VALUE = Buffer.alloc(100_000, 'v');
const DEFRAGMENTED = 'a member of etcd was defragmented';

const stores: Store[] = [];
const clusters: EtcdCluster[] = [];
afterEach(async () => {
  await Promise.all(stores.splice(0).map((store) => store.close()));
  await Promise.all(clusters.splice(0).map((cluster) => cluster.stop()));
}, 60_000);

async function start(options: EtcdClusterOptions & { quota: number }): Promise<EtcdCluster> {
  const cluster = await EtcdCluster.start({ args: ['--quota-backend-bytes', String(options.quota)], ...options });
  clusters.push(cluster);
  return cluster;
}

interface Opened {
  readonly store: Store;
  readonly metrics: Metrics;
  readonly lines: { msg: string; member?: string }[];
}

async function open(cluster: EtcdCluster, upkeepMs: number): Promise<Opened> {
  const lines: Opened['lines'] = [];
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      for (const line of chunk.toString().trim().split('\n')) lines.push(JSON.parse(line) as { msg: string });
      done();
    },
  });
  const metrics = new Metrics();
  const store = await openEtcdStore({
    endpoints: cluster.endpoints,
    clock: new SystemClock(),
    log: createLogger({ level: 'info', sink }),
    random: new SystemRandom(),
    metrics,
    timeouts: { commitMs: 60_000, upkeepMs },
  });
  stores.push(store);
  return { store, metrics, lines };
}

/**
 * Writes history until something is so, and next to nothing while a file has 85 % of its quota: that is when its keeper has to
 * act. Slowly, as etcd tells its size with each commit, 100 ms apart.
 */
async function writeUntil({ store, cluster, quota }: Filled, done: () => boolean): Promise<void> {
  while (!done()) {
    const full = Math.max(...(await sizes(cluster))) > quota * 0.85;
    for (let i = 0; i < 5; i++) await write(store, put('big', full ? 'x' : VALUE));
    await new Promise((resolve) => setTimeout(resolve, 150));
  }
}

interface Filled {
  readonly store: Store;
  readonly cluster: EtcdCluster;
  readonly quota: number;
}

/** Sizes of the files of those members that run. */
async function sizes(cluster: EtcdCluster): Promise<number[]> {
  const running = cluster.endpoints.map((_, i) => i).filter((i) => cluster.process(i).running);
  const status = (i: number) => cluster.call<{ dbSize: string }>('maintenance/status', {}, i);
  return (await Promise.all(running.map(status))).map(({ dbSize }) => Number(dbSize));
}

describe.each([INSTALLED_ETCD, CURRENT_ETCD])('$name', (binary) => {
  describeEtcd(binary, 'whose quota is used up', (file) => {
    it('by history: refuses writes with a clear error, reads go on, and it recovers by itself', async () => {
      const cluster = await start({ file, quota: 2 * MIB });
      // Nobody looks meanwhile but for the refused write.
      const { store, metrics, lines } = await open(cluster, 3_600_000);
      const fill = async (): Promise<void> => {
        for (let i = 0; i < 1000; i++) await write(store, put('big', VALUE));
      };
      await expect(fill()).rejects.toMatchObject({
        code: 'storeReadOnly',
        message: expect.stringMatching(/database space exceeded.*--quota-backend-bytes.*by themselves/),
      });
      const revision = store.revision();
      expect((await store.read(EVERYTHING)).entries[0]!.modRevision).toBe(revision);
      expect(await eventually(() => write(store, put('small', '1')), WITHIN)).toBe(revision + 1);
      expect((await sizes(cluster))[0]).toBeLessThan(MIB);
      expect(lines.filter(({ msg }) => msg === DEFRAGMENTED)).toHaveLength(1);
      const text = await metrics.text();
      expect(text).toMatch(/^lictor_store_etcd_no_space_alarm 0$/m);
      expect(text).toMatch(/^lictor_store_etcd_defragmentations_total 1$/m);
      expect(text).toMatch(
        new RegExp(`^lictor_store_etcd_db_bytes\\{member="127.0.0.1:${cluster.port()}"\\} \\d+$`, 'm'),
      );
    }, 120_000);

    it('by what is in use: stays read-only, and goes on by itself once the quota is raised', async () => {
      const cluster = await start({ file, quota: 2 * MIB });
      const { store } = await open(cluster, 500);
      let kept = 0;
      const fill = async (): Promise<void> => {
        for (; kept < 1000; kept++) await write(store, put(`big/${kept}`, VALUE));
      };
      // What was refused may be tried again while the keeper finds that nothing can be freed.
      for (let i = 0; i < 3; i++) await expect(fill()).rejects.toMatchObject({ code: 'storeReadOnly' });
      expect((await store.read(EVERYTHING)).entries.length).toBeGreaterThanOrEqual(kept);
      expect(kept).toBeLessThan(1000);
      await cluster.kill();
      await cluster.restart(0, { args: ['--quota-backend-bytes', String(64 * MIB)] });
      const wrote = (): Promise<number> => write(store, put('small', '1'));
      expect(await eventually(wrote, WITHIN)).toBe(store.revision());
    }, 120_000);
  });
});

describeEtcd(CURRENT_ETCD, 'three members of etcd', (file) => {
  it('are kept below their quota before it bites: early compaction, never the leader first', async () => {
    const quota = 8 * MIB;
    const cluster = await start({ file, quota, members: 3 });
    const { store, lines } = await open(cluster, 300);
    const leader = `127.0.0.1:${cluster.port(await cluster.leader())}`;
    const count = (): number => lines.filter(({ msg }) => msg === DEFRAGMENTED).length;
    // Several times the quota in history, and none of the writes is refused.
    await writeUntil({ store, cluster, quota }, () => count() >= 6);
    const order = lines.filter(({ msg }) => msg === DEFRAGMENTED).map(({ member }) => member);
    expect(order[0]).not.toBe(leader);
    expect(new Set(order).size).toBe(3);
    expect((await store.read(EVERYTHING)).entries.map(({ key }) => key)).toEqual(['big']);
  }, 180_000);

  it('are left alone while one of them is away', async () => {
    const quota = 8 * MIB;
    const cluster = await start({ file, quota, members: 3 });
    const { store, lines } = await open(cluster, 300);
    const away = ((await cluster.leader()) + 1) % 3;
    await cluster.kill(away);
    await writeUntil({ store, cluster, quota }, () => lines.some(({ msg }) => /not all members are well/.test(msg)));
    expect(lines.filter(({ msg }) => msg === DEFRAGMENTED)).toEqual([]);
    await cluster.restart(away);
    await writeUntil({ store, cluster, quota }, () => lines.some(({ msg }) => msg === DEFRAGMENTED));
  }, 180_000);
});
