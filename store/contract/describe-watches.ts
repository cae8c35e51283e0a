import { prefixRange, type StoreEvents } from '../store.ts';
import type { StoreBench } from './describe-store.ts';
import { content, del, delRange, EVERYTHING, eventText, plainEntry, put, take, write } from './shorthand.ts';

export function describeWatches(bench: StoreBench): void {
  const never = new AbortController().signal;

  describe('watch', () => {
    it('gives the changes of each transaction after the revision, in the order of the operations', async () => {
      const store = await bench.open();
      await write(store, put('a', '1'));
      await write(store, put('c', '2'), put('b', '2'), del('a'));
      await write(store, put('d', '3'));
      await write(store, delRange('b', 'd'), del('d'), del('absent'));
      const events = await take(store.watch(EVERYTHING, 1, never), 3);
      expect(events.map(eventText)).toEqual(['2: +c=2 +b=2 -a', '3: +d=3', '4: -b -c -d']);
    });

    it('carries the revisions of the entries', async () => {
      const store = await bench.open();
      await write(store, put('a', '1'));
      await write(store, put('a', '2'));
      await write(store, del('a'));
      const [change, deletion] = await take(store.watch(EVERYTHING, 1, never), 2);
      expect(change!.changes).toMatchObject([{ entry: { key: 'a', createRevision: 1, modRevision: 2 } }]);
      expect(deletion!.changes).toEqual([{ kind: 'delete', key: 'a', modRevision: 3 }]);
    });

    it('waits for what is to come', async () => {
      const store = await bench.open();
      const events = take(store.watch(EVERYTHING, 0, never), 3);
      await write(store, put('a', '1'));
      await write(store, put('b', '1'));
      await write(store, del('a'));
      expect((await events).map(eventText)).toEqual(['1: +a=1', '2: +b=1', '3: -a']);
    });

    it('may start after a revision that is still to come', async () => {
      const store = await bench.open();
      const events = take(store.watch(EVERYTHING, 2, never), 1);
      for (const value of ['1', '2', '3']) await write(store, put('a', value));
      expect((await events).map(eventText)).toEqual(['3: +a=3']);
    });

    it('gives only what lies in its range', async () => {
      const store = await bench.open();
      await write(store, put('a/1', '1'), put('b/1', '1'));
      await write(store, put('b/2', '1'));
      await write(store, delRange('', 'z'));
      const events = await take(store.watch(prefixRange('a/'), 0, never), 2);
      expect(events.map(eventText)).toEqual(['1: +a/1=1', '3: -a/1']);
    });

    it('says nothing of transactions that failed or changed nothing', async () => {
      const store = await bench.open();
      const events = take(store.watch(EVERYTHING, 0, never), 2);
      await write(store, put('a', '1'));
      await write(store, del('absent'));
      await store.commit({ compares: [{ kind: 'key', key: 'a', modRevision: 9 }], ops: [put('x', '1')] });
      await write(store, put('b', '1'));
      expect((await events).map(eventText)).toEqual(['1: +a=1', '2: +b=1']);
    });

    it('gives every watcher every change once, also under concurrent commits', async () => {
      const store = await bench.open();
      const watchers = [0, 10, 25].map((after) => take(store.watch(EVERYTHING, after, never), 60 - after));
      await Promise.all(Array.from({ length: 60 }, (_, i) => write(store, put(`k${i % 7}`, `${i}`))));
      const seen = await Promise.all(watchers);
      expect(seen.map((events) => events.map((event) => event.revision))).toEqual(
        [0, 10, 25].map((after) => Array.from({ length: 60 - after }, (_, i) => after + i + 1)),
      );
    });

    it('and a read before it rebuild the content exactly', async () => {
      const store = await bench.open();
      await write(store, put('a', '1'), put('b', '1'));
      const base = await store.read(EVERYTHING);
      const state = new Map(base.entries.map((entry) => [entry.key, entry]));
      const writing = Promise.all(
        Array.from({ length: 40 }, (_, i) =>
          write(store, i % 3 ? put(`k${i % 5}`, `${i}`) : delRange('k0', 'k3'), put('n', `${i}`)),
        ),
      );
      for await (const { changes } of store.watch(EVERYTHING, base.revision, never)) {
        for (const change of changes) {
          if (change.kind === 'put') state.set(change.entry.key, change.entry);
          else state.delete(change.key);
        }
        if (changes.some((change) => change.kind === 'put' && change.entry.modRevision === base.revision + 40)) break;
      }
      await writing;
      const now = await store.read(EVERYTHING);
      const seen = [...state.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
      expect(seen.map(plainEntry)).toEqual(now.entries.map(plainEntry));
    });

    it('refuses to start below the kept history', async () => {
      const store = await bench.open({ history: { maxRevisions: 3 } });
      for (let i = 1; i <= 10; i++) await write(store, put('a', `${i}`));
      await expect(take(store.watch(EVERYTHING, 6, never), 1)).rejects.toMatchObject({ code: 'compacted' });
      expect((await take(store.watch(EVERYTHING, 7, never), 3)).map(eventText)).toEqual([
        '8: +a=8',
        '9: +a=9',
        '10: +a=10',
      ]);
    });

    it('bounds the history by bytes too', async () => {
      const store = await bench.open({ history: { maxBytes: 10_000 } });
      for (let i = 1; i <= 10; i++) await write(store, put('a', 'x'.repeat(4000)));
      await expect(take(store.watch(EVERYTHING, 7, never), 1)).rejects.toMatchObject({ code: 'compacted' });
      expect(await take(store.watch(EVERYTHING, 8, never), 2)).toHaveLength(2);
    });

    it('ends with compacted, not with a gap, for a consumer that falls behind', async () => {
      const store = await bench.open({ history: { maxRevisions: 3 } });
      const events = store.watch(EVERYTHING, 0, never)[Symbol.asyncIterator]();
      await write(store, put('a', '1'));
      expect(eventText((await events.next()).value as StoreEvents)).toBe('1: +a=1');
      for (let i = 2; i <= 10; i++) await write(store, put('a', `${i}`));
      await expect(events.next()).rejects.toMatchObject({ code: 'compacted' });
    });

    it('ends without an error when its signal aborts, waiting or not', async () => {
      const store = await bench.open();
      const abort = new AbortController();
      const waiting = take(store.watch(EVERYTHING, 0, abort.signal), 1);
      await content(store);
      abort.abort();
      expect(await waiting).toEqual([]);
      await write(store, put('a', '1'));
      expect(await take(store.watch(EVERYTHING, 0, abort.signal), 1)).toEqual([]);
    });

    it('ends with shuttingDown when the store closes', async () => {
      const store = await bench.open();
      const waiting = take(store.watch(EVERYTHING, 0, never), 1);
      waiting.catch(() => {}); // observed below
      await content(store);
      await store.close();
      await expect(waiting).rejects.toMatchObject({ code: 'shuttingDown' });
    });
  });
}
