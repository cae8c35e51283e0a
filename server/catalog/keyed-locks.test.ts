import { SeededRandom } from '../../core/random.ts';
import { type Hold, KeyedLocks, type LockMode, slotOf } from './keyed-locks.ts';

const want = (...pairs: [string, LockMode][]): Hold[] => pairs.map(([key, mode]) => ({ slot: slotOf(key), mode }));
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
    const one = async (wanted: Hold[]) => {
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

  it('are given to one request that has several keys in one slot, and back whole', async () => {
    const [a, b] = twoOfOneSlot();
    for (const modes of [
      ['exclusive', 'shared'],
      ['shared', 'exclusive'],
      ['shared', 'shared'],
    ] as const) {
      const locks = new KeyedLocks();
      const both = want([a, modes[0]], [b, modes[1]]);
      expect(locks.acquire(both)).toBeUndefined();
      let granted = 0;
      const others = [want([a, 'exclusive']), both].map(async (wanted) => {
        await locks.acquire(wanted);
        granted++;
        locks.release(wanted);
      });
      await settle();
      expect(granted).toBe(0);
      locks.release(both);
      await Promise.all(others);
      expect(locks.acquire(both)).toBeUndefined();
    }
  });

  it('hold what was asked for, however requests come, also with several keys in one slot', async () => {
    const random = new SeededRandom(7);
    const locks = new KeyedLocks();
    const held = new Map<number, Hold[][]>();
    const mode = (): LockMode => (random.next() < 0.5 ? 'shared' : 'exclusive');
    const run = async (): Promise<void> => {
      const holds = [0, 1, 2, 3, 0, 1].filter(() => random.next() < 0.4).map((slot): Hold => ({ slot, mode: mode() }));
      await locks.acquire(holds);
      const slots = [...new Set(holds.map(({ slot }) => slot))];
      for (const slot of slots) {
        const own = holds.filter((hold) => hold.slot === slot);
        const others = held.get(slot) ?? [];
        expect(others.length === 0 || [...others.flat(), ...own].every((hold) => hold.mode === 'shared')).toBe(true);
        held.set(slot, [...others, own]);
      }
      if (random.next() < 0.7) await settle();
      for (const slot of slots)
        held.set(
          slot,
          held.get(slot)!.filter((one) => !holds.includes(one[0]!)),
        );
      locks.release(holds);
    };
    const rounds = [];
    for (let round = 0; round < 2000; round++) {
      rounds.push(run());
      if (random.next() < 0.2) await settle();
    }
    await Promise.all(rounds);
    expect(locks.acquire([0, 1, 2, 3].map((slot): Hold => ({ slot, mode: 'exclusive' })))).toBeUndefined();
  });
});

function twoOfOneSlot(): [string, string] {
  const known = new Map<number, string>();
  for (let n = 0; ; n++) {
    const key = `catalog/0/instance/node-${n}`;
    const other = known.get(slotOf(key));
    if (other !== undefined) return [other, key];
    known.set(slotOf(key), key);
  }
}
