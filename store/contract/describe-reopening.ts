import type { Store } from '../store.ts';
import type { StoreBench } from './describe-store.ts';
import { chunked, collect, content, del, EVERYTHING, eventText, plainEntry, put, take, write } from './shorthand.ts';

/** What survives; engines whose traits do not say `durable` have nothing to show here. */
export function describeReopening(bench: StoreBench): void {
  const never = new AbortController().signal;

  describe('reopened', () => {
    it('has the same content and revision and goes on counting', async () => {
      const dir = await bench.folder();
      let store = await bench.open({ dir });
      if (!store.traits.durable) return;
      for (let round = 1; round <= 3; round++) {
        await write(store, put('a', `${round}`), put(`k${round}`, '1'));
        await write(store, del(`k${round - 1}`));
        const before = await whole(store);
        await store.close();
        store = await bench.open({ dir });
        expect(await whole(store)).toEqual(before);
      }
      expect(store.revision()).toBe(5);
      expect(await content(store)).toEqual(['a=3', 'k3=1']);
    });

    it('keeps the revision when everything was deleted', async () => {
      const dir = await bench.folder();
      const store = await bench.open({ dir });
      if (!store.traits.durable) return;
      await write(store, put('a', '1'));
      await write(store, del('a'));
      await store.close();
      const again = await bench.open({ dir });
      expect(again.revision()).toBe(2);
      expect(await write(again, put('a', '1'))).toBe(3);
    });

    it('keeps a restored content and its revision', async () => {
      const dir = await bench.folder();
      const store = await bench.open({ dir });
      if (!store.traits.durable) return;
      await write(store, put('a', '1'));
      const bytes = await collect(store.snapshot(never));
      await write(store, put('b', '1'));
      const revision = await store.restore(chunked(bytes, 100));
      await store.close();
      const again = await bench.open({ dir });
      expect(again.revision()).toBe(revision);
      expect(await content(again)).toEqual(['a=1']);
    });

    it('watches from its present revision on, or answers compacted', async () => {
      const dir = await bench.folder();
      const store = await bench.open({ dir });
      if (!store.traits.durable) return;
      await write(store, put('a', '1'));
      await write(store, put('a', '2'));
      await store.close();
      const again = await bench.open({ dir });
      const events = take(again.watch(EVERYTHING, 2, never), 1);
      await write(again, put('a', '3'));
      expect((await events).map(eventText)).toEqual(['3: +a=3']);
      await take(again.watch(EVERYTHING, 0, never), 3).then(
        (all) => expect(all.map(eventText)).toEqual(['1: +a=1', '2: +a=2', '3: +a=3']),
        (error) => expect(error).toMatchObject({ code: 'compacted' }),
      );
    });
  });
}

async function whole(store: Store): Promise<object> {
  const { entries, revision } = await store.read(EVERYTHING);
  return { entries: entries.map(plainEntry), revision, newest: store.revision() };
}
