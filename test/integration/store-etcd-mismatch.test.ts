import { cpSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { SystemClock } from '../../core/clock.ts';
import { silentLogger } from '../../core/log.ts';
import { SystemRandom } from '../../core/random.ts';
import { content, EVERYTHING, eventText, put, take, write } from '../../store/contract/shorthand.ts';
import type { EtcdStore } from '../../store/etcd/etcd-store.ts';
import { openEtcdStore } from '../../store/etcd/open-etcd-store.ts';
import type { Store } from '../../store/store.ts';
import { CURRENT_ETCD, describeEtcd, INSTALLED_ETCD } from '../support/etcd/binaries.ts';
import { EtcdCluster } from '../support/etcd/etcd-cluster.ts';
import { eventually } from '../support/eventually.ts';
import { removeFolder, tempFolder } from '../support/processes/temp-folder.ts';

const WITHIN = { withinMs: 60_000 };
const FILE = 'etcd-store.json';

const stores: Store[] = [];
const clusters: EtcdCluster[] = [];
const folders: string[] = [];
afterEach(async () => {
  await Promise.all(stores.splice(0).map((store) => store.close()));
  await Promise.all(clusters.splice(0).map((cluster) => cluster.stop()));
  for (const folder of folders.splice(0)) removeFolder(folder);
}, 60_000);

async function start(file: string): Promise<EtcdCluster> {
  const cluster = await EtcdCluster.start({ file });
  clusters.push(cluster);
  return cluster;
}

/** A server's data folder. */
function newFolder(): string {
  const folder = tempFolder('known-store');
  folders.push(folder);
  return folder;
}

async function open(endpoints: readonly string[], folder = newFolder()): Promise<EtcdStore> {
  const store = await openEtcdStore({
    endpoints,
    folder,
    clock: new SystemClock(),
    log: silentLogger,
    random: new SystemRandom(),
    timeouts: { commitMs: 60_000, probeMs: 500 },
  });
  stores.push(store);
  return store;
}

async function refusal(from: Promise<unknown>): Promise<{ code: string; message: string }> {
  const error = await from.then(
    () => undefined,
    (cause: Error & { code: string }) => cause,
  );
  if (!error) throw new Error('it was accepted');
  return { code: error.code, message: error.message };
}

const refused = (store: Store, text: RegExp): Promise<unknown> =>
  eventually(async () => {
    expect(await refusal(write(store, put('refused', '1')))).toMatchObject({
      code: 'storeMismatch',
      message: expect.stringMatching(text),
    });
  }, WITHIN);

/** Puts a copy of a member's data in the place of what it has now, while it is stopped; gives what was there. */
async function exchangeDisk(cluster: EtcdCluster, disk: string): Promise<string> {
  await cluster.kill();
  const now = newFolder();
  cpSync(cluster.dataFolder(), now, { recursive: true });
  rmSync(cluster.dataFolder(), { recursive: true });
  cpSync(disk, cluster.dataFolder(), { recursive: true });
  await cluster.restart();
  return now;
}

async function copyOfDisk(cluster: EtcdCluster): Promise<string> {
  const copy = newFolder();
  await cluster.kill();
  cpSync(cluster.dataFolder(), copy, { recursive: true });
  await cluster.restart();
  return copy;
}

describe.each([INSTALLED_ETCD, CURRENT_ETCD])('$name', (binary) => {
  describeEtcd(binary, 'that does not hold what a server has known', (file) => {
    it('because it is empty: refused with what to do, nothing is made anew, all goes on once its data is back', async () => {
      const cluster = await start(file);
      const store = await open(cluster.endpoints);
      await write(store, put('a', '1'));
      const following = take(store.watch(EVERYTHING, store.revision(), new AbortController().signal), 1);
      await cluster.kill();
      const disk = newFolder();
      cpSync(cluster.dataFolder(), disk, { recursive: true });
      await cluster.restart(0, { wiped: true });
      await refused(store, /holds no store: its key lictor\/root is gone; name the etcd of before \(-etcd-endpoints/);
      await expect(store.barrier()).rejects.toMatchObject({ code: 'storeMismatch' });
      expect(store.problem()).toMatch(/holds no store/);
      expect(await cluster.keys('')).toEqual([]);
      await exchangeDisk(cluster, disk);
      await eventually(() => write(store, put('b', '1')), WITHIN);
      expect((await following).map(eventText)).toEqual(['2: +b=1']);
      expect(store.problem()).toBeUndefined();
    }, 120_000);

    it('because an old disk was put back: refused, never written; goes on with the newer disk', async () => {
      const cluster = await start(file);
      const store = await open(cluster.endpoints);
      await write(store, put('old', '1'));
      const old = await copyOfDisk(cluster);
      await eventually(() => write(store, put('new', '1')), WITHIN);
      await write(store, put('new', '2'));
      const newest = store.revision();
      const newer = await exchangeDisk(cluster, old);
      await refused(store, new RegExp(`went back from revision ${newest} to 1.*restart one of them`));
      await expect(store.barrier()).rejects.toMatchObject({ code: 'storeMismatch' });
      expect(store.revision()).toBe(newest);
      expect(await cluster.keys('lictor/data/')).toEqual([
        expect.stringMatching(/e\/old$/),
        expect.stringMatching(/head$/),
      ]);
      await exchangeDisk(cluster, newer);
      await eventually(() => write(store, put('after', '1')), WITHIN);
      expect(store.revision()).toBe(newest + 1);
      expect(await content(store)).toEqual(['after=1', 'new=2', 'old=1']);
    }, 120_000);

    it('because an old disk was put back: after a restart of one, all go on from there, under higher revisions', async () => {
      const cluster = await start(file);
      const [one, two] = [newFolder(), newFolder()];
      const [first, second] = [await open(cluster.endpoints, one), await open(cluster.endpoints, two)];
      await write(first, put('old', '1'));
      const old = await copyOfDisk(cluster);
      for (let i = 0; i < 20; i++) await eventually(() => write(first, put('new', `${i}`)), WITHIN);
      const newest = first.revision();
      await eventually(() => second.revision() === newest, WITHIN);
      const stale = refusal(take(second.watch(EVERYTHING, newest, new AbortController().signal), 1));
      await exchangeDisk(cluster, old);
      await Promise.all([refused(first, /went back/), refused(second, /went back/)]);
      await first.close();
      const again = await open(cluster.endpoints, one);
      expect(again.revision()).toBeGreaterThan(newest);
      const revision = await write(again, put('later', '1'));
      await eventually(() => second.revision() === revision, WITHIN);
      // Who followed is told to read anew.
      expect((await stale).code).toBe('compacted');
      for (const store of [again, second]) expect(await content(store)).toEqual(['later=1', 'old=1']);
      expect(await write(second, put('last', '1'))).toBe(revision + 1);
    }, 120_000);

    it('at its start: refused with what to do and nothing written, until its file is removed', async () => {
      const [mine, theirs, empty] = [await start(file), await start(file), await start(file)];
      const folder = newFolder();
      const store = await open(mine.endpoints, folder);
      await write(store, put('a', '1'));
      await store.close();
      expect(JSON.parse(readFileSync(join(folder, FILE), 'utf8'))).toMatchObject({ revision: 1 });
      await write(await open(theirs.endpoints), put('b', '1'));
      const [before, after] = [await theirs.keys(''), await empty.keys('')];
      const other = await refusal(open(theirs.endpoints, folder));
      expect(other.code).toBe('storeMismatch');
      expect(other.message).toMatch(
        /holds the store [-0-9a-f]{36}, not [-0-9a-f]{36}; name the etcd of before \(-etcd-endpoints/,
      );
      const none = await refusal(open(empty.endpoints, folder));
      expect(none.code).toBe('storeMismatch');
      expect(none.message).toMatch(/holds no store.*remove etcd-store\.json from their data folders/);
      expect([await theirs.keys(''), await empty.keys('')]).toEqual([before, after]);
      expect(await content(await open(mine.endpoints, folder))).toEqual(['a=1']);
      const last = stores.pop()!;
      await last.close();
      rmSync(join(folder, FILE));
      expect(await content(await open(empty.endpoints, folder))).toEqual([]);
    }, 120_000);

    it('of which some endpoints are members of another cluster: refused naming two, nothing written', async () => {
      const [mine, theirs] = [await start(file), await start(file)];
      for (const endpoints of [
        [...mine.endpoints, ...theirs.endpoints],
        [...theirs.endpoints, ...mine.endpoints],
      ]) {
        const { code, message } = await refusal(open(endpoints));
        expect(code).toBe('config');
        expect(message).toMatch(
          /-etcd-endpoints\): etcd 127\.0\.0\.1:\d+ and etcd 127\.0\.0\.1:\d+ are of different clusters/,
        );
      }
      expect([await mine.keys(''), await theirs.keys('')]).toEqual([[], []]);
    }, 120_000);

    it('yet, and of which several make one at once: one store, in which all write', async () => {
      const cluster = await start(file);
      const opened = await Promise.all(Array.from({ length: 4 }, () => open(cluster.endpoints)));
      const revisions = await Promise.all(opened.map((store, i) => write(store, put(`k${i}`, '1'))));
      expect(revisions.sort()).toEqual([1, 2, 3, 4]);
      for (const store of opened) {
        await eventually(() => store.revision() === 4, WITHIN);
        expect(await content(store)).toHaveLength(4);
      }
      const heads = (await cluster.keys('lictor/data/')).filter((key) => key.endsWith('/head'));
      expect(heads).toHaveLength(1);
    }, 120_000);
  });
});
