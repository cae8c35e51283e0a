import { ORIGIN, roundTripSeconds } from './coordinate.ts';

const place = (Vec: number[], extra: object = {}) => ({ ...ORIGIN, Vec, Height: 0, ...extra });

describe('round trip', () => {
  it.each([
    ['the distance of the vectors', place([3, 0]), place([0, 4]), 5],
    ['plus both heights', place([3, 0], { Height: 1 }), place([0, 4], { Height: 2 }), 8],
    ['plus both adjustments', place([3, 0], { Adjustment: -1 }), place([0, 4], { Adjustment: 0.5 }), 4.5],
    ['unadjusted where the adjustments would make it negative', place([1]), place([0], { Adjustment: -9 }), 1],
  ])('is %s', (_what, a, b, seconds) => {
    expect(roundTripSeconds(a, b)).toBeCloseTo(seconds);
    expect(roundTripSeconds(b, a)).toBeCloseTo(seconds);
  });
});
