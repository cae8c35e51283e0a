import { createSocket, type Socket } from 'node:dgram';
import { lookup } from 'node:dns';
import type { Clock } from '../../core/clock.ts';
import { sendConnected } from '../../core/send-connected.ts';
import type { CheckResult } from './check-state.ts';
import { oneAttempt } from './one-attempt.ts';
import { dialErrorText } from './output.ts';
import type { UdpPlan } from './probe-plan.ts';

/** Any datagram does: what counts is whether the port refuses it. */
const PROBE = Buffer.from('ping');

/**
 * Sends a datagram. Passing when something comes back, and also when nothing does: many UDP services keep silent on what
 * they do not understand. Critical when the port is refused or cannot be reached, or when nothing could be sent in time.
 */
export function probeUdp(deps: { clock: Clock }, plan: UdpPlan, signal: AbortSignal): Promise<CheckResult> {
  const passing: CheckResult = { status: 'passing', output: `UDP connect ${plan.target}: Success` };
  const unsent: CheckResult = { status: 'critical', output: `dial udp ${plan.target}: i/o timeout` };
  let sent = false;
  return oneAttempt(deps, { ...plan, onTimeout: () => (sent ? passing : unsent) }, signal, (settle) => {
    const fail = (error: unknown) => settle('critical', dialErrorText(error, plan.target).replaceAll(' tcp', ' udp'));
    let socket: Socket | undefined;
    let over = false;
    // The address first: it decides of which family the socket is.
    lookup(plan.host, (error, address, family) => {
      if (over) return;
      if (error) return fail(error);
      socket = createSocket({
        type: family === 6 ? 'udp6' : 'udp4',
        // Asked for the socket's own address, too.
        lookup: (numeric, _options, callback) => callback(null, numeric, family),
      });
      socket.on('error', fail);
      socket.on('message', () => settle(passing.status, passing.output));
      sendConnected(socket, { address, port: plan.port }, PROBE, fail, () => {
        sent = true;
      });
    });
    return () => {
      over = true;
      socket?.close();
    };
  });
}
