import type { CheckResult } from './check-state.ts';
import { type HttpProbeDeps, probeHttp } from './http-probe.ts';
import type { HttpPlan, TcpPlan } from './probe-plan.ts';
import { probeTcp } from './tcp-probe.ts';

/**
 * Runs one check once. Never rejects: a failure to reach the target is a critical result with the reason as output. It
 * settles by the plan's timeout, and soon after the signal aborts (the result is then of no use).
 */
export type Probe = (plan: HttpPlan | TcpPlan, signal: AbortSignal) => Promise<CheckResult>;

/** The probe over real sockets. */
export function networkProbe(deps: HttpProbeDeps): Probe {
  return (plan, signal) => (plan.kind === 'http' ? probeHttp(deps, plan, signal) : probeTcp(deps, plan, signal));
}
