import { SeededRandom } from '../../core/random.ts';
import type { Store } from '../store.ts';
import type { StoreBench } from './describe-store.ts';
import { at, chunked, collect, content, del, EVERYTHING, eventText, put, take, write } from './shorthand.ts';

export function describeSnapshots(bench: StoreBench): void {
  const never = new AbortController().signal;

  /** A store with 300 entries of several sizes at revision 4. */
  const filled = async (): Promise<Store> => {
    const store = await bench.open();
    for (let part = 0; part < 3; part++) {
      const ops = Array.from({ length: 100 }, (_, i) => put(`k${part}-${i}-ü`, 'v'.repeat((i * 37) % 3000)));
      await write(store, ...ops);
    }
    await write(store, del('k0-0-ü'));
    return store;
  };

  describe('snapshot', () => {
    it('of an empty store restores to an empty store', async () => {
      const bytes = await collect((await bench.open()).snapshot(never));
      const target = await bench.open();
      await write(target, put('a', '1'));
      await target.restore(chunked(bytes, 7));
      expect(await content(target)).toEqual([]);
    });

    it('comes in chunks and restores to the same content in whatever chunks', async () => {
      const source = await filled();
      const parts: Uint8Array[] = [];
      for await (const chunk of source.snapshot(never)) parts.push(chunk);
      expect(parts.length).toBeGreaterThan(3);
      const bytes = Buffer.concat(parts);
      for (const size of [33, 4096, bytes.length]) {
        const target = await bench.open();
        await target.restore(chunked(bytes, size));
        expect(await content(target)).toEqual(await content(source));
      }
    });

    it('is of one revision, also while commits go on', async () => {
      const source = await filled();
      const before = await content(source);
      const chunks = source.snapshot(never)[Symbol.asyncIterator]();
      const parts = [(await chunks.next()).value as Uint8Array];
      await write(source, put('k0-1-ü', 'later'), put('zzz', 'later'), del('k2-99-ü'));
      for (let next = await chunks.next(); !next.done; next = await chunks.next()) parts.push(next.value);
      const target = await bench.open();
      await target.restore(chunked(Buffer.concat(parts), 9999));
      expect(await content(target)).toEqual(before);
    });

    it('stops when its signal aborts', async () => {
      const abort = new AbortController();
      const chunks = (await filled()).snapshot(abort.signal)[Symbol.asyncIterator]();
      await chunks.next();
      abort.abort();
      expect(await chunks.next()).toEqual({ done: true, value: undefined });
    });
  });

  describe('restore', () => {
    it('replaces everything and raises the revision above both, the entries with it', async () => {
      const bytes = await collect((await filled()).snapshot(never));
      for (const writes of [1, 20]) {
        const target = await bench.open();
        for (let i = 0; i < writes; i++) await write(target, put('own', `${i}`));
        const revision = await target.restore(chunked(bytes, 5000));
        expect(revision).toBeGreaterThan(Math.max(4, writes));
        expect(target.revision()).toBe(revision);
        const { entries } = await target.read(EVERYTHING);
        expect(entries).toHaveLength(299);
        expect(entries.filter((entry) => entry.modRevision <= Math.max(4, writes))).toEqual([]);
      }
    });

    it('lets no compare from before it succeed by accident', async () => {
      const source = await bench.open();
      await write(source, put('a', 'theirs'));
      const target = await bench.open();
      const mine = await write(target, put('a', 'mine'));
      await target.restore(source.snapshot(never));
      expect(await target.commit({ compares: [at('a', mine)], ops: [put('a', 'x')] })).toMatchObject({ ok: false });
    });

    it('goes on working: commits, watches, another restore', async () => {
      const source = await bench.open();
      await write(source, put('a', '1'));
      const target = await bench.open();
      for (let round = 0; round < 3; round++) {
        const restored = await target.restore(source.snapshot(never));
        const events = take(target.watch(EVERYTHING, restored, never), 1);
        expect(await write(target, put('b', `${round}`))).toBe(restored + 1);
        expect((await events).map(eventText)).toEqual([`${restored + 1}: +b=${round}`]);
        expect(await content(target)).toEqual(['a=1', `b=${round}`]);
      }
    });

    it('ends open watches with compacted', async () => {
      const target = await bench.open();
      await write(target, put('a', '1'));
      const watching = take(target.watch(EVERYTHING, 1, never), 1);
      watching.catch(() => {}); // observed below
      await content(target);
      await target.restore((await bench.open()).snapshot(never));
      await expect(watching).rejects.toMatchObject({ code: 'compacted' });
    });

    it('takes commits that are made meanwhile before or after it, not in between', async () => {
      const source = await filled();
      const target = await bench.open();
      const restoring = target.restore(source.snapshot(never));
      const writes = Array.from({ length: 30 }, (_, i) => write(target, put(`new-${i}`, '1'), put(`twin-${i}`, '1')));
      const restored = await restoring;
      const revisions = await Promise.all(writes);
      const left = (await content(target)).filter((line) => !line.startsWith('k'));
      const later = revisions.flatMap((revision, i) => (revision > restored ? [`new-${i}=1`, `twin-${i}=1`] : []));
      expect(left).toEqual(later.sort());
    });

    it.each([
      ['nothing at all', (bytes: Buffer) => bytes.subarray(0, 0)],
      ['something else', () => Buffer.from('this is not a snapshot of anything at all')],
      ['more after the end', (bytes: Buffer) => Buffer.concat([bytes, Buffer.from([0])])],
      ['two snapshots', (bytes: Buffer) => Buffer.concat([bytes, bytes])],
      ['a part left out', (bytes: Buffer) => Buffer.concat([bytes.subarray(0, 5000), bytes.subarray(5001)])],
    ])('refuses %s and changes nothing', async (_, damage) => {
      const bytes = await collect((await filled()).snapshot(never));
      const target = await bench.open();
      await write(target, put('a', '1'));
      await expect(target.restore(chunked(damage(bytes), 1000))).rejects.toMatchObject({ code: 'storeCorrupt' });
      expect(await content(target)).toEqual(['a=1']);
      expect(target.revision()).toBe(1);
    });

    it('refuses every truncated and every flipped snapshot and changes nothing', async () => {
      const source = await bench.open();
      await write(source, put('a', 'one'), put('ä', 'two'), put('c', ''));
      const bytes = await collect(source.snapshot(never));
      const target = await bench.open();
      await write(target, put('mine', '1'));
      const random = new SeededRandom(4);
      for (let i = 0; i < bytes.length; i++) {
        const flipped = Buffer.from(bytes);
        flipped[i]! ^= 1 << Math.floor(random.next() * 8);
        for (const damaged of [bytes.subarray(0, i), flipped]) {
          await expect(target.restore(chunked(damaged, 50))).rejects.toMatchObject({ code: 'storeCorrupt' });
        }
      }
      expect(await content(target)).toEqual(['mine=1']);
      expect(target.revision()).toBe(1);
    });

    it('passes on an error of the source and changes nothing', async () => {
      const target = await bench.open();
      await write(target, put('a', '1'));
      async function* broken(): AsyncGenerator<Uint8Array, void, void> {
        yield Buffer.from('LICTORSN');
        throw new Error('connection lost');
      }
      await expect(target.restore(broken())).rejects.toThrow('connection lost');
      expect(await content(target)).toEqual(['a=1']);
    });
  });
}
