import { prefixRange } from '../store.ts';
import type { StoreBench } from './describe-store.ts';
import { del, put, texts, write } from './shorthand.ts';

export function describeViews(bench: StoreBench): void {
  describe('view', () => {
    it('shows one revision for as long as it is held, whatever is written meanwhile', async () => {
      const store = await bench.open();
      await write(store, put('a', '1'), put('b', '1'));
      const view = await store.view();
      const revision = store.revision();
      await write(store, put('a', '2'), put('c', '1'), del('b'));
      expect(view.revision).toBe(revision);
      expect(await all(view.slices(prefixRange('')))).toEqual(['a=1', 'b=1']);
      view.release();
      const later = await store.view();
      expect(await all(later.slices(prefixRange('')))).toEqual(['a=2', 'c=1']);
      later.release();
    });

    it('gives several ranges, each in order', async () => {
      const store = await bench.open();
      const keys = Array.from({ length: 1300 }, (_, i) => `k${String(i).padStart(4, '0')}`);
      for (let i = 0; i < keys.length; i += 100) {
        await write(store, ...keys.slice(i, i + 100).map((key) => put(key, key)));
      }
      const view = await store.view();
      expect(await all(view.slices(prefixRange('k')))).toEqual(keys.map((key) => `${key}=${key}`));
      expect(await all(view.slices({ start: 'k0003', end: 'k0005' }))).toEqual(['k0003=k0003', 'k0004=k0004']);
      expect(await all(view.slices({ start: 'x', end: 'a' }))).toEqual([]);
      view.release();
    });

    it('is refused once the store is closed', async () => {
      const store = await bench.open();
      await write(store, put('a', '1'));
      const view = await store.view();
      await store.close();
      await expect(all(view.slices(prefixRange('')))).rejects.toMatchObject({ code: 'shuttingDown' });
      view.release();
      await expect(store.view()).rejects.toMatchObject({ code: 'shuttingDown' });
    });
  });
}

async function all(
  slices: AsyncIterable<readonly Parameters<typeof texts>[0]['entries'][number][]>,
): Promise<string[]> {
  const found: string[] = [];
  for await (const entries of slices) found.push(...texts({ entries: [...entries], revision: 0 }));
  return found;
}
