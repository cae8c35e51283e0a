import { FakeClock } from '../../core/clock.ts';
import { Metrics } from '../../core/metrics.ts';
import { WorkQueue } from './work-queue.ts';

function make(options: Partial<ConstructorParameters<typeof WorkQueue>[1]> = {}) {
  const clock = new FakeClock();
  const queue = new WorkQueue(
    { clock, random: { next: () => 0 }, metrics: new Metrics() },
    { name: 'test', ...options },
  );
  return { clock, queue };
}

describe('work queue', () => {
  it('gives keys in order, each once however often it was added', async () => {
    const { queue } = make();
    for (const key of ['a', 'b', 'a', 'c', 'b']) queue.add(key);
    expect([await queue.take(), await queue.take(), await queue.take()]).toEqual(['a', 'b', 'c']);
    expect(queue.size).toBe(3);
  });

  it('gives a key added while in work only after that work is done, and once', async () => {
    const { queue } = make();
    queue.add('a');
    await queue.take();
    queue.add('a');
    queue.add('a');
    let second: string | undefined;
    const taken = queue.take().then((key) => {
      second = key;
    });
    await Promise.resolve();
    expect(second).toBeUndefined();
    queue.done('a');
    await taken;
    expect(second).toBe('a');
    queue.done('a');
    expect(queue.size).toBe(0);
  });

  it('hands a key to a worker that waits', async () => {
    const { queue } = make();
    const taken = queue.take();
    queue.add('a');
    expect(await taken).toBe('a');
  });

  it('keeps the earliest of several delays, and an add ends the delay', async () => {
    const { clock, queue } = make();
    queue.addAfter('a', 500);
    queue.addAfter('a', 100);
    queue.addAfter('a', 900);
    queue.addAfter('b', 900);
    await clock.advance(99);
    expect(queue.idle).toBe(true);
    await clock.advance(1);
    expect(await queue.take()).toBe('a');
    queue.add('b');
    expect(await queue.take()).toBe('b');
    expect(clock.pending).toBe(0);
  });

  it('waits longer after each failure in a row, up to its bound', async () => {
    const { clock, queue } = make({ backoff: { baseMs: 100, maxMs: 400, jitter: 0 } });
    const waits: number[] = [];
    for (let i = 0; i < 5; i++) {
      queue.retry('a');
      const before = clock.monotonic();
      while (queue.idle) await clock.advance(50);
      waits.push(clock.monotonic() - before);
      queue.done((await queue.take())!);
    }
    expect(waits).toEqual([100, 200, 400, 400, 400]);
    queue.forget('a');
    expect(queue.failures('a')).toBe(0);
  });

  it('refuses keys beyond its capacity and gives them in a full pass a while later', async () => {
    const { clock, queue } = make({ capacity: 2, allKeys: () => ['a', 'b', 'c', 'd'] });
    for (const key of ['a', 'b', 'c']) queue.add(key);
    queue.addAfter('d', 10);
    for (const key of ['a', 'b']) expect(await queue.take()).toBe(key);
    for (const key of ['a', 'b']) queue.done(key);
    const taken = Array.from({ length: 5 }, () => queue.take());
    await clock.advance(999);
    expect(queue.idle).toBe(true);
    await clock.advance(1);
    expect(await Promise.all(taken.slice(0, 4))).toEqual(['a', 'b', 'c', 'd']);
    expect(clock.pending).toBe(0);
  });

  it('gives what waits and a full pass by turns', async () => {
    const { clock, queue } = make({ capacity: 2, allKeys: () => ['a', 'x', 'b', 'y', 'z'] });
    for (const key of ['a', 'b', 'c']) queue.add(key);
    await clock.advance(1_000);
    const taken: (string | undefined)[] = [];
    for (let i = 0; i < 5; i++) taken.push(await queue.take());
    expect(taken).toEqual(['x', 'a', 'y', 'b', 'z']);
  });

  it('holds nothing up for those that failed, however many they are, nor tries them sooner', async () => {
    const backoff = { baseMs: 30_000, maxMs: 30_000, jitter: 0 };
    const { clock, queue } = make({ capacity: 2, backoff, allKeys: () => ['failed', 'failed-too', 'a'] });
    for (const key of ['failed', 'failed-too']) queue.retry(key);
    queue.add('a');
    const taken: string[] = [];
    const take = async () => void taken.push((await queue.take())!);
    for (let i = 0; i < 4; i++) void take();
    await clock.advance(1_000);
    expect(taken).toEqual(['a']);
    queue.add('b'); // a worker has nothing else to do
    await clock.advance(28_999);
    expect(taken).toEqual(['a', 'b']);
    await clock.advance(1);
    expect(taken).toEqual(['a', 'b', 'failed', 'failed-too']);
  });

  describe('with more keys than it takes', () => {
    const keys = Array.from({ length: 120 }, (_, i) => `k${i}`);

    async function work(succeeds: () => boolean) {
      const { clock, queue } = make({ capacity: 100, allKeys: () => keys });
      const tries = new Map<string, number>();
      const worker = async () => {
        for (let key = await queue.take(); key !== undefined; key = await queue.take()) {
          tries.set(key, (tries.get(key) ?? 0) + 1);
          await clock.sleep(10);
          if (succeeds()) queue.forget(key);
          else queue.retry(key);
          queue.done(key);
        }
      };
      for (const key of keys) queue.add(key);
      for (let i = 0; i < 4; i++) void worker();
      return { clock, queue, tries };
    }
    const fewest = (tries: Map<string, number>) => Math.min(...keys.map((key) => tries.get(key) ?? 0));
    const most = (tries: Map<string, number>) => Math.max(...tries.values());

    it('gives each of them, and is done', async () => {
      const { clock, queue, tries } = await work(() => true);
      await clock.advance(10_000);
      expect([fewest(tries), most(tries)]).toEqual([1, 2]);
      expect([queue.size, clock.pending]).toEqual([0, 0]);
    });

    it('tries each of them again and again, but none too often, while all fail', async () => {
      const { clock, queue, tries } = await work(() => false);
      await clock.advance(60_000);
      expect(fewest(tries)).toBeGreaterThanOrEqual(5);
      expect(most(tries)).toBeLessThanOrEqual(12);
      expect(queue.size).toBeLessThanOrEqual(100);
    });

    describe('that are queued anyway', () => {
      const many = Array.from({ length: 5_001 }, (_, i) => `k${i}`);
      let looked: number;
      function* allKeys() {
        for (const key of many) {
          looked++;
          yield key;
        }
      }
      beforeEach(() => {
        looked = 0;
      });

      it('looks at few of them for each that is taken', async () => {
        const { clock, queue } = make({ capacity: 5_000, allKeys });
        for (const key of many) queue.add(key); // the last one is refused
        await clock.advance(1_000); // the pass begins
        const taken = [await queue.take(), await queue.take()];
        expect(taken).toEqual(['k0', 'k1']);
        expect(looked).toBeLessThanOrEqual(512);
        const all = new Set(taken);
        while (all.size < many.length) all.add(await queue.take());
        expect(all).toEqual(new Set(many));
        queue.close();
        expect(clock.pending).toBe(0);
      });

      it('leaves a long way without a key between two', async () => {
        let steps = 0;
        function* none() {
          while (++steps < 5_000) yield undefined;
          yield 'last';
        }
        const { clock, queue } = make({ capacity: 1, allKeys: none });
        for (const key of ['a', 'b']) queue.add(key);
        await clock.advance(1_000);
        expect([await queue.take(), steps <= 512]).toEqual(['a', true]);
        const taken = queue.take();
        await clock.advance(0);
        expect([await taken, steps]).toEqual(['last', 5_000]);
      });

      it('finds the one that is not while its workers have nothing else to do', async () => {
        const { clock, queue } = make({ capacity: 5_000, allKeys });
        for (const key of many) queue.addAfter(key, 3_600_000);
        const taken = queue.take();
        await clock.advance(1_000);
        expect(await taken).toBe('k5000');
        queue.close();
        expect(clock.pending).toBe(0);
      });
    });

    it('gives each of them once the failures end', async () => {
      let away = true;
      const { clock, queue, tries } = await work(() => !away);
      await clock.advance(60_000);
      away = false;
      tries.clear();
      await clock.advance(60_000);
      expect(fewest(tries)).toBeGreaterThanOrEqual(1);
      expect([queue.size, clock.pending]).toEqual([0, 0]);
    });
  });

  it('lets waiting workers end when it is closed', async () => {
    const { clock, queue } = make();
    const taken = queue.take();
    queue.addAfter('a', 10);
    queue.close();
    queue.add('b');
    expect(await taken).toBeUndefined();
    expect(await queue.take()).toBeUndefined();
    expect(clock.pending).toBe(0);
  });
});
