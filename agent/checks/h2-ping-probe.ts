import { type ClientHttp2Session, connect } from 'node:http2';
import { isIP } from 'node:net';
import type { Clock } from '../../core/clock.ts';
import { hostPort } from '../../core/host-port.ts';
import type { CheckResult } from './check-state.ts';
import { oneAttempt } from './one-attempt.ts';
import { dialErrorText } from './output.ts';
import type { GrpcPlan, H2PingPlan } from './probe-plan.ts';

/** Opens an HTTP/2 connection and sends a PING (RFC 9113 section 6.7). Passing when it is acknowledged in time. */
export function probeH2Ping(deps: { clock: Clock }, plan: H2PingPlan, signal: AbortSignal): Promise<CheckResult> {
  const onTimeout: CheckResult = { status: 'critical', output: `HTTP2 ping failed: ${plan.target}: i/o timeout` };
  return oneAttempt(deps, { ...plan, onTimeout: () => onTimeout }, signal, (settle) => {
    const session = openHttp2(plan);
    const fail = (error: unknown) => settle('critical', `HTTP2 ping failed: ${dialErrorText(error, plan.target)}`);
    session.on('error', fail);
    session.on('close', () => fail(new Error('the connection was closed')));
    session.on('connect', () => {
      try {
        session.ping((error) => (error ? fail(error) : settle('passing', 'HTTP2 ping was successful')));
      } catch (error) {
        fail(error);
      }
    });
    return () => session.destroy();
  });
}

/** A connection of its own to the plan's target, not open yet. */
export function openHttp2(plan: H2PingPlan | GrpcPlan): ClientHttp2Session {
  const target = hostPort(plan.host, plan.port);
  if (!plan.tls) return connect(`http://${target}`);
  const servername = plan.tlsServerName || (isIP(plan.host) ? '' : plan.host);
  return connect(`https://${target}`, {
    ...(servername ? { servername } : {}),
    rejectUnauthorized: !plan.tlsSkipVerify,
  });
}
