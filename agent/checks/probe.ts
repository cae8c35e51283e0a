import type { CheckResult } from './check-state.ts';
import { type HttpProbeDeps, probeHttp } from './http-probe.ts';
import type { ProbedPlan } from './probe-plan.ts';
import { probeScript } from './script-probe.ts';
import { probeTcp } from './tcp-probe.ts';
import { probeUdp } from './udp-probe.ts';

/**
 * Runs one check once. Never rejects: a failure to reach the target is a critical result with the reason as output. It
 * settles by the plan's timeout, and soon after the signal aborts (the result is then of no use).
 */
export type Probe = (plan: ProbedPlan, signal: AbortSignal) => Promise<CheckResult>;

/** The probe over real sockets and processes. HTTP/2 and Docker are read when a check needs them. */
export function networkProbe(deps: HttpProbeDeps & { readonly dockerHost?: string }): Probe {
  return async (plan, signal) => {
    switch (plan.kind) {
      case 'http':
        return probeHttp(deps, plan, signal);
      case 'tcp':
        return probeTcp(deps, plan, signal);
      case 'udp':
        return probeUdp(deps, plan, signal);
      case 'grpc':
        return (await import('./grpc-probe.ts')).probeGrpc(deps, plan, signal);
      case 'h2ping':
        return (await import('./h2-ping-probe.ts')).probeH2Ping(deps, plan, signal);
      case 'script':
        return probeScript(deps, plan, signal);
      case 'docker':
        return (await import('./docker-probe.ts')).probeDocker(deps, plan, signal, deps.dockerHost);
      case 'os_service':
        return {
          status: 'critical',
          output: `OS service ${plan.service}: not implemented on this platform; Windows services only`,
        };
    }
  };
}
