import { FakeClock } from '../../core/clock.ts';
import { silentLogger } from '../../core/log.ts';
import { nextTurn } from '../../core/next-turn.ts';
import { SeededRandom } from '../../core/random.ts';
import { FakeEtcd } from '../../test/support/etcd/fake-etcd.ts';
import { DEFAULT_HISTORY } from '../change-history.ts';
import { put } from '../contract/shorthand.ts';
import { writeSnapshot } from '../snapshot-format.ts';
import type { Revision } from '../store.ts';
import { CommitQueue } from './commit-queue.ts';
import { type EtcdError, etcdError } from './etcd-error.ts';
import { Layout } from './layout.ts';
import { Loader } from './loader.ts';
import type { RangeRequest, TxnRequest, TxnResponse } from './messages.ts';
import { loadKnown } from './opener.ts';
import { Replica } from './replica.ts';
import { Restorer } from './restorer.ts';

const layout = new Layout('t/');
/** The revision of the snapshots. */
const THEIRS = 10;

const late = (): EtcdError => etcdError({ code: 4, details: 'deadline' }, 'etcd');
const isSwitch = ({ success }: TxnRequest): boolean =>
  success.length > 1 && success.some((op) => op.kind === 'put' && layout.root.equals(op.key));
const isRemoval = ({ success }: TxnRequest): boolean => success.some((op) => op.kind === 'delete' && op.end);

type Handled = (request: TxnRequest, etcd: FakeEtcd) => Promise<TxnResponse> | TxnResponse;

/** A server, all of whose transactions go by `handle`, and whose reads fail while `etcd.silent`. It has no watch. */
async function serve(etcd: FakeEtcd & { silent?: boolean }, seed: number, clock = new FakeClock()) {
  const server = { handle: ((request) => etcd.txn(request)) as Handled };
  const client = {
    range: async (request: RangeRequest) => {
      if (etcd.silent) throw late();
      return etcd.range(request);
    },
    txn: async (request: TxnRequest) => server.handle(request, etcd),
  };
  const random = new SeededRandom(seed);
  const loader = new Loader(client, layout);
  const { content } = await loadKnown({ client, loader, layout, clock, random, log: silentLogger }, undefined);
  const replica = new Replica(content, DEFAULT_HISTORY);
  const deps = { client, loader, replica, follower: { restart() {} }, clock, random };
  const queue = new CommitQueue(deps, { maxOps: 100, commitMs: 7000, attemptMs: 2000 });
  const restorer = new Restorer({ client, loader, replica, queue, layout, clock, random, log: silentLogger });
  const restore = (...keys: string[]): Promise<Revision> => {
    const entries = keys.map((key) => ({ key, value: Buffer.from('1'), createRevision: 1, modRevision: THEIRS }));
    return restorer.restore(writeSnapshot(THEIRS, [entries]));
  };
  const commit = (key: string) => queue.commit({ compares: [], ops: [put(key, '1')] });
  return Object.assign(server, { clock, replica, loader, restore, commit });
}

/** What a process that starts now finds: what the head says must be there. */
async function found(etcd: FakeEtcd): Promise<{ revision: Revision; entries: number }> {
  const { replica } = await serve(etcd, 99);
  return { revision: replica.revision, entries: replica.content.index.size };
}

/** The outcome, with time passing until it is there. */
async function ended<T>(clock: FakeClock, outcome: Promise<T>): Promise<T> {
  let over = false;
  outcome.then(
    () => {
      over = true;
    },
    () => {
      over = true;
    },
  );
  for (let i = 0; i < 1000 && !over; i++) await clock.advance(100);
  return outcome;
}

describe('a restore in etcd', () => {
  it('that was done without an answer knows what another server has put on top', async () => {
    const etcd = new FakeEtcd();
    const [mine, theirs] = [await serve(etcd, 1), await serve(etcd, 2)];
    mine.handle = async (request) => {
      const response = etcd.txn(request);
      if (!isSwitch(request)) return response;
      theirs.replica.adopt((await theirs.loader.content()).content);
      await theirs.commit('later');
      throw late();
    };
    expect(await ended(mine.clock, mine.restore('a'))).toBe(THEIRS + 1);
    expect([mine.replica.revision, mine.replica.failure]).toEqual([THEIRS + 2, undefined]);
    expect(await mine.commit('last')).toEqual({ ok: true, revision: THEIRS + 3 });
    expect(await found(etcd)).toEqual({ revision: THEIRS + 3, entries: 3 });
  });

  it('that is answered after its server has loaded what it did changes nothing more', async () => {
    const etcd = new FakeEtcd();
    const [mine, theirs] = [await serve(etcd, 1), await serve(etcd, 2)];
    mine.handle = async (request) => {
      const response = etcd.txn(request);
      if (!isSwitch(request)) return response;
      for (const { replica, loader } of [theirs, mine]) {
        replica.adopt((await loader.content()).content);
        if (replica === theirs.replica) await theirs.commit('later');
      }
      return response;
    };
    expect(await mine.restore('a')).toBe(THEIRS + 1);
    expect([mine.replica.revision, mine.replica.failure]).toEqual([THEIRS + 2, undefined]);
  });

  it('that is on its way for longer than it is waited for comes too late, and is done by the next attempt', async () => {
    const etcd = new FakeEtcd();
    const server = await serve(etcd, 1);
    const switches: TxnRequest[] = [];
    const arrived: boolean[] = [];
    server.handle = (request) => {
      if (!isSwitch(request)) return etcd.txn(request);
      if (switches.push(request) === 1) throw late();
      arrived.push(etcd.txn(switches[0]!).succeeded);
      return etcd.txn(request);
    };
    expect(await ended(server.clock, server.restore('a'))).toBe(THEIRS + 1);
    expect([switches.length, arrived]).toEqual([2, [false]]);
    expect(await found(etcd)).toEqual({ revision: THEIRS + 1, entries: 1 });
  });

  it('goes on when etcd is away for a moment between the writing of the snapshot and the switch', async () => {
    const etcd = Object.assign(new FakeEtcd(), { silent: false });
    const server = await serve(etcd, 1);
    const isFilling = ({ success }: TxnRequest): boolean =>
      success.some((op) => op.kind === 'put' && op.key.toString().includes('/e/'));
    server.handle = (request) => {
      const response = etcd.txn(request);
      if (isFilling(request)) {
        etcd.silent = true;
        server.clock.after(1000, () => {
          etcd.silent = false;
        });
      }
      return response;
    };
    expect(await ended(server.clock, server.restore('a'))).toBe(THEIRS + 1);
    expect(await found(etcd)).toEqual({ revision: THEIRS + 1, entries: 1 });
  });

  it('ends in doubt when etcd answers nothing more after the switch was sent', async () => {
    const etcd = Object.assign(new FakeEtcd(), { silent: false });
    const server = await serve(etcd, 1);
    server.handle = (request) => {
      if (etcd.silent) throw late();
      const response = etcd.txn(request);
      etcd.silent = isSwitch(request);
      if (etcd.silent) throw late();
      return response;
    };
    await expect(ended(server.clock, server.restore('a'))).rejects.toMatchObject({ code: 'outcomeUnknown' });
    etcd.silent = false;
    expect(await found(etcd)).toEqual({ revision: THEIRS + 1, entries: 1 });
  });

  it('that looks for leftovers keeps what another server restores meanwhile', async () => {
    const etcd = new FakeEtcd();
    const [mine, theirs] = [await serve(etcd, 1), await serve(etcd, 2)];
    const [filled, turn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const others: Promise<Revision>[] = [];
    theirs.handle = async (request) => {
      if (isSwitch(request)) {
        filled.resolve();
        await turn.promise;
      }
      return etcd.txn(request);
    };
    mine.handle = async (request) => {
      if (!isRemoval(request)) return etcd.txn(request);
      if (others.length > 0) {
        // About to remove what the other one has filled: by now it has also switched to it.
        turn.resolve();
        await others[0];
        return etcd.txn(request);
      }
      // The leftovers' markers go; then the other one begins.
      const response = etcd.txn(request);
      others.push(theirs.restore('theirs'));
      await filled.promise;
      return response;
    };
    mine.restore('mine').catch(() => {}); // it ends when it meets what the other one has done
    while (others.length === 0) await nextTurn();
    expect(await others[0]).toBe(THEIRS + 1);
    expect(await ended(theirs.clock, theirs.commit('more'))).toEqual({ ok: true, revision: THEIRS + 2 });
    expect(await found(etcd)).toEqual({ revision: THEIRS + 2, entries: 2 });
  });
});
