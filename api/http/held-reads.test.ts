import { FakeClock } from '../../core/clock.ts';
import { AppError } from '../../core/errors.ts';
import { beginWait } from '../blocking-query.ts';
import { type HeldRead, HeldReads } from './held-reads.ts';
import { errorResponse } from './respond.ts';
import type { RouteResponse } from './route.ts';

class Source {
  index = 5;
  applied = 10;
  error: Error | undefined;
  answers = 0;
  maxWatchers = Number.POSITIVE_INFINITY;
  leads = true;
  readonly wakes = new Set<() => void>();

  change(index: number): void {
    this.index = index;
    this.applied = Math.max(this.applied, index);
    this.wake();
  }

  wake(): void {
    for (const wake of [...this.wakes]) wake();
  }

  read(clock: Pick<FakeClock, 'monotonic'>, options = { index: 5, waitMs: 60_000 }, random = 0): HeldRead {
    return {
      shared: true,
      mayJoin: () => this.leads,
      begin: () => beginWait({ clock, random: { next: () => random, uuid: () => '' } }, options),
      run: () => {
        if (this.error) throw this.error;
        return {
          index: this.index,
          applied: this.applied,
          answer: (index) => {
            this.answers++;
            return { text: 'new', meta: { index } };
          },
        };
      },
      watch: (wake) => {
        if (this.wakes.size >= this.maxWatchers) throw new AppError('rateLimited', 'too many');
        const call = () => wake();
        this.wakes.add(call);
        return () => void this.wakes.delete(call);
      },
    };
  }
}

const indexes = (answers: readonly RouteResponse[]) => answers.map(({ meta }) => meta?.index);

describe('held reads', () => {
  const setUp = (options?: { index: number; waitMs: number }, random?: number) => {
    const clock = new FakeClock();
    const source = new Source();
    const failures: string[] = [];
    const failure = (error: unknown, route: string) => {
      failures.push(route);
      return errorResponse(error);
    };
    const held = new HeldReads({ clock, failure });
    const answers: RouteResponse[] = [];
    const take = (answer: RouteResponse) => void answers.push(answer);
    const hold = () => held.hold('/a', '/a', source.read(clock, options, random), take);
    return { clock, source, held, answers, failures, failure, take, hold };
  };

  it('of one URL are answered together by one answer, and leave nothing behind', async () => {
    const { clock, source, held, answers, take, hold } = setUp();
    hold();
    for (let n = 0; n < 40; n++) held.find('/a')!.add(take);
    expect(source.wakes.size).toBe(41);
    source.change(11);
    await clock.advance(1);
    expect(answers).toHaveLength(41);
    expect(new Set(answers).size).toBe(1);
    expect(indexes(answers.slice(0, 1))).toEqual([11]);
    expect(source.answers).toBe(1);
    expect(source.wakes.size).toBe(0);
    expect(clock.pending).toBe(0);
    expect(held.find('/a')).toBeUndefined();
  });

  it('wait on after a wake without a newer version', async () => {
    const { clock, source, answers, hold } = setUp();
    hold();
    source.wake();
    await clock.advance(10);
    expect(answers).toEqual([]);
    source.change(12);
    await clock.advance(1);
    expect(indexes(answers)).toEqual([12]);
  });

  it('end each at its own time, with the greater index', async () => {
    const { clock, held, answers, take, hold } = setUp({ index: 8, waitMs: 16_000 }, 0.5);
    hold();
    await clock.advance(10_000);
    held.find('/a')!.add(take);
    await clock.advance(6_499);
    expect(answers).toHaveLength(0);
    await clock.advance(1);
    expect(indexes(answers)).toEqual([8]);
    await clock.advance(9_999);
    expect(answers).toHaveLength(1);
    // Late by a part of the wait at most.
    await clock.advance(1 + 16_000 / 128);
    expect(indexes(answers)).toEqual([8, 8]);
    expect(clock.pending).toBe(0);
  });

  it('hand back a lower index only after a bounded wait for one from the future', async () => {
    const { clock, answers, hold } = setUp({ index: 99, waitMs: 60_000 });
    hold();
    await clock.advance(9_999);
    expect(answers).toHaveLength(0);
    await clock.advance(1);
    expect(indexes(answers)).toEqual([5]);
  });

  it('see a change that came between the reading and the subscription', async () => {
    const { clock, source, answers, hold } = setUp();
    source.index = 9;
    hold();
    await clock.advance(0);
    expect(indexes(answers)).toEqual([9]);
  });

  it('cannot be joined once something has changed, when the server leads no longer or when the policy has changed', () => {
    const { source, held, hold } = setUp();
    hold();
    const group = held.find('/a')!;
    expect(group.mayJoin()).toBe(true);
    source.leads = false;
    expect(group.mayJoin()).toBe(false);
    source.leads = true;
    source.change(11);
    expect(group.mayJoin()).toBe(false);
    held.closeAll();
    expect(held.find('/a')).toBeUndefined();
  });

  it('are not shared without a URL', () => {
    const { clock, source, held, take } = setUp();
    held.hold(undefined, '/a', source.read(clock), take);
    expect(held.find('/a')).toBeUndefined();
    expect(source.wakes.size).toBe(1);
  });

  it('forget who has left', async () => {
    const { clock, source, held, answers, take, hold } = setUp();
    const first = hold();
    const second = held.find('/a')!.add(take);
    expect(first()).toBe(true);
    expect(first()).toBe(false);
    expect(source.wakes.size).toBe(1);
    expect(second()).toBe(true);
    expect(source.wakes.size).toBe(0);
    expect(clock.pending).toBe(0);
    source.change(11);
    await clock.advance(1);
    expect(answers).toEqual([]);
  });

  it('give what goes wrong to all who wait', async () => {
    const { clock, source, held, answers, failures, take, hold } = setUp();
    hold();
    held.find('/a')!.add(take);
    source.error = new AppError('notSynced', 'loading');
    expect(() => held.find('/a')!.add(take)).toThrow('loading');
    source.wake();
    await clock.advance(1);
    expect(answers.map(({ text }) => text)).toEqual(['loading', 'loading']);
    // It is told to who logs it, once for all of them.
    expect(failures).toEqual(['/a']);
    expect(source.wakes.size).toBe(0);
  });

  it('refuse who finds no place to wait, and keep the others', () => {
    const { source, held, take, hold } = setUp();
    hold();
    source.maxWatchers = 1;
    expect(() => held.find('/a')!.add(take)).toThrow(expect.objectContaining({ code: 'rateLimited' }));
    expect(source.wakes.size).toBe(1);
  });

  it('take a place each beside the one who watches, and give all of them back', async () => {
    const { clock, source, held, answers, take } = setUp();
    let places = 0;
    const admit = () => {
      if (places === 2) throw new AppError('rateLimited', 'too many');
      places++;
      return () => void places--;
    };
    const first = held.hold('/a', '/a', { ...source.read(clock), admit }, take);
    held.find('/a')!.add(take);
    held.find('/a')!.add(take);
    expect(() => held.find('/a')!.add(take)).toThrow(expect.objectContaining({ code: 'rateLimited' }));
    expect([source.wakes.size, places]).toEqual([1, 2]);
    first();
    expect([source.wakes.size, places]).toEqual([1, 1]);
    source.change(11);
    await clock.advance(1);
    expect(answers).toHaveLength(2);
    expect([source.wakes.size, places]).toEqual([0, 0]);
  });

  it('all end when the server stops', () => {
    const { clock, source, held, answers, take, hold } = setUp();
    hold();
    held.find('/a')!.add(take);
    held.hold(undefined, '/b', source.read(clock), take);
    held.stop();
    expect(answers.map(({ status }) => status)).toEqual([503, 503, 503]);
    expect(clock.pending).toBe(0);
  });

  it('let other work go on between their answers', async () => {
    const { source, answers, failure, take } = setUp();
    let ms = 0;
    // Each look at it is a millisecond later.
    const clock = Object.assign(new FakeClock(), { monotonic: () => ms++ });
    const held = new HeldReads({ clock, failure });
    held.hold('/a', '/a', source.read(clock), take);
    for (let n = 1; n < 1000; n++) held.find('/a')!.add(take);
    source.change(11);
    const seen: number[] = [];
    while (answers.length < 1000) {
      await new Promise((resolve) => setImmediate(resolve));
      seen.push(answers.length);
    }
    expect(seen.length).toBeGreaterThan(3);
  });
});
