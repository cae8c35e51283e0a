import fc from 'fast-check';
import type { CheckStatus } from '../../api/shapes/catalog.ts';
import { type CheckState, nextCheckState, restoredState, type Thresholds } from './check-state.ts';

const thresholds = (successBeforePassing: number, failuresBeforeWarning: number, failuresBeforeCritical: number) => ({
  successBeforePassing,
  failuresBeforeWarning,
  failuresBeforeCritical,
});

function run(start: CheckStatus, limits: Thresholds, results: readonly CheckStatus[]): CheckStatus[] {
  let state = restoredState(start, '');
  return results.map((status, at) => {
    state = nextCheckState({ state, thresholds: limits }, { status, output: `run ${at}` });
    return state.status;
  });
}

describe('nextCheckState', () => {
  it.each<[string, CheckStatus, Thresholds, CheckStatus[], CheckStatus[]]>([
    [
      'follows every result without thresholds',
      'critical',
      thresholds(0, 0, 0),
      ['passing', 'critical', 'warning'],
      ['passing', 'critical', 'warning'],
    ],
    [
      'waits for enough successes',
      'critical',
      thresholds(3, 0, 0),
      ['passing', 'passing', 'passing'],
      ['critical', 'critical', 'passing'],
    ],
    ['counts a warning as a success', 'critical', thresholds(2, 0, 0), ['warning', 'warning'], ['critical', 'warning']],
    [
      'starts counting anew after a failure',
      'critical',
      thresholds(2, 0, 0),
      ['passing', 'critical', 'passing', 'passing'],
      ['critical', 'critical', 'critical', 'passing'],
    ],
    [
      'waits for enough failures',
      'passing',
      thresholds(0, 3, 3),
      ['critical', 'critical', 'critical'],
      ['passing', 'passing', 'critical'],
    ],
    [
      'warns before it is critical',
      'passing',
      thresholds(0, 2, 3),
      ['critical', 'critical', 'critical', 'critical'],
      ['passing', 'warning', 'critical', 'critical'],
    ],
    [
      'forgets failures after a success',
      'passing',
      thresholds(0, 2, 2),
      ['critical', 'passing', 'critical', 'critical'],
      ['passing', 'passing', 'passing', 'critical'],
    ],
  ])('%s', (_, start, limits, results, expected) => expect(run(start, limits, results)).toEqual(expected));

  it('keeps the output that explains the status shown', () => {
    const state = nextCheckState(
      { state: restoredState('passing', 'good'), thresholds: thresholds(0, 2, 2) },
      { status: 'critical', output: 'bad' },
    );
    expect(state).toEqual({ status: 'passing', output: 'good', successes: 0, failures: 1 });
  });

  it('changes the status only by as many equal results in a row as declared', () => {
    const status = fc.constantFrom<CheckStatus>('passing', 'warning', 'critical');
    const limits = fc
      .tuple(fc.nat(5), fc.nat(5), fc.nat(5))
      .map(([success, warning, extra]) => thresholds(success, warning, warning + extra));
    fc.assert(
      fc.property(status, limits, fc.array(status, { maxLength: 40 }), (start, declared, results) => {
        let state: CheckState = restoredState(start, 'start');
        const seen: CheckStatus[] = [];
        for (const result of results) {
          const before = state;
          state = nextCheckState({ state, thresholds: declared }, { status: result, output: result });
          seen.push(result);
          if (state.status === before.status) continue;
          const failed = (one: CheckStatus) => one === 'critical';
          const rowLength = [...seen].reverse().findIndex((one) => failed(one) !== failed(result));
          const inRow = rowLength < 0 ? seen.length : rowLength;
          const needed = !failed(result)
            ? declared.successBeforePassing
            : state.status === 'critical'
              ? declared.failuresBeforeCritical
              : declared.failuresBeforeWarning;
          expect(inRow).toBeGreaterThanOrEqual(needed);
          if (!failed(result)) expect(state.status).toBe(result);
        }
      }),
    );
  });
});
