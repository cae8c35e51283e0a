import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { Clock } from '../../core/clock.ts';
import type { CheckResult } from './check-state.ts';
import { cutOutput, dialErrorText } from './output.ts';
import type { TcpPlan } from './probe-plan.ts';

/** Opens a connection (with a TLS handshake when asked) and closes it. Passing when that succeeds in time. */
export function probeTcp(deps: { clock: Clock }, plan: TcpPlan, signal: AbortSignal): Promise<CheckResult> {
  return new Promise((resolve) => {
    let socket: Socket | undefined;
    const settle = (status: CheckResult['status'], output: string) => {
      deadline.cancel();
      signal.removeEventListener('abort', onAbort);
      socket?.destroy();
      resolve({ status, output: cutOutput(output, plan.outputMaxBytes) });
    };
    const onAbort = () => settle('critical', 'stopped');
    const deadline = deps.clock.after(plan.timeoutMs, () => settle('critical', `dial tcp ${plan.target}: i/o timeout`));
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      socket = open(plan, () => settle('passing', `TCP connect ${plan.target}: Success`));
    } catch (error) {
      settle('critical', dialErrorText(error, plan.target));
      return;
    }
    socket.on('error', (error) => settle('critical', dialErrorText(error, plan.target)));
  });
}

function open(plan: TcpPlan, onOpen: () => void): Socket {
  const { host, port } = plan;
  if (!plan.tls) return connectTcp({ host, port }, onOpen);
  const servername = plan.tlsServerName || (isIP(host) ? undefined : host);
  return connectTls({ host, port, servername, rejectUnauthorized: !plan.tlsSkipVerify }, onOpen);
}
