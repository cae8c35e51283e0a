import { KeyedLocks } from './keyed-locks.ts';
import type { LockMode } from './plan.ts';

const want = (...pairs: [string, LockMode][]) => new Map(pairs.map(([key, mode]) => [key, { mode }]));
const settle = () => new Promise((resolve) => setImmediate(resolve));

describe('keyed locks', () => {
  it('are shared by readers and exclusive to a writer, first come first served', async () => {
    const locks = new KeyedLocks();
    const order: string[] = [];
    const a = want(['k', 'shared']);
    const b = want(['k', 'shared']);
    const writer = want(['k', 'exclusive']);
    const late = want(['k', 'shared']);
    expect(locks.acquire(a)).toBeUndefined();
    expect(locks.acquire(b)).toBeUndefined();
    const writing = locks.acquire(writer)!.then(() => order.push('writer'));
    const reading = locks.acquire(late)!.then(() => order.push('late'));
    locks.release(a);
    await settle();
    expect(order).toEqual([]);
    locks.release(b);
    await writing;
    await settle();
    expect(order).toEqual(['writer']);
    locks.release(writer);
    await reading;
    locks.release(late);
    expect(locks.acquire(writer)).toBeUndefined();
  });

  it('do not hinder other keys', () => {
    const locks = new KeyedLocks();
    expect(locks.acquire(want(['a', 'exclusive']))).toBeUndefined();
    expect(locks.acquire(want(['b', 'exclusive']))).toBeUndefined();
  });

  it('never dead-lock, whatever the order in which keys are asked for', async () => {
    const locks = new KeyedLocks();
    let held = 0;
    const one = async (wanted: Map<string, { mode: LockMode }>) => {
      await locks.acquire(wanted);
      held++;
      await settle();
      locks.release(wanted);
    };
    const all = [];
    for (let i = 0; i < 50; i++) {
      all.push(one(want(['a', 'exclusive'], ['b', 'shared'])), one(want(['b', 'exclusive'], ['a', 'shared'])));
    }
    await Promise.all(all);
    expect(held).toBe(100);
  });
});
