import fc from 'fast-check';
import { compareKeys } from '../../store/key-order.ts';
import { OrderedEntries } from './ordered-entries.ts';

const key = fc.oneof(
  fc.string({ unit: fc.constantFrom('a', 'b', '/'), maxLength: 4 }),
  fc.integer({ min: 0, max: 3000 }).map((n) => `n/${n}`),
);

describe('ordered entries', () => {
  it('agree with a sorted list for any order of changes', () => {
    const step = fc.record({ rest: key, remove: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), fc.boolean(), key, (steps, filled, prefix) => {
        const entries = new OrderedEntries<{ rest: string; modifyIndex: number }>();
        const model = new Map<string, number>();
        const put = (rest: string, index: number) => {
          entries.set({ rest, modifyIndex: index });
          model.set(rest, index);
        };
        // Enough for several chunks.
        if (filled) for (let n = 0; n < 2000; n++) put(`n/${(n * 7919) % 2000}`, n);
        steps.forEach(({ rest, remove }, at) => {
          if (!remove) put(rest, 10_000 + at);
          else {
            entries.delete(rest);
            model.delete(rest);
          }
        });
        const expected = [...model.keys()].filter((one) => one.startsWith(prefix)).sort(compareKeys);
        expect([...entries.withPrefix(prefix)].map(({ rest }) => rest)).toEqual(expected);
        expect(entries.size).toBe(model.size);
        expect(entries.newestWithPrefix(prefix)).toBe(Math.max(0, ...expected.map((one) => model.get(one)!)));
        expect(entries.get(prefix)?.modifyIndex).toBe(model.get(prefix));
      }),
      { numRuns: 60 },
    );
  });
});
