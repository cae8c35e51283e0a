import { SystemClock } from '../../core/clock.ts';
import type { AppError } from '../../core/errors.ts';
import { silentLogger } from '../../core/log.ts';
import { SystemRandom } from '../../core/random.ts';
import { content, put, write } from '../../store/contract/shorthand.ts';
import { entryHead, type Head } from '../../store/etcd/layout.ts';
import { openEtcdStore } from '../../store/etcd/open-etcd-store.ts';
import type { Store } from '../../store/store.ts';
import { CURRENT_ETCD, describeEtcd, INSTALLED_ETCD } from '../support/etcd/binaries.ts';
import { EtcdCluster } from '../support/etcd/etcd-cluster.ts';

const stores: Store[] = [];
const base64 = (bytes: string | Buffer): string => Buffer.from(bytes).toString('base64');

/** A store below a prefix of its own, and what others do to it in etcd. */
class Tenant {
  readonly #etcd: EtcdCluster;
  readonly prefix: string;

  constructor(etcd: EtcdCluster, name: string) {
    this.#etcd = etcd;
    this.prefix = `${name}/`;
  }

  async open(): Promise<Store> {
    const { endpoints } = this.#etcd;
    const deps = { clock: new SystemClock(), log: silentLogger, random: new SystemRandom() };
    const store = await openEtcdStore({ endpoints, prefix: this.prefix, ...deps });
    stores.push(store);
    return store;
  }

  /** With the keys a, b and c, which were put twice, and d, which is gone again; closed. */
  async filled(): Promise<this> {
    const store = await this.open();
    for (const value of ['1', '2']) {
      await Promise.all(['a', 'b', 'c', 'd'].map((key) => write(store, put(key, value))));
    }
    await write(store, { kind: 'delete', key: 'd' });
    await store.close();
    return this;
  }

  async refusal(): Promise<string> {
    const error = await this.open().then(
      () => undefined,
      (cause: AppError) => cause,
    );
    if (!error) throw new Error('it was opened');
    expect(error.code).toBe('storeCorrupt');
    return error.message;
  }

  async etcdKey(key: string): Promise<string> {
    const [head] = (await this.#etcd.keys(`${this.prefix}data/`)).filter((one) => one.endsWith('/head'));
    return `${head!.slice(0, -'head'.length)}e/${key}`;
  }

  async get(etcdKey: string): Promise<Buffer> {
    const body = { key: base64(etcdKey) };
    const { kvs } = await this.#etcd.call<{ kvs: { value: string }[] }>('kv/range', body);
    return Buffer.from(kvs[0]!.value, 'base64');
  }

  async put(etcdKey: string, value: string | Buffer): Promise<void> {
    await this.#etcd.call('kv/put', { key: base64(etcdKey), value: base64(value) });
  }

  async remove(etcdKey: string): Promise<void> {
    await this.#etcd.call('kv/deleterange', { key: base64(etcdKey) });
  }

  async removeAll(): Promise<void> {
    await this.#etcd.call('kv/deleterange', {
      key: base64(this.prefix),
      range_end: base64(`${this.prefix}\u{10FFFF}`),
    });
  }

  async head(): Promise<Head> {
    return JSON.parse((await this.get((await this.etcdKey('')).replace(/e\/$/, 'head'))).toString());
  }

  /** As another transaction of a server would leave it, with `changes`; without a sum as versions before it did. */
  async putHead(changes: Partial<Head> = {}): Promise<void> {
    await this.put(
      (await this.etcdKey('')).replace(/e\/$/, 'head'),
      JSON.stringify({ ...(await this.head()), ...changes }),
    );
  }
}

afterEach(async () => {
  await Promise.all(stores.splice(0).map((store) => store.close()));
});

describe.each([INSTALLED_ETCD, CURRENT_ETCD])('$name', (binary) => {
  describeEtcd(binary, 'in which something else writes while no server runs', (file) => {
    let etcd: EtcdCluster;
    let tenants = 0;
    const filled = (): Promise<Tenant> => new Tenant(etcd, `t${tenants++}`).filled();
    beforeAll(async () => {
      etcd = await EtcdCluster.start({ file });
    }, 120_000);
    afterAll(() => etcd.stop());

    it('a key more is named, and the store opens once it is removed', async () => {
      const tenant = await filled();
      const odd = await tenant.etcdKey('odd');
      await tenant.put(odd, Buffer.concat([entryHead(1, 1), Buffer.from('x')]));
      expect(await tenant.refusal()).toMatch(
        `below etcd's prefix ${tenant.prefix} something else than a server has added "${odd}"; the other 3 entries are whole. ` +
          'Keep others away from the prefix, then remove what was added (etcdctl del) and start the servers.',
      );
      await tenant.remove(odd);
      expect(await content(await tenant.open())).toEqual(['a=2', 'b=2', 'c=2']);
    }, 60_000);

    it('of many keys more the first are named', async () => {
      const tenant = await filled();
      for (let i = 0; i < 5; i++) await tenant.put(await tenant.etcdKey(`odd${i}`), entryHead(1, 1));
      expect(await tenant.refusal()).toMatch(/has added "\S+odd0", "\S+odd1", "\S+odd2", 2 more; the other 3 entries/);
    }, 60_000);

    it.each([
      ['with another value alone', 2],
      ['by what it was before', 1],
    ])(
      'a key that is put over is named, %s',
      async (_, version) => {
        const tenant = await filled();
        const key = await tenant.etcdKey('b');
        const present = await tenant.get(key);
        const head =
          version === 2 ? present.subarray(0, 12) : entryHead(present.readUIntBE(0, 6), present.readUIntBE(0, 6));
        await tenant.put(key, Buffer.concat([head, Buffer.from('x')]));
        const text = await tenant.refusal();
        expect(text).toContain(
          `"${key}" changed after the servers' last transaction. Keep others away from the prefix.`,
        );
        if (version === 1) expect(text).toMatch(/3 entries \(digest \S+\) are there, where the servers left 3 entries/);
      },
      60_000,
    );

    it('a key less shows by the sum', async () => {
      const tenant = await filled();
      await tenant.remove(await tenant.etcdKey('b'));
      expect(await tenant.refusal()).toMatch(
        /has written: 2 entries \(digest [0-9a-f]{16}\) are there, where the servers left 3 entries \(digest [0-9a-f]{16}\)\. /,
      );
    }, 60_000);

    it('changes that a newer head came after show by the sum', async () => {
      const tenant = await filled();
      await tenant.put(await tenant.etcdKey('odd'), entryHead(1, 1));
      await tenant.remove(await tenant.etcdKey('b'));
      await tenant.putHead();
      expect(await tenant.refusal()).toMatch(/has written: 3 entries .* are there, where the servers left 3 entries/);
    }, 60_000);

    it('what is there is taken where the operator asks for it by the id in the error, once', async () => {
      const tenant = await filled();
      await tenant.remove(await tenant.etcdKey('b'));
      await tenant.put(await tenant.etcdKey('c'), Buffer.concat([entryHead(1, 1), Buffer.from('theirs')]));
      const [, key, id] = /etcdctl put (\S+) (\S+), then start/.exec(await tenant.refusal())!;
      const { revision } = await tenant.head();
      await tenant.put(key!, 'another-id');
      await tenant.refusal();
      await tenant.put(key!, `${id}\n`);
      const [one, other] = await Promise.all([tenant.open(), tenant.open()]);
      expect(await content(one)).toEqual(['a=2', 'c=theirs']);
      expect(await content(other)).toEqual(['a=2', 'c=theirs']);
      expect(one.revision()).toBe(revision + 1);
      expect(await write(other, put('e', '1'))).toBe(revision + 2);
      await Promise.all([one.close(), other.close()]);
      expect(await content(await tenant.open())).toEqual(['a=2', 'c=theirs', 'e=1']);
      await tenant.remove(await tenant.etcdKey('e'));
      expect(await tenant.refusal()).toContain('2 entries');
    }, 60_000);

    it('a snapshot is restored below the emptied prefix', async () => {
      const tenant = await filled();
      const before = await tenant.open();
      const chunks: Uint8Array[] = [];
      for await (const chunk of before.snapshot(new AbortController().signal)) chunks.push(chunk);
      await before.close();
      await tenant.remove(await tenant.etcdKey('a'));
      expect(await tenant.refusal()).toContain(`etcdctl del --prefix ${tenant.prefix}, remove etcd-store.json from`);
      await tenant.removeAll();
      const store = await tenant.open();
      await store.restore(
        (async function* () {
          yield* chunks;
        })(),
      );
      await store.close();
      expect(await content(await tenant.open())).toEqual(['a=2', 'b=2', 'c=2']);
      await tenant.remove(await tenant.etcdKey('a'));
      expect(await tenant.refusal()).toContain('where the servers left 3 entries');
    }, 60_000);

    it('heads of earlier versions say nothing of the sum; the next commit does', async () => {
      const tenant = await filled();
      await tenant.putHead({ content: undefined });
      const running = await tenant.open();
      expect(await tenant.head()).not.toHaveProperty('content');
      await write(running, put('e', '1'));
      expect(await tenant.head()).toMatchObject({ content: { entries: 4 } });
      // An earlier version and this one write in turn.
      const { id, revision, base, previous } = await tenant.head();
      await running.close();
      await tenant.putHead({
        id: `${id}-old`,
        revision: revision + 1,
        base,
        previous,
        changes: [1],
        content: undefined,
      });
      const again = await tenant.open();
      await write(again, { kind: 'deleteRange', range: { start: 'b', end: 'd' } });
      await again.close();
      expect(await tenant.head()).toMatchObject({ content: { entries: 2 } });
      expect(await content(await tenant.open())).toEqual(['a=2', 'e=1']);
    }, 60_000);
  });
});
