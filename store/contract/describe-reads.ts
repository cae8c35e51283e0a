import { prefixRange } from '../store.ts';
import type { StoreBench } from './describe-store.ts';
import { content, del, put, texts, write } from './shorthand.ts';

export function describeReads(bench: StoreBench): void {
  describe('read', () => {
    it('gives entries in the order of their UTF-8 bytes', async () => {
      const store = await bench.open();
      // In UTF-16 order U+1F600 would come before U+FF5E.
      const keys = ['\u{1F600}', '\uff5e', 'é', 'z', 'a', 'A', 'aa', 'a\u0001', '\u{1F601}', 'ß', '\u{FFFF}'];
      for (const key of keys) await write(store, put(key, '1'));
      const sorted = [...keys].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
      expect((await store.read(prefixRange(''))).entries.map((entry) => entry.key)).toEqual(sorted);
    });

    it('includes the start of a range and not its end', async () => {
      const store = await bench.open();
      await write(store, ...['a', 'ab', 'b', 'c'].map((key) => put(key, '1')));
      expect(texts(await store.read({ start: 'a', end: 'b' }))).toEqual(['a=1', 'ab=1']);
      expect(texts(await store.read({ start: 'aa', end: 'c' }))).toEqual(['ab=1', 'b=1']);
      expect(texts(await store.read(prefixRange('a')))).toEqual(['a=1', 'ab=1']);
      expect(texts(await store.read({ start: 'c', end: 'a' }))).toEqual([]);
      expect(texts(await store.read({ start: '', end: '' }))).toEqual([]);
    });

    it('reads ranges of more than a thousand entries', async () => {
      const store = await bench.open();
      const keys = Array.from({ length: 1300 }, (_, i) => `k${String(i).padStart(4, '0')}`);
      for (let i = 0; i < keys.length; i += 100) {
        await write(store, ...keys.slice(i, i + 100).map((key) => put(key, key)));
      }
      expect(texts(await store.read(prefixRange('k')))).toEqual(keys.map((key) => `${key}=${key}`));
    });

    it('names the revision of what it read, not of a later commit', async () => {
      const store = await bench.open();
      await write(store, put('a', '1'));
      const reading = store.read(prefixRange(''));
      const writing = write(store, put('b', '1'));
      const result = await reading;
      await writing;
      expect(result.entries.every((entry) => entry.modRevision <= result.revision)).toBe(true);
      expect(result.entries).toHaveLength(result.revision);
    });

    it('leaves what was read untouched by later commits', async () => {
      const store = await bench.open();
      await write(store, put('a', 'first'), put('b', 'x'.repeat(9000)));
      const before = await store.read(prefixRange(''));
      for (let i = 0; i < 5; i++) await write(store, put('a', `later ${i}`), put('b', 'y'.repeat(9000)));
      expect(texts(before)).toEqual(['a=first', `b=${'x'.repeat(9000)}`]);
    });

    it('reads at the newest revision, and refuses one that is not there yet', async () => {
      const store = await bench.open();
      await write(store, put('a', '1'));
      expect(await content(store, 1)).toEqual(['a=1']);
      await expect(content(store, 2)).rejects.toMatchObject({ code: 'badRequest' });
    });

    it('reads at an earlier revision as its traits say: what was there, or compacted', async () => {
      const store = await bench.open();
      await write(store, put('a', '1'));
      await write(store, put('a', '2'), put('b', '2'));
      await write(store, del('a'));
      if (!store.traits.historicReads) {
        await expect(content(store, 2)).rejects.toMatchObject({ code: 'compacted' });
        return;
      }
      expect(await content(store, 0)).toEqual([]);
      expect(await content(store, 1)).toEqual(['a=1']);
      expect(await content(store, 2)).toEqual(['a=2', 'b=2']);
      expect(await content(store, 3)).toEqual(['b=2']);
    });

    it('answers compacted for a revision below the kept history', async () => {
      const store = await bench.open({ history: { maxRevisions: 3 } });
      for (let i = 1; i <= 10; i++) await write(store, put(`k${i % 2}`, `${i}`));
      await expect(content(store, 6)).rejects.toMatchObject({ code: 'compacted' });
      if (store.traits.historicReads) expect(await content(store, 7)).toEqual(['k0=6', 'k1=7']);
      expect(await content(store)).toEqual(['k0=10', 'k1=9']);
    });

    it.each(['a\0', 'a\udc00', 'k'.repeat(1505)])('refuses a malformed range bound', async (bound) => {
      const store = await bench.open();
      await expect(store.read({ start: bound, end: 'z' })).rejects.toMatchObject({ code: 'badRequest' });
      await expect(store.read({ start: 'a', end: bound })).rejects.toMatchObject({ code: 'badRequest' });
    });
  });
}
