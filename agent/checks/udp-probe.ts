import { createSocket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import type { Clock } from '../../core/clock.ts';
import type { CheckResult } from './check-state.ts';
import { oneAttempt } from './one-attempt.ts';
import { dialErrorText } from './output.ts';
import type { UdpPlan } from './probe-plan.ts';

/** Any datagram does: what counts is whether the port refuses it. */
const PROBE = Buffer.from('ping');

/**
 * Sends a datagram. Passing when something comes back, and also when nothing does: many UDP services keep silent on what
 * they do not understand. Critical when the port is refused or cannot be reached.
 */
export function probeUdp(deps: { clock: Clock }, plan: UdpPlan, signal: AbortSignal): Promise<CheckResult> {
  const passing: CheckResult = { status: 'passing', output: `UDP connect ${plan.target}: Success` };
  return oneAttempt(deps, { ...plan, onTimeout: passing }, signal, (settle) => {
    const socket = createSocket(isIPv6(plan.host) ? 'udp6' : 'udp4');
    const fail = (error: unknown) => settle('critical', dialErrorText(error, plan.target).replaceAll(' tcp', ' udp'));
    socket.on('error', fail);
    socket.on('message', () => settle(passing.status, passing.output));
    // Only a connected socket hears that a port refuses.
    socket.connect(plan.port, plan.host, () => {
      socket.send(PROBE, (error) => {
        if (error) fail(error);
      });
    });
    return () => socket.close();
  });
}
