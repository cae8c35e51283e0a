import fc from 'fast-check';
import { SetMap } from './set-map.ts';

const KEYS = ['a', 'b', 'c'];

describe('a map of sets', () => {
  it('has the members that were added and not deleted, and no key without one', () => {
    const step = fc.record({
      kind: fc.constantFrom('add', 'delete'),
      key: fc.constantFrom(...KEYS),
      member: fc.nat(3),
    });
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const map = new SetMap<string, number>();
        const model = new Set<string>();
        for (const { kind, key, member } of steps) {
          const pair = `${key}${member}`;
          if (kind === 'add') {
            map.add(key, member);
            model.add(pair);
          } else expect(map.delete(key, member)).toBe(model.delete(pair));
        }
        const pairs = [...map.keys()].flatMap((key) => [...map.get(key)].map((member) => `${key}${member}`));
        expect(new Set(pairs)).toEqual(model);
        expect([...map.values()].every((members) => [...members].length > 0)).toBe(true);
        for (const key of KEYS) expect(map.has(key)).toBe([...model].some((pair) => pair.startsWith(key)));
        expect(map.size).toBe(new Set([...model].map((pair) => pair[0])).size);
        map.clear();
        expect([map.size, ...map.keys()]).toEqual([0]);
      }),
    );
  });
});
