import fc from 'fast-check';
import { EVERYTHING } from '../../store/contract/shorthand.ts';
import { ContentDigest } from '../../store/etcd/content-digest.ts';
import { KeyIndex } from '../../store/etcd/key-index.ts';
import { type Head, Layout } from '../../store/etcd/layout.ts';
import { type Content, Replica } from '../../store/etcd/replica.ts';
import { TxnBatch } from '../../store/etcd/txn-batch.ts';
import type { Op, Txn } from '../../store/store.ts';

/*
 * The sum that a batch gives its head is kept by additions and subtractions. After any batches it must be that of the
 * entries that are there, computed anew, and what the replica has that has taken the batch.
 */
const RUNS = Number(process.env.LICTOR_DIGEST_RUNS ?? 300);
const layout = new Layout('p/').generation('g');
const KEYS = ['a', 'a/1', 'a/2', 'b', 'é', '\uff5e', '\u{1F600}'];

const key = fc.constantFrom(...KEYS);
const op = fc.oneof(
  { weight: 5, arbitrary: key.map((one): Op => ({ kind: 'put', key: one, value: Buffer.from('v') })) },
  { weight: 2, arbitrary: key.map((one): Op => ({ kind: 'delete', key: one })) },
  {
    weight: 1,
    arbitrary: fc.tuple(key, key).map(([start, end]): Op => ({ kind: 'deleteRange', range: { start, end } })),
  },
);
/** Each key at most once, as the store's rules ask for; ranges and absent keys as they come. */
const txn = fc
  .uniqueArray(op, { maxLength: 4, selector: (one) => (one.kind === 'deleteRange' ? 'range' : one.key) })
  .map((ops): Txn => ({ compares: [], ops: ops.some(({ kind }) => kind === 'deleteRange') ? ops.slice(-1) : ops }));
const batches = fc.array(fc.array(txn, { maxLength: 6 }), { maxLength: 12 });

/** The sum of what the index holds, from nothing. */
function computed(index: KeyIndex): ContentDigest {
  const digest = new ContentDigest();
  for (const [one] of index.range(EVERYTHING)) digest.change(one, undefined, index.get(one));
  return digest;
}

function emptyStore(): Content {
  const head: Head = { id: 'h0', revision: 0, base: 0, previous: 0, changes: [] };
  return { storeId: 's', generation: 'g', layout, head, headRevision: 1, readRevision: 1, index: new KeyIndex() };
}

it('the sum of each batch is that of all entries after it', () => {
  let deletedRanges = 0;
  fc.assert(
    fc.property(batches, (all) => {
      const replica = new Replica(emptyStore(), { maxRevisions: 10, maxBytes: 1000 });
      for (const txns of all) {
        const { index, head, headRevision } = replica.content;
        const batch = new TxnBatch(
          { index, revision: head.revision, layout },
          { maxOps: 9, fullBytes: 500, maxTxns: 5 },
        );
        for (const one of txns) if (!batch.add(one)) break;
        deletedRanges += batch.ops.filter((one) => one.kind === 'delete' && 'end' in one).length;
        const changes = batch.events.map((events) => events.changes.length);
        const next: Head = {
          id: 'h',
          revision: batch.revision,
          base: 0,
          previous: headRevision,
          changes,
          content: batch.content,
        };
        replica.applied(batch.events, next, headRevision + 1);
        expect(batch.content).toEqual(computed(index).sum());
        expect(index.digest.sum()).toEqual(batch.content);
        expect(batch.content.entries).toBe(index.size);
      }
    }),
    { numRuns: RUNS },
  );
  expect(deletedRanges).toBeGreaterThan(0);
});
