import { sameRecord } from './records.ts';

describe('sameRecord', () => {
  it.each([
    [
      { a: 1, b: { c: 'x', d: [1, 2] } },
      { b: { d: [1, 2], c: 'x' }, a: 1 },
    ],
    [{ a: undefined, b: 1 }, { b: 1 }],
    [{ b: 1 }, { a: undefined, b: 1 }],
    [[], []],
    [null, null],
  ])('holds %j and %j for the same', (a, b) => {
    expect(sameRecord(a, b)).toBe(true);
  });

  it.each([
    [{ a: 1 }, { a: 1, b: 2 }],
    [{ a: 1, b: 2 }, { a: 1 }],
    [
      { a: 1, b: undefined },
      { a: 1, b: 2 },
    ],
    [
      [1, 2],
      [2, 1],
    ],
    [[1], { 0: 1 }],
    [{}, []],
    [{ a: null }, { a: {} }],
    [{ a: '1' }, { a: 1 }],
  ])('tells %j from %j', (a, b) => {
    expect(sameRecord(a, b)).toBe(false);
    expect(sameRecord(b, a)).toBe(false);
  });
});
