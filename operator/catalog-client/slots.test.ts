import { FakeClock } from '../../core/clock.ts';
import { Slots } from './slots.ts';

describe('slots', () => {
  it('let so many run at a time, in order, and pass over who gave up', async () => {
    const slots = new Slots(2);
    const begun: number[] = [];
    const ends: (() => void)[] = [];
    const stop = new AbortController();
    const call = (at: number) => () => {
      begun.push(at);
      return new Promise<void>((resolve) => ends.push(resolve));
    };
    const calls = [0, 1, 2, 3].map((at) => slots.run(call(at), at === 2 ? stop.signal : undefined));
    expect(begun).toEqual([0, 1]);
    stop.abort();
    await expect(calls[2]).rejects.toMatchObject({ code: 'unavailable' });
    await expect(slots.run(call(4), stop.signal)).rejects.toMatchObject({ code: 'unavailable' });
    ends[1]!();
    await calls[1];
    await new FakeClock().advance(0);
    expect(begun).toEqual([0, 1, 3]);
    for (const end of ends) end();
    await Promise.all([calls[0], calls[3]]);
    await slots.run(async () => void begun.push(5));
    expect(begun).toEqual([0, 1, 3, 5]);
  });

  it('are given back by a call that fails', async () => {
    const slots = new Slots(1);
    await expect(slots.run(() => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(await slots.run(async () => 'yes')).toBe('yes');
  });
});
