import type { StoreBench } from './describe-store.ts';
import { at, content, del, delRange, put, untouched, write } from './shorthand.ts';

export function describeCommits(bench: StoreBench): void {
  describe('commit', () => {
    it('counts one revision for each transaction that changes something, from 1', async () => {
      const store = await bench.open();
      expect(store.revision()).toBe(0);
      expect(await store.commit({ compares: [], ops: [put('a', '1'), put('b', '1')] })).toEqual({
        ok: true,
        revision: 1,
      });
      expect(await write(store, put('a', '2'))).toBe(2);
      expect(store.revision()).toBe(2);
    });

    it('keeps the revision of the store when nothing changes', async () => {
      const store = await bench.open();
      await write(store, put('a', '1'));
      expect(await write(store)).toBe(1);
      expect(await write(store, del('absent'), delRange('x', 'z'))).toBe(1);
      expect(store.revision()).toBe(1);
    });

    it('counts a put of the same value as a change', async () => {
      const store = await bench.open();
      await write(store, put('a', '1'));
      expect(await write(store, put('a', '1'))).toBe(2);
    });

    it('keeps createRevision over puts and begins anew after a delete', async () => {
      const store = await bench.open();
      await write(store, put('a', '1'));
      await write(store, put('a', '2'));
      expect((await store.read({ start: 'a', end: 'b' })).entries[0]).toMatchObject({
        createRevision: 1,
        modRevision: 2,
      });
      await write(store, del('a'));
      await write(store, put('a', '3'));
      expect((await store.read({ start: 'a', end: 'b' })).entries[0]).toMatchObject({
        createRevision: 4,
        modRevision: 4,
      });
    });

    it.each([
      ['the key is at another revision', [at('a', 2)], 0],
      ['a key thought absent is there', [at('a', 0)], 0],
      ['a key thought present is absent', [at('a', 1), at('absent', 1)], 1],
      ['an entry of the range is newer', [at('a', 1), at('absent', 0), untouched('a', 'c', 1)], 2],
      ['the range has an entry at all', [untouched('a', 'b', 0)], 0],
    ])('does nothing and names the compare when %s', async (_, compares, failedCompare) => {
      const store = await bench.open();
      await write(store, put('a', '1'));
      await write(store, put('b', '1'));
      const result = await store.commit({ compares, ops: [put('a', 'x'), put('c', 'x'), del('b')] });
      expect(result).toEqual({ ok: false, revision: 2, failedCompare });
      expect(await content(store)).toEqual(['a=1', 'b=1']);
      expect(store.revision()).toBe(2);
    });

    it('applies all operations when every compare holds', async () => {
      const store = await bench.open();
      await write(store, put('a', '1'), put('b', '1'));
      const compares = [at('a', 1), at('c', 0), untouched('a', 'z', 1), untouched('x', 'z', 0)];
      expect(await store.commit({ compares, ops: [put('a', '2'), put('c', '2'), del('b')] })).toMatchObject({
        ok: true,
      });
      expect(await content(store)).toEqual(['a=2', 'c=2']);
    });

    it('refuses a compare that was true when its writer looked, and is so no more', async () => {
      const store = await bench.open();
      await write(store, put('a', '1'));
      await write(store, put('a', '2'));
      for (const compares of [[at('a', 1)], [at('b', 0), at('a', 1)]]) {
        const failedCompare = compares.length - 1;
        const result = await store.commit({ compares, ops: [put('a', 'x'), put('b', 'x')], asOf: 1 });
        expect(result).toEqual({ ok: false, revision: 2, failedCompare });
      }
      expect(await store.commit({ compares: [at('a', 2), at('b', 0)], ops: [put('b', 'x')], asOf: 2 })).toEqual({
        ok: true,
        revision: 3,
      });
      expect(await content(store)).toEqual(['a=2', 'b=x']);
    });

    it('does not see deletions in a range compare', async () => {
      const store = await bench.open();
      await write(store, put('a', '1'), put('b', '1'));
      await write(store, del('b'));
      expect(await store.commit({ compares: [untouched('a', 'z', 1)], ops: [] })).toMatchObject({ ok: true });
    });

    it('does not count the end of a range as part of it', async () => {
      const store = await bench.open();
      await write(store, put('a', '1'));
      await write(store, put('b', '1'));
      expect(await store.commit({ compares: [untouched('a', 'b', 1)], ops: [] })).toMatchObject({ ok: true });
      await write(store, delRange('a', 'b'));
      expect(await content(store)).toEqual(['b=1']);
    });

    it('deletes ranges, which may overlap and be empty', async () => {
      const store = await bench.open();
      await write(store, put('a', '1'), put('b', '1'), put('c', '1'), put('d', '1'));
      await write(store, delRange('a', 'c'), delRange('b', 'd'), del('a'), delRange('z', 'a'), delRange('', ''));
      expect(await content(store)).toEqual(['d=1']);
      expect(store.revision()).toBe(2);
    });

    it.each([
      ['a key put twice', [put('a', '1'), put('a', '2')]],
      ['a key put twice among many', [...'abcdefghijk'].map((key) => put(key, '1')).concat(put('c', '2'))],
      ['a key put and deleted', [del('a'), put('a', '1')]],
      ['a key put inside a deleted range', [put('b', '1'), delRange('a', 'c')]],
    ])('refuses %s', async (_, ops) => {
      const store = await bench.open();
      await expect(store.commit({ compares: [], ops })).rejects.toMatchObject({ code: 'badRequest' });
      expect(store.revision()).toBe(0);
    });

    it.each([
      ['an empty key', ''],
      ['a key with U+0000', 'a\0b'],
      ['a key with U+10FFFF', 'a\u{10FFFF}'],
      ['a key with half of a surrogate pair', 'a\ud800'],
      ['a key of 1,501 bytes', 'k'.repeat(1501)],
      ['a key of 1,501 bytes in fewer characters', `kk${'ä'.repeat(749)}k`],
    ])('refuses %s', async (_, key) => {
      const store = await bench.open();
      for (const ops of [[put(key, '1')], [del(key)]]) {
        await expect(store.commit({ compares: [], ops })).rejects.toMatchObject({ code: 'badRequest' });
      }
      await expect(store.commit({ compares: [at(key, 0)], ops: [] })).rejects.toMatchObject({ code: 'badRequest' });
    });

    it('takes keys of 1,500 bytes and any other characters', async () => {
      const store = await bench.open();
      const keys = ['\u0001', ' ', 'k'.repeat(1500), 'ä'.repeat(750), '\ufffd\uffff', '\u{10FFFE}'.repeat(375)];
      for (const key of keys) await write(store, put(key, key));
      expect(await content(store)).toEqual(keys.map((key) => `${key}=${key}`));
    });

    it('takes empty and binary values and gives back the same bytes', async () => {
      const store = await bench.open();
      const bytes = Uint8Array.from({ length: 10_000 }, (_, i) => i % 256);
      await write(store, put('binary', bytes), put('empty', ''));
      const { entries } = await store.read({ start: 'a', end: 'z' });
      expect(
        entries.map((entry) => [
          entry.key,
          Buffer.compare(entry.value, entry.key === 'empty' ? Buffer.alloc(0) : bytes),
        ]),
      ).toEqual([
        ['binary', 0],
        ['empty', 0],
      ]);
    });

    it('copies values, so that the caller may use its buffer again at once', async () => {
      const store = await bench.open();
      const value = Buffer.from('first');
      const done = store.commit({ compares: [], ops: [put('a', value)] });
      value.write('OTHER');
      await done;
      expect(await content(store)).toEqual(['a=first']);
    });

    it('gives concurrent commits revisions of their own, in the order they were called', async () => {
      const store = await bench.open();
      const keys = Array.from({ length: 200 }, (_, i) => `k${String(i).padStart(3, '0')}`);
      const results = await Promise.all(keys.map((key) => store.commit({ compares: [], ops: [put(key, '1')] })));
      expect(results.map((result) => result.revision)).toEqual(keys.map((_, i) => i + 1));
      const { entries } = await store.read({ start: 'k', end: 'l' });
      expect(entries.map((entry) => entry.modRevision)).toEqual(keys.map((_, i) => i + 1));
    });

    it('lets exactly one of many compare-and-sets win', async () => {
      const store = await bench.open();
      await write(store, put('n', '0'));
      const results = await Promise.all(
        Array.from({ length: 50 }, (_, i) => store.commit({ compares: [at('n', 1)], ops: [put('n', `${i}`)] })),
      );
      expect(results.filter((result) => result.ok)).toHaveLength(1);
      expect(store.revision()).toBe(2);
    });

    it('lets nobody lose a count with compare-and-set and retry', async () => {
      const store = await bench.open();
      await write(store, put('n', '0'));
      const add = async (): Promise<void> => {
        for (;;) {
          const entry = (await store.read({ start: 'n', end: 'o' })).entries[0]!;
          const value = `${Number(Buffer.from(entry.value).toString()) + 1}`;
          const compares = [at('n', entry.modRevision)];
          if ((await store.commit({ compares, ops: [put('n', value)] })).ok) return;
        }
      };
      await Promise.all(
        Array.from({ length: 10 }, async () => {
          for (let i = 0; i < 5; i++) await add();
        }),
      );
      expect(await content(store)).toEqual(['n=50']);
    });

    it('shows an acknowledged commit to every later read', async () => {
      const store = await bench.open();
      for (let i = 1; i <= 20; i++) {
        const revision = await write(store, put('a', `${i}`));
        const result = await store.read({ start: 'a', end: 'b' });
        expect(result.revision).toBe(revision);
        expect(result.entries[0]!.modRevision).toBe(i);
      }
    });

    it('refuses commits after close, settling those before it', async () => {
      const store = await bench.open();
      const pending = store.commit({ compares: [], ops: [put('a', '1')] });
      await store.close();
      expect(await pending).toMatchObject({ ok: true });
      await expect(write(store, put('b', '1'))).rejects.toMatchObject({ code: 'shuttingDown' });
      await expect(content(store)).rejects.toMatchObject({ code: 'shuttingDown' });
    });
  });
}
