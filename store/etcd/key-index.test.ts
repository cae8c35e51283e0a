import { SeededRandom } from '../../core/random.ts';
import { compareKeys, inRange } from '../key-order.ts';
import { KeyIndex } from './key-index.ts';

describe('key index', () => {
  it.each([1, 2, 3])('answers as a map and a sorted list would, seed %d', (seed) => {
    const random = new SeededRandom(seed);
    const below = (n: number): number => Math.floor(random.next() * n);
    const key = (): string => `${['a', 'b/', 'é', '\uff5e', '\u{1F600}'][below(5)]}${below(900)}`;
    const index = new KeyIndex();
    const model = new Map<string, { createRevision: number; modRevision: number }>();
    for (let step = 1; step <= 20_000; step++) {
      const one = key();
      // More deletions than puts in the second half, so that pieces become empty.
      if (random.next() < (step < 10_000 ? 0.8 : 0.3)) {
        const createRevision = model.get(one)?.createRevision ?? step;
        model.set(one, { createRevision, modRevision: step });
        index.set(one, createRevision, step);
      } else {
        model.delete(one);
        index.delete(one);
      }
      if (step % 50 === 0) expect(index.get(one)).toEqual(model.get(one));
      if (step % 1000 !== 0) continue;
      const range = { start: key(), end: key() };
      const expected = [...model].filter(([name]) => inRange(name, range)).sort(([a], [b]) => compareKeys(a, b));
      expect([...index.range(range)]).toEqual(expected.map(([name, { modRevision }]) => [name, modRevision]));
      expect(index.size).toBe(model.size);
    }
  });

  it('keeps keys that come in order in pieces that are nearly full', () => {
    const index = new KeyIndex();
    for (let i = 0; i < 100_000; i++) index.set(String(i).padStart(6, '0'), 1, 1);
    expect(index.get('099999')).toEqual({ createRevision: 1, modRevision: 1 });
    expect([...index.range({ start: '000500', end: '000503' })].map(([key]) => key)).toEqual([
      '000500',
      '000501',
      '000502',
    ]);
  });

  it('has nothing in a range that ends before it begins', () => {
    const index = new KeyIndex();
    index.set('b', 1, 1);
    expect([...index.range({ start: 'c', end: 'a' })]).toEqual([]);
    expect([...new KeyIndex().range({ start: '', end: 'z' })]).toEqual([]);
  });
});
