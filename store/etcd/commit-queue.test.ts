import { FakeClock } from '../../core/clock.ts';
import { nextTurn } from '../../core/next-turn.ts';
import { SeededRandom } from '../../core/random.ts';
import { DEFAULT_HISTORY } from '../change-history.ts';
import { put } from '../contract/shorthand.ts';
import { CommitQueue } from './commit-queue.ts';
import { etcdError } from './etcd-error.ts';
import { KeyIndex } from './key-index.ts';
import { decodeHead, encodeHead, entryHead, type Head, Layout } from './layout.ts';
import type { EtcdEvent, TxnRequest, TxnResponse } from './messages.ts';
import { type Content, Replica } from './replica.ts';

const layout = new Layout('t/');

function contentOf(generation: string, at: { revision: number; headRevision: number }): Content {
  const { revision, headRevision } = at;
  return {
    storeId: 's',
    generation,
    layout: layout.generation(generation),
    head: { id: generation, revision, base: 0, previous: 0, changes: [] },
    headRevision,
    readRevision: headRevision,
    index: new KeyIndex(),
  };
}

/** What a watch tells of a transaction with one put. */
function told(id: string, at: { revision: number; etcdRevision: number; previous: number }): EtcdEvent[] {
  const { revision, etcdRevision: modRevision, previous } = at;
  const g1 = layout.generation('g1');
  const head: Head = { id, revision, base: 0, previous, changes: [1] };
  const kv = (key: Buffer, value: Uint8Array) => ({ key, value: Buffer.from(value), modRevision });
  const value = Buffer.concat([entryHead(revision, revision), Buffer.from('1')]);
  return [
    { deleted: false, kv: kv(g1.head, encodeHead(head)) },
    { deleted: false, kv: kv(g1.entry(`k${revision}`), value) },
  ];
}

function answer(succeeded: boolean, revision: number): TxnResponse {
  const header = { clusterId: 1, memberId: 1, revision };
  return { header, succeeded, ranges: succeeded ? [] : [{ header, kvs: [], more: false }] };
}

/** A queue over a replica at generation g1; etcd answers its transactions in turn. */
function bench(answers: ((request: TxnRequest) => TxnResponse)[]) {
  const clock = new FakeClock();
  const replica = new Replica(contentOf('g1', { revision: 5, headRevision: 15 }), DEFAULT_HISTORY);
  const asked: TxnRequest[] = [];
  const restarts: string[] = [];
  const client = {
    async txn(request: TxnRequest): Promise<TxnResponse> {
      asked.push(request);
      return answers[asked.length - 1]!(request);
    },
  };
  const queue = new CommitQueue(
    {
      client,
      loader: { head: async () => ({ kv: undefined, at: 100 }) },
      replica,
      follower: { restart: (reason) => restarts.push(reason) },
      clock,
      random: new SeededRandom(1),
    },
    { maxOps: 100, commitMs: 60_000, attemptMs: 1000 },
  );
  return { queue, replica, asked, restarts, clock };
}

describe('commits of a process on etcd', () => {
  it('go on as soon as it knows the restore that has put another generation in the place of the one they compared', async () => {
    // The old generation is away with its head; etcd's revision is that of its removal, after the new one's head.
    const { queue, replica, asked, restarts } = bench([() => answer(false, 100), () => answer(true, 101)]);
    const committed = queue.commit({ compares: [], ops: [put('a', '1')] });
    while (asked.length < 1) await nextTurn();
    await nextTurn();
    replica.adopt(contentOf('g2', { revision: 8, headRevision: 90 }));
    expect(await committed).toEqual({ ok: true, revision: 9 });
    expect(asked.map(({ compares }) => String(compares[0]!.key))).toEqual(
      ['g1', 'g2'].map((name) => String(layout.generation(name).head)),
    );
    expect(restarts).toEqual([]);
  });

  it('go on at once when it knew that before it was answered', async () => {
    const adopt = () => {
      replica.adopt(contentOf('g2', { revision: 8, headRevision: 90 }));
      return answer(false, 100);
    };
    const { queue, replica, asked } = bench([adopt, () => answer(true, 101)]);
    expect(await queue.commit({ compares: [], ops: [put('a', '1')] })).toEqual({ ok: true, revision: 9 });
    expect(asked.length).toBe(2);
  });

  it('are committed when the watch has brought them and what came after them, before etcd fails to answer', async () => {
    const lost = (request: TxnRequest): never => {
      const [first] = request.success;
      const { id } = decodeHead(layout.generation('g1').head, Buffer.concat(first?.kind === 'put' ? first.value : []));
      replica.receive(told(id, { revision: 6, etcdRevision: 16, previous: 15 }));
      replica.receive(told('of another server', { revision: 7, etcdRevision: 17, previous: 16 }));
      throw etcdError({ code: 4, details: 'deadline' }, 'etcd');
    };
    const { queue, replica, asked } = bench([lost]);
    expect(await queue.commit({ compares: [], ops: [put('k6', '1')] })).toEqual({ ok: true, revision: 6 });
    expect(asked.length).toBe(1);
  });

  it('end in doubt when all was loaded anew since they were sent, and etcd fails to answer', async () => {
    const lost = (): never => {
      replica.adopt(contentOf('g1', { revision: 8, headRevision: 18 }));
      throw etcdError({ code: 4, details: 'deadline' }, 'etcd');
    };
    const { queue, replica, asked } = bench([lost]);
    await expect(queue.commit({ compares: [], ops: [put('k6', '1')] })).rejects.toMatchObject({
      code: 'outcomeUnknown',
    });
    expect(asked.length).toBe(1);
  });

  it('are asked after with pauses when the generation is gone before etcd has answered', async () => {
    const lost = (): never => {
      throw etcdError({ code: 4, details: 'deadline' }, 'etcd');
    };
    const gone = (request: TxnRequest): TxnResponse => {
      if (asked.length > 50) throw new Error(`asked without a pause: ${request.compares[0]!.key}`);
      return answer(false, 100);
    };
    const { queue, replica, asked, clock } = bench([lost, ...Array<typeof gone>(60).fill(gone)]);
    const committed = queue.commit({ compares: [], ops: [put('a', '1')] });
    committed.catch(() => {}); // observed below
    await clock.advance(950);
    expect(asked.length).toBe(11);
    replica.adopt(contentOf('g2', { revision: 8, headRevision: 90 }));
    await clock.advance(100);
    await expect(committed).rejects.toMatchObject({ code: 'outcomeUnknown' });
    expect(asked.length).toBe(11);
  });
});
