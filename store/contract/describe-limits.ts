import type { StoreBench } from './describe-store.ts';
import { at, content, del, put } from './shorthand.ts';

export function describeLimits(bench: StoreBench): void {
  describe('limits of a transaction', () => {
    it.each([
      ['operations', { maxTxnOps: 3 }, { compares: [], ops: ['a', 'b', 'c', 'd'].map((key) => put(key, '1')) }],
      ['compares', { maxTxnCompares: 3 }, { compares: ['a', 'b', 'c', 'd'].map((key) => at(key, 0)), ops: [] }],
      ['bytes', { maxTxnBytes: 1000 }, { compares: [], ops: [put('a', 'x'.repeat(500)), put('b', 'x'.repeat(499))] }],
    ])('refuses more %s than its traits allow, and takes as many', async (_, limits, tooMuch) => {
      const store = await bench.open({ limits });
      expect(store.traits).toMatchObject(limits);
      await expect(store.commit(tooMuch)).rejects.toMatchObject({ code: 'tooLarge' });
      expect(store.revision()).toBe(0);
      const ops = tooMuch.ops.slice(0, 'maxTxnBytes' in limits ? 1 : 3);
      expect(await store.commit({ compares: tooMuch.compares.slice(0, 3), ops })).toMatchObject({ ok: true });
    });

    it('takes 128 puts or deletes that each rely on their entry, with others beside, all or none', async () => {
      const store = await bench.open();
      const keys = Array.from({ length: 128 }, (_, i) => `k${String(i).padStart(3, '0')}`);
      const others = Array.from({ length: 300 }, (_, i) => at(`o${i}`, 0));
      const asOf = (revision: number) => [...keys.map((key) => at(key, revision)), ...others];
      const puts = keys.map((key) => put(key, 'v'));
      expect(await store.commit({ compares: asOf(0), ops: puts })).toEqual({ ok: true, revision: 1 });
      expect(await store.commit({ compares: asOf(0), ops: puts })).toEqual({
        ok: false,
        revision: 1,
        failedCompare: 0,
      });
      const { entries } = await store.read({ start: 'k', end: 'l' });
      expect(entries.map(({ key, modRevision }) => [key, modRevision])).toEqual(keys.map((key) => [key, 1]));
      expect(await store.commit({ compares: asOf(1), ops: keys.map((key) => del(key)) })).toMatchObject({
        revision: 2,
      });
      const stop = new AbortController();
      const seen: string[][] = [];
      for await (const { changes } of store.watch({ start: 'k', end: 'l' }, 0, stop.signal)) {
        seen.push(changes.map((change) => (change.kind === 'put' ? change.entry.key : change.key)));
        if (seen.length === 2) break;
      }
      stop.abort();
      expect(seen).toEqual([keys, keys]);
      expect(await content(store)).toEqual([]);
    });
  });
}
