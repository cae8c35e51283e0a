import type { Clock } from '../../core/clock.ts';
import { errorText } from '../../core/errors.ts';
import { request } from '../../core/node-http.ts';
import { BoundedOutput, verdictOfExit } from './bounded-output.ts';
import type { CheckResult } from './check-state.ts';
import { DockerStream } from './docker-stream.ts';
import { oneAttempt } from './one-attempt.ts';
import type { DockerPlan } from './probe-plan.ts';

/** Where the engine is when DOCKER_HOST does not say. */
const DEFAULT_ENGINE = 'unix:///var/run/docker.sock';
/** Answers of the engine that are read whole are small. */
const MAX_ANSWER_BYTES = 64 * 1024;

/**
 * Runs a command in a container through the engine's API ("Exec"). Verdicts as those of a script. `dockerHost` is
 * Docker's DOCKER_HOST: `unix:///path`, `tcp://host:port` or `http://host:port`; '' = the usual socket.
 */
export function probeDocker(
  deps: { clock: Clock },
  plan: DockerPlan,
  signal: AbortSignal,
  dockerHost = '',
): Promise<CheckResult> {
  const place = enginePlace(dockerHost || DEFAULT_ENGINE);
  if (!place) {
    const output = `DOCKER_HOST: ${JSON.stringify(dockerHost)} cannot be used; give unix:///path, tcp://host:port or http://host:port`;
    return Promise.resolve({ status: 'critical', output });
  }
  const onTimeout: CheckResult = {
    status: 'critical',
    output: `Timed out (${plan.timeoutMs / 1000}s) running check in container ${plan.container}`,
  };
  return oneAttempt(deps, { ...plan, onTimeout: () => onTimeout }, signal, (settle) => {
    const stop = new AbortController();
    runInContainer(plan, { place, signal: stop.signal }).then(
      ({ status, output }) => settle(status, output),
      (error) =>
        settle(
          'critical',
          `Docker check of ${plan.container}: ${engineErrorText(error, dockerHost || DEFAULT_ENGINE)}`,
        ),
    );
    return () => stop.abort();
  });
}

type Place = { readonly socketPath: string } | { readonly host: string; readonly port: number };

interface Engine {
  readonly place: Place;
  readonly signal: AbortSignal;
}

/** Undefined for what is no address of an engine. TLS and ssh are Docker's own clients' business. */
function enginePlace(dockerHost: string): Place | undefined {
  const socket = /^unix:\/\/(\/.+)$/.exec(dockerHost)?.[1];
  if (socket !== undefined) return { socketPath: socket };
  const [, scheme, host, port] = /^(tcp|http):\/\/(\[[^\]]+\]|[^/:]+)(?::(\d{1,5}))?\/?$/.exec(dockerHost) ?? [];
  if (!host) return undefined;
  // 2375 is the engine's own port without TLS.
  return { host: host.replace(/^\[|\]$/g, ''), port: Number(port ?? (scheme === 'tcp' ? 2375 : 80)) };
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
  { place, signal }: Engine,
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
    const outgoing = request({ ...place, method, path, headers, agent: false, signal }, (response) => {
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

function engineErrorText(error: unknown, engine: string): string {
  const code = (error as NodeJS.ErrnoException).code;
  const absent = code === 'ENOENT' || code === 'ECONNREFUSED' || code === 'EACCES';
  return absent ? `no Docker engine answers at ${engine} (${code})` : errorText(error);
}
