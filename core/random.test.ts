import { drawn, SeededRandom, shuffled } from './random.ts';

describe('shuffled', () => {
  it('keeps the items and leaves its input alone', () => {
    const input = [1, 2, 3, 4, 5];
    expect(shuffled(input, new SeededRandom(1)).sort()).toEqual([1, 2, 3, 4, 5]);
    expect(input).toEqual([1, 2, 3, 4, 5]);
  });

  it('puts every item first about equally often', () => {
    const random = new SeededRandom(7);
    const first = [0, 0, 0];
    for (let i = 0; i < 3_000; i++) first[shuffled([0, 1, 2], random)[0]!]!++;
    for (const count of first) expect(Math.abs(count - 1_000)).toBeLessThan(150);
  });
});

describe('drawn', () => {
  it('gives every item once, and leaves its input alone', () => {
    const input = [1, 2, 3, 4, 5];
    expect([...drawn(input, new SeededRandom(1))].sort()).toEqual([1, 2, 3, 4, 5]);
    expect(input).toEqual([1, 2, 3, 4, 5]);
  });

  it('gives every item first, and last, about equally often', () => {
    const random = new SeededRandom(7);
    const [first, last] = [
      [0, 0, 0],
      [0, 0, 0],
    ];
    for (let i = 0; i < 3_000; i++) {
      const order = [...drawn([0, 1, 2], random)];
      first[order[0]!]!++;
      last[order[2]!]!++;
    }
    for (const count of [...first, ...last]) expect(Math.abs(count - 1_000)).toBeLessThan(150);
  });
});

describe('seeded random', () => {
  it('repeats for the same seed', () => {
    const [a, b] = [new SeededRandom(3), new SeededRandom(3)];
    expect([a.next(), a.next(), a.uuid()]).toEqual([b.next(), b.next(), b.uuid()]);
  });
  it('gives well-formed version 4 UUIDs', () => {
    expect(new SeededRandom(1).uuid()).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}$/);
  });
});
