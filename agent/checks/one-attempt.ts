import type { Clock } from '../../core/clock.ts';
import type { CheckResult } from './check-state.ts';
import { cutOutput } from './output.ts';

export type Settle = (status: CheckResult['status'], output: string) => void;

/**
 * One attempt of a probe: `begin` starts it and gives what frees its resources. The first call of `settle` counts; at
 * the deadline `onTimeout` gives the result. What `begin` throws is a critical result.
 */
export function oneAttempt(
  deps: { readonly clock: Clock },
  limits: { readonly timeoutMs: number; readonly outputMaxBytes: number; readonly onTimeout: () => CheckResult },
  signal: AbortSignal,
  begin: (settle: Settle) => () => void,
): Promise<CheckResult> {
  return new Promise((resolve) => {
    let release: (() => void) | undefined;
    let settled = false;
    const settle: Settle = (status, output) => {
      if (settled) return;
      settled = true;
      deadline.cancel();
      signal.removeEventListener('abort', onAbort);
      release?.();
      resolve({ status, output: cutOutput(output, limits.outputMaxBytes) });
    };
    const onAbort = () => settle('critical', 'stopped');
    const deadline = deps.clock.after(limits.timeoutMs, () => {
      const { status, output } = limits.onTimeout();
      settle(status, output);
    });
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) return onAbort();
    try {
      release = begin(settle);
    } catch (error) {
      settle('critical', error instanceof Error ? error.message : String(error));
    }
    // Settled while it began: nothing was there to free yet.
    if (settled) release?.();
  });
}
