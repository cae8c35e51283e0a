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

  it('refuses keys beyond its capacity and asks for a full pass when it is empty again', async () => {
    let passes = 0;
    const { queue } = make({ capacity: 2, onOverflow: () => passes++ });
    for (const key of ['a', 'b', 'c']) queue.add(key);
    queue.addAfter('d', 10);
    for (let i = 0; i < 2; i++) queue.done((await queue.take())!);
    expect(passes).toBe(1);
    expect(queue.size).toBe(0);
  });

  it('asks for it also while a key fails again and again', async () => {
    let passes = 0;
    const { queue } = make({ capacity: 2, onOverflow: () => passes++ });
    queue.retry('failing');
    for (const key of ['a', 'b', 'c']) queue.add(key);
    while (queue.size > 1) queue.done((await queue.take())!);
    expect(passes).toBe(1);
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
