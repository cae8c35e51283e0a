import * as grpc from '@grpc/grpc-js';
import { SystemClock } from '../../core/clock.ts';
import { silentLogger } from '../../core/log.ts';
import { SystemRandom } from '../../core/random.ts';
import { chunked, collect, content, put, write } from '../../store/contract/shorthand.ts';
import { parseEndpoints } from '../../store/etcd/endpoints.ts';
import { DEFAULT_TIMEOUTS, EtcdClient } from '../../store/etcd/etcd-client.ts';
import type { EtcdStore } from '../../store/etcd/etcd-store.ts';
import { Layout } from '../../store/etcd/layout.ts';
import { Loader } from '../../store/etcd/loader.ts';
import { openEtcdStore } from '../../store/etcd/open-etcd-store.ts';
import { SharedFormat } from '../../store/etcd/shared-format.ts';
import type { Compare } from '../../store/store.ts';
import { CURRENT_ETCD, describeEtcd } from '../support/etcd/binaries.ts';
import { EtcdCluster } from '../support/etcd/etcd-cluster.ts';

describeEtcd(CURRENT_ETCD, 'the format of a store', (file) => {
  let etcd: EtcdCluster;
  let client: EtcdClient;
  const stores: EtcdStore[] = [];
  const clock = new SystemClock();

  beforeAll(async () => {
    etcd = await EtcdCluster.start({ file });
    const endpoints = parseEndpoints(etcd.endpoints, false);
    client = new EtcdClient({ grpc, clock }, { endpoints, timeouts: DEFAULT_TIMEOUTS });
  }, 120_000);
  afterEach(async () => {
    await Promise.all(stores.splice(0).map((store) => store.close()));
  });
  afterAll(async () => {
    client.close();
    await etcd.stop();
  });

  async function open(prefix: string): Promise<EtcdStore> {
    const options = { endpoints: etcd.endpoints, prefix, clock, log: silentLogger, random: new SystemRandom() };
    const store = await openEtcdStore(options);
    stores.push(store);
    return store;
  }

  async function root(prefix: string): Promise<Record<string, unknown>> {
    const { kvs } = await client.range({ key: Buffer.from(`${prefix}root`) });
    return JSON.parse(kvs[0]!.value.toString()) as Record<string, unknown>;
  }

  /** As a version of another format has left it. */
  async function setFormat(prefix: string, format: number): Promise<void> {
    const value = [Buffer.from(JSON.stringify({ ...(await root(prefix)), format }))];
    await client.txn({
      compares: [],
      success: [{ kind: 'put', key: Buffer.from(`${prefix}root`), value }],
      failure: [],
    });
  }

  /** Writes it as it is, as one does who raises the format: only in the place of the one that was read. */
  async function touchRoot(prefix: string): Promise<void> {
    const key = Buffer.from(`${prefix}root`);
    const { kvs } = await client.range({ key });
    const { modRevision, value } = kvs[0]!;
    await client.txn({
      compares: [{ key, modRevision }],
      success: [{ kind: 'put', key, value: [value] }],
      failure: [],
    });
  }

  it('is the newest of a new store, and that of its root for a store that is there', async () => {
    const made = await open('a/');
    expect([made.format.known(), (await root('a/')).format]).toEqual([2, 2]);
    await setFormat('a/', 1);
    const older = await open('a/');
    expect(older.format.known()).toBe(1);
    await setFormat('a/', 3);
    await expect(open('a/')).rejects.toMatchObject({ code: 'storeVersion', message: /format 3.*newer version/ });
  });

  it('is raised by several at once, and nothing else changes', async () => {
    await write(await open('b/'), put('k', '1'));
    await setFormat('b/', 1);
    const before = await root('b/');
    const all = await Promise.all([1, 2, 3].map(() => open('b/')));
    await Promise.all(all.map(({ format }) => format.raise(2, [])));
    expect(all.map(({ format }) => format.known())).toEqual([2, 2, 2]);
    expect(await root('b/')).toEqual({ ...before, format: 2 });
    await write(all[0]!, put('k', '2'));
    expect(await content(all[0]!)).toEqual(['k=2']);
  });

  it('is never lowered', async () => {
    const store = await open('c/');
    await store.format.raise(1, []);
    expect([store.format.known(), (await root('c/')).format]).toEqual([2, 2]);
    await expect(store.format.raise(9, [])).rejects.toMatchObject({ code: 'internal' });
  });

  it('is read from the root, and whoever raises it is told whether it was lower', async () => {
    await open('d/');
    await setFormat('d/', 1);
    const [one, two] = [await open('d/'), await open('d/')];
    expect(await one.format.raise(2, [])).toBe(true);
    expect([two.format.known(), await two.format.read(), two.format.known()]).toEqual([1, 2, 2]);
    expect(await two.format.raise(2, [])).toBe(false);
  });

  it('is raised only while what is compared holds, also at the moment in which it is', async () => {
    const store = await open('f/');
    const leader = async (): Promise<Compare> => {
      const { entries } = await store.read({ start: 'leader', end: 'leader0' });
      return { kind: 'key', key: 'leader', modRevision: entries[0]!.modRevision };
    };
    await write(store, put('leader', 'one'));
    const one = await leader();
    await write(store, put('leader', 'two'));
    await setFormat('f/', 1);
    const overtaken = { code: 'conflict', message: 'the format was not raised: leader has changed' };
    await expect(store.format.raise(2, [one])).rejects.toMatchObject(overtaken);
    await expect(store.format.raise(2, [{ ...one, modRevision: 0 } as Compare])).rejects.toMatchObject(overtaken);

    const layout = new Layout('f/');
    const loader = new Loader(client, layout);
    const electing: Pick<EtcdClient, 'txn'> = {
      txn: async (request) => {
        await write(store, put('leader', 'three'));
        return client.txn(request);
      },
    };
    const late = new SharedFormat({ client: electing, loader, layout }, 1);
    await expect(late.raise(2, [await leader()])).rejects.toMatchObject(overtaken);
    expect((await root('f/')).format).toBe(1);

    // Its entries have the revision that the restore has given them all.
    await store.restore(store.snapshot(new AbortController().signal));
    expect(await store.format.raise(2, [await leader(), { kind: 'key', key: 'absent', modRevision: 0 }])).toBe(true);
    expect((await root('f/')).format).toBe(2);
  });

  it('may be raised while another one restores', async () => {
    const store = await open('e/');
    await write(store, put('k', '1'));
    const saved = await collect(store.snapshot(new AbortController().signal));
    await write(store, put('k', '2'));
    let raising = true;
    let raises = 0;
    const raised = (async () => {
      for (; raising; raises++) await touchRoot('e/');
    })();
    // Some of them meet it between the read of the root and the switch.
    for (let nth = 0; nth < 20; nth++) await store.restore(chunked(saved, 1000));
    raising = false;
    await raised;
    expect(raises).toBeGreaterThan(5);
    expect(await content(store)).toEqual(['k=1']);
    expect((await root('e/')).format).toBe(2);
  });
});
