import { rootProblem, rootTime } from './root-validity.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

describe('the time of a root', () => {
  it.each([
    ['of ten years, 31 days before its end', 3650 * DAY, 72 * HOUR, 3619 * DAY, 'good'],
    ['of ten years, 30 days before its end', 3650 * DAY, 72 * HOUR, 3620 * DAY, 'ends soon'],
    ['of 100 hours, 11 before its end', 100 * HOUR, HOUR, 89 * HOUR, 'good'],
    ['of 100 hours, 10 before its end', 100 * HOUR, HOUR, 90 * HOUR, 'ends soon'],
    ['of 100 hours, twice a certificate’s life before its end', 100 * HOUR, 20 * HOUR, 60 * HOUR, 'ends soon'],
    ['that lives as long as its certificates, when it is new', 72 * HOUR, 72 * HOUR, 0, 'good'],
    ['at its end', 100 * HOUR, HOUR, 100 * HOUR, 'has expired'],
    ['before its begin', 100 * HOUR, HOUR, -1, 'counts later'],
  ])('%s', (_, lifeMs, leafTtlMs, nowMs, expected) => {
    expect(rootTime({ notBeforeMs: 0, notAfterMs: lifeMs }, leafTtlMs, nowMs)).toBe(expected);
  });

  it('is told with its date and what to do', () => {
    const root = { notBeforeMs: Date.UTC(2026, 0, 1), notAfterMs: Date.UTC(2036, 0, 1) };
    const problem = (nowMs: number, given = false) => rootProblem(root, { leafTtlMs: 72 * HOUR, given }, nowMs);
    expect(problem(Date.UTC(2030, 0, 1))).toBeUndefined();
    expect(problem(Date.UTC(2035, 11, 20))).toMatch(/ends at 2036-01-01T00:00:00Z: make another one with .*set-config/);
    expect(problem(Date.UTC(2036, 0, 1), true)).toMatch(/has expired at 2036-01-01.*give another RootCert/);
    expect(problem(Date.UTC(2025, 0, 1))).toMatch(/counts from 2026-01-01T00:00:00Z on: set the clock/);
  });
});
