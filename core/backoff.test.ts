import fc from 'fast-check';
import { Backoff, backoffMs } from './backoff.ts';

describe('back-off', () => {
  it.each([
    [0, 0, 100],
    [1, 0, 200],
    [3, 0, 800],
    [10, 0, 1_000],
    [0, 0.999999, 50],
    [1_000_000, 0, 1_000],
  ])('waits for attempt %d with random %d: %d ms', (attempt, random, expected) => {
    const wait = backoffMs(attempt, { baseMs: 100, maxMs: 1_000, jitter: 0.5 }, { next: () => random });
    expect(Math.round(wait)).toBe(expected);
  });

  it('stays within its bounds for any input', () => {
    fc.assert(
      fc.property(fc.nat(), fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (attempt, random) => {
        const wait = backoffMs(attempt, { baseMs: 5, maxMs: 1_000, jitter: 1 }, { next: () => random });
        return wait >= 0 && wait <= 1_000;
      }),
    );
  });

  it('begins anew after a reset', () => {
    const backoff = new Backoff({ random: { next: () => 0 } }, { baseMs: 10, maxMs: 1_000, jitter: 0.5 });
    expect([backoff.next(), backoff.next(), backoff.next()]).toEqual([10, 20, 40]);
    backoff.reset();
    expect(backoff.next()).toBe(10);
    expect(backoff.failures).toBe(1);
  });
});
