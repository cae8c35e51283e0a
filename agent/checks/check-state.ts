import type { CheckStatus } from '../../api/shapes/catalog.ts';

/** How many results in a row it takes to change a check's status (Consul, "Success/Failures before passing"). */
export interface Thresholds {
  readonly successBeforePassing: number;
  /** Equals `failuresBeforeCritical` when not declared. */
  readonly failuresBeforeWarning: number;
  readonly failuresBeforeCritical: number;
}

/** The state half of a check, and the results in a row that have not changed it yet. */
export interface CheckState {
  readonly status: CheckStatus;
  readonly output: string;
  readonly successes: number;
  readonly failures: number;
}

/** What one run of a check found. */
export interface CheckResult {
  readonly status: CheckStatus;
  readonly output: string;
}

/** The state of a check of which only status and output are known (after a restart, or from the catalog). */
export function restoredState(status: CheckStatus, output: string): CheckState {
  return { status, output, successes: 0, failures: 0 };
}

/**
 * The state after one more result. Passing and warning count as success. Below a threshold status and output stay, so
 * that the output always explains the status shown.
 */
export function nextCheckState(
  check: { readonly state: CheckState; readonly thresholds: Thresholds },
  result: CheckResult,
): CheckState {
  const { state, thresholds } = check;
  if (result.status !== 'critical') {
    const successes = state.successes + 1;
    const shown = successes >= thresholds.successBeforePassing ? result : state;
    return { status: shown.status, output: shown.output, successes, failures: 0 };
  }
  const failures = state.failures + 1;
  if (failures >= thresholds.failuresBeforeCritical) {
    return { status: 'critical', output: result.output, successes: 0, failures };
  }
  if (failures >= thresholds.failuresBeforeWarning) {
    return { status: 'warning', output: result.output, successes: 0, failures };
  }
  return { status: state.status, output: state.output, successes: 0, failures };
}
