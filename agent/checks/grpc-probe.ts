import type { IncomingHttpHeaders } from 'node:http2';
import type { Clock } from '../../core/clock.ts';
import { errorText } from '../../core/errors.ts';
import type { CheckResult } from './check-state.ts';
import {
  decodeHealthResponse,
  encodeHealthRequest,
  HEALTH_CHECK_PATH,
  SERVING,
  servingStatusText,
} from './grpc-health.ts';
import { openHttp2 } from './h2-ping-probe.ts';
import { oneAttempt } from './one-attempt.ts';
import { dialErrorText } from './output.ts';
import type { GrpcPlan } from './probe-plan.ts';

/** An answer has two bytes; what is longer than this is not one. */
const MAX_ANSWER_BYTES = 1024;

/** Asks a gRPC server for its health (grpc.health.v1). Passing when it is SERVING, else critical. */
export function probeGrpc(deps: { clock: Clock }, plan: GrpcPlan, signal: AbortSignal): Promise<CheckResult> {
  const onTimeout: CheckResult = {
    status: 'critical',
    output: `gRPC check ${plan.target}: rpc error: code = DeadlineExceeded desc = context deadline exceeded`,
  };
  return oneAttempt(deps, { ...plan, onTimeout: () => onTimeout }, signal, (settle) => {
    const session = openHttp2(plan);
    const fail = (text: string) => settle('critical', `gRPC check ${plan.target}: ${text}`);
    const broken = (error: unknown) =>
      fail(`rpc error: code = Unavailable desc = ${dialErrorText(error, `${plan.host}:${plan.port}`)}`);
    session.on('error', broken);
    const stream = session.request({
      ':method': 'POST',
      ':path': HEALTH_CHECK_PATH,
      'content-type': 'application/grpc',
      'user-agent': 'Consul Health Check',
      te: 'trailers',
    });
    const answer = { httpStatus: 0, head: {} as IncomingHttpHeaders, body: Buffer.alloc(0) };
    stream.on('response', (headers) => {
      answer.httpStatus = Number(headers[':status']);
      answer.head = headers;
    });
    stream.on('trailers', (trailers) => {
      answer.head = { ...answer.head, ...trailers };
    });
    stream.on('data', (chunk: Buffer) => {
      answer.body = Buffer.concat([answer.body, chunk]);
      if (answer.body.length > MAX_ANSWER_BYTES) fail('the answer is not one of the health protocol: too long');
    });
    // A stream that the connection took along names the connection's error as its cause.
    stream.on('error', (error) => broken(error.cause ?? error));
    stream.on('end', () => {
      const problem = problemOf(answer);
      if (problem === undefined) settle('passing', `gRPC check ${plan.target}: success`);
      else fail(problem);
    });
    stream.end(encodeHealthRequest(plan.service));
    return () => session.destroy();
  });
}

function problemOf(answer: { httpStatus: number; head: IncomingHttpHeaders; body: Buffer }): string | undefined {
  if (answer.httpStatus !== 200) return `unexpected HTTP status code ${answer.httpStatus}`;
  const code = String(answer.head['grpc-status'] ?? '');
  if (code !== '0') {
    return `rpc error: code = ${code || 'missing'} desc = ${String(answer.head['grpc-message'] ?? '')}`;
  }
  try {
    const status = decodeHealthResponse(answer.body);
    return status === SERVING ? undefined : `gRPC service unhealthy: ${servingStatusText(status)}`;
  } catch (error) {
    return errorText(error);
  }
}
