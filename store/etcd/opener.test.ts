import { FakeClock } from '../../core/clock.ts';
import { silentLogger } from '../../core/log.ts';
import { SeededRandom } from '../../core/random.ts';
import { FakeEtcd } from '../../test/support/etcd/fake-etcd.ts';
import { REVISION_MARGIN } from './known-store.ts';
import { decodeHead, encodeHead, encodeRoot, type Head, Layout } from './layout.ts';
import { Loader } from './loader.ts';
import type { RangeRequest, TxnRequest } from './messages.ts';
import { loadKnown } from './opener.ts';

const KNOWN = { storeId: 's', revision: 100 };
const layout = new Layout('t/');
const generation = layout.generation('g');

/**
 * An etcd that was brought back to revision 80; `before` is called ahead of each transaction of the server that starts. Each read
 * takes `readMs`.
 */
function bench(
  before: (bench: { write: (revision?: number) => void; clock: FakeClock }) => Promise<void> | void,
  readMs = 0,
) {
  const etcd = new FakeEtcd();
  const clock = new FakeClock();
  const put = (head: Head): void => {
    etcd.txn({
      compares: [],
      success: [{ kind: 'put', key: generation.head, value: [encodeHead(head)] }],
      failure: [],
    });
  };
  const root = encodeRoot({ format: 1, storeId: 's', generation: 'g' });
  etcd.txn({ compares: [], success: [{ kind: 'put', key: layout.root, value: [root] }], failure: [] });
  put({ id: 'old', revision: 80, base: 0, previous: 0, changes: [] });
  /** What another server does, which has found the older state before. */
  const write = (revision?: number): void => {
    const { value, modRevision: previous } = etcd.get(generation.head)!;
    const head = decodeHead(generation.head, value);
    put({ ...head, id: `theirs-${previous}`, revision: revision ?? head.revision + 1, previous, changes: [] });
  };
  const client = {
    range: async (request: RangeRequest) => {
      await clock.advance(readMs);
      return etcd.range(request);
    },
    txn: async (request: TxnRequest) => {
      await before({ write, clock });
      return etcd.txn(request);
    },
  };
  const raises: unknown[] = [];
  const log = { ...silentLogger, error: (_: string, facts?: unknown) => raises.push(facts) };
  const loader = new Loader(client, layout);
  const opened = loadKnown({ client, loader, layout, clock, random: new SeededRandom(1), log }, KNOWN);
  return { opened, raises };
}

describe('a store in etcd that is older than what its server knows', () => {
  it('is lifted above that, also when other servers write to it meanwhile', async () => {
    let writes = 0;
    const { opened, raises } = bench(({ write }) => {
      if (writes++ < 3) write();
    });
    const { content } = await opened;
    expect(content.head.revision).toBe(KNOWN.revision + REVISION_MARGIN);
    expect(raises).toEqual([{ known: 100, found: 83, next: content.head.revision }]);
  });

  it('is lifted above that however long it takes to be loaded', async () => {
    const { opened, raises } = bench(() => {}, 6000);
    expect((await opened).content.head.revision).toBe(KNOWN.revision + REVISION_MARGIN);
    expect(raises).toHaveLength(1);
  });

  it('is taken as it is once another server has lifted it', async () => {
    const { opened, raises } = bench(({ write }) => write(5000));
    expect((await opened).content.head.revision).toBe(5000);
    expect(raises).toEqual([]);
  });

  it('is refused when others are ahead of each attempt for ten seconds', async () => {
    const { opened, raises } = bench(async ({ write, clock }) => {
      write();
      await clock.advance(1000);
    });
    await expect(opened).rejects.toMatchObject({
      code: 'storeMismatch',
      message: expect.stringMatching(/from revision 100 to 9\d/),
    });
    expect(raises).toEqual([]);
  });
});
