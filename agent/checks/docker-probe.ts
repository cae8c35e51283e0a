import type { Clock } from '../../core/clock.ts';
import { errorText } from '../../core/errors.ts';
import { request } from '../../core/node-http.ts';
import { BoundedOutput, verdictOfExit } from './bounded-output.ts';
import type { CheckResult } from './check-state.ts';
import { DockerStream } from './docker-stream.ts';
import { oneAttempt } from './one-attempt.ts';
import type { DockerPlan } from './probe-plan.ts';

const ENGINE_SOCKET = '/var/run/docker.sock';
/** Answers of the engine that are read whole are small. */
const MAX_ANSWER_BYTES = 64 * 1024;

/** Runs a command in a container through the engine's API ("Exec"). Verdicts as those of a script. */
export function probeDocker(
  deps: { clock: Clock },
  plan: DockerPlan,
  signal: AbortSignal,
  socketPath = ENGINE_SOCKET,
): Promise<CheckResult> {
  const onTimeout: CheckResult = {
    status: 'critical',
    output: `Timed out (${plan.timeoutMs / 1000}s) running check in container ${plan.container}`,
  };
  return oneAttempt(deps, { ...plan, onTimeout }, signal, (settle) => {
    const stop = new AbortController();
    runInContainer(plan, { socketPath, signal: stop.signal }).then(
      ({ status, output }) => settle(status, output),
      (error) => settle('critical', `Docker check of ${plan.container}: ${engineErrorText(error, socketPath)}`),
    );
    return () => stop.abort();
  });
}

interface Engine {
  readonly socketPath: string;
  readonly signal: AbortSignal;
}

async function runInContainer(plan: DockerPlan, engine: Engine): Promise<CheckResult> {
  const command = { AttachStdout: true, AttachStderr: true, Cmd: plan.args };
  const { Id } = await call(engine, 'POST', `/containers/${encodeURIComponent(plan.container)}/exec`, command);
  if (typeof Id !== 'string' || Id === '') throw new Error('the engine gave no id of the command');
  const exec = `/exec/${encodeURIComponent(Id)}`;
  const output = new BoundedOutput({ maxBytes: plan.outputMaxBytes });
  const frames = new DockerStream((chunk) => output.add(chunk));
  await send(engine, 'POST', `${exec}/start`, { Detach: false, Tty: false }, (chunk) => frames.push(chunk));
  const { ExitCode } = await call(engine, 'GET', `${exec}/json`);
  return { status: verdictOfExit(typeof ExitCode === 'number' ? ExitCode : null), output: output.text() };
}

async function call(engine: Engine, method: string, path: string, body?: object): Promise<Record<string, unknown>> {
  const answer = new BoundedOutput({ maxBytes: MAX_ANSWER_BYTES });
  await send(engine, method, path, body, (chunk) => answer.add(chunk));
  const value: unknown = JSON.parse(answer.text());
  if (typeof value !== 'object' || value === null) throw new Error('the engine gave no object');
  return value as Record<string, unknown>;
}

/** Resolves at the end of a successful answer, whose body goes to `onData`. */
function send(
  { socketPath, signal }: Engine,
  method: string,
  path: string,
  body: object | undefined,
  onData: (chunk: Buffer) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const payload = body ? JSON.stringify(body) : '';
    const headers = {
      host: 'docker',
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(payload),
    };
    const outgoing = request({ socketPath, method, path, headers, agent: false, signal }, (response) => {
      const ok = response.statusCode! >= 200 && response.statusCode! <= 299;
      const problem = new BoundedOutput({ maxBytes: 1024 });
      response.on('data', (chunk: Buffer) => (ok ? onData(chunk) : problem.add(chunk)));
      response.on('error', reject);
      response.on('end', () =>
        ok ? resolve() : reject(new Error(`the engine answered ${response.statusCode}: ${problem.text()}`)),
      );
    });
    outgoing.on('error', reject);
    outgoing.end(payload);
  });
}

function engineErrorText(error: unknown, socketPath: string): string {
  const code = (error as NodeJS.ErrnoException).code;
  const absent = code === 'ENOENT' || code === 'ECONNREFUSED' || code === 'EACCES';
  return absent ? `no Docker engine answers at ${socketPath} (${code})` : errorText(error);
}
