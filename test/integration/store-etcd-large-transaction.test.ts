import { SystemClock } from '../../core/clock.ts';
import { silentLogger } from '../../core/log.ts';
import { SystemRandom } from '../../core/random.ts';
import { content, del, delRange, put, write } from '../../store/contract/shorthand.ts';
import { openEtcdStore } from '../../store/etcd/open-etcd-store.ts';
import type { Store } from '../../store/store.ts';
import { CURRENT_ETCD, describeEtcd, INSTALLED_ETCD } from '../support/etcd/binaries.ts';
import { EtcdCluster } from '../support/etcd/etcd-cluster.ts';
import { eventually } from '../support/eventually.ts';

const stores: Store[] = [];
const name = (kind: string, i: number) => `${kind}${String(i).padStart(3, '0')}`;

describe.each([INSTALLED_ETCD, CURRENT_ETCD])('$name', (binary) => {
  describeEtcd(binary, 'with more operations than it takes in one transaction', (file) => {
    let etcd: EtcdCluster;
    beforeAll(async () => {
      etcd = await EtcdCluster.start({ file });
    }, 120_000);
    afterEach(async () => {
      for (const store of stores.splice(0)) await store.close();
    });
    afterAll(() => etcd.stop());

    async function open(): Promise<Store> {
      const deps = { clock: new SystemClock(), log: silentLogger, random: new SystemRandom() };
      const store = await openEtcdStore({ endpoints: etcd.endpoints, prefix: 'large/', ...deps });
      stores.push(store);
      return store;
    }

    it('shows all of them to another server as one revision, in their order, and to one that starts later', async () => {
      const [first, second] = [await open(), await open()];
      for (let i = 0; i < 64; i++) await write(first, put(name('old', i), '1'), put(name('range', i), '1'));
      const before = first.revision();
      const ops = Array.from({ length: 127 }, (_, i) =>
        i % 2 === 0 ? del(name('old', i / 2)) : put(name('new', i), '2'),
      );
      const result = await first.commit({ compares: [], ops: [...ops, delRange('range', 'rangf')] });
      expect(result).toEqual({ ok: true, revision: before + 1 });
      const stop = new AbortController();
      const seen = { first: [] as string[], second: [] as string[] };
      for (const [who, store] of Object.entries({ first, second }) as ['first' | 'second', Store][]) {
        for await (const { revision, changes } of store.watch({ start: 'a', end: 'z' }, before, stop.signal)) {
          expect(revision).toBe(before + 1);
          seen[who].push(...changes.map((one) => (one.kind === 'put' ? `put ${one.entry.key}` : `delete ${one.key}`)));
          break;
        }
      }
      stop.abort();
      expect(seen.second).toHaveLength(127 + 64);
      expect(seen.second).toEqual(seen.first);
      const all = Array.from({ length: 63 }, (_, i) => `${name('new', 2 * i + 1)}=2`);
      await eventually(async () => second.revision() === before + 1, { withinMs: 20_000 });
      for (const store of [first, second, await open()]) expect(await content(store)).toEqual(all);
    }, 60_000);
  });
});
