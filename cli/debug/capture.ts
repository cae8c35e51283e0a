import type { Clock } from '../../core/clock.ts';
import { AppError, errorText } from '../../core/errors.ts';
import type { HttpApi } from '../http-api.ts';
import { json } from '../output.ts';
import type { CaptureFolder } from './folder.ts';

/** What can be captured. */
export const TARGETS = ['agent', 'host', 'members', 'metrics', 'logs', 'pprof'] as const;
export type CaptureTarget = (typeof TARGETS)[number];

export interface CaptureDeps {
  readonly api: HttpApi;
  readonly clock: Clock;
  readonly folder: CaptureFolder;
  readonly say: (text: string) => void;
  /** Ends the capture early; what there is stays. */
  readonly signal: AbortSignal;
}

export interface CaptureOptions {
  readonly targets: readonly CaptureTarget[];
  readonly durationMs: number;
  readonly intervalMs: number;
}

/** What could not be captured, and why. */
export interface CaptureFailure {
  readonly Target: CaptureTarget;
  readonly Error: string;
}

/** Read once, at the beginning. */
const STATIC: readonly { target: CaptureTarget; path: string; query?: Record<string, string> }[] = [
  { target: 'agent', path: '/v1/agent/self' },
  { target: 'host', path: '/v1/agent/host' },
  { target: 'members', path: '/v1/agent/members', query: { wan: 'true' } },
];
/** Followed for as long as the capture takes. */
const STREAMS: readonly { target: CaptureTarget; path: string; file: string; query?: Record<string, string> }[] = [
  { target: 'metrics', path: '/v1/agent/metrics/stream', file: 'metrics.json' },
  { target: 'logs', path: '/v1/agent/monitor', file: 'consul.log', query: { loglevel: 'trace' } },
];
const PPROF = '/debug/pprof';

/** Captures all targets; one that fails is said and does not stop the others. */
export async function capture(deps: CaptureDeps, options: CaptureOptions): Promise<CaptureFailure[]> {
  const failures: CaptureFailure[] = [];
  const wanted = new Set(options.targets);
  const guarded = async (target: CaptureTarget, work: () => Promise<void>) => {
    if (!wanted.has(target)) return;
    try {
      await work();
    } catch (error) {
      failures.push({ Target: target, Error: errorText(error) });
      deps.say(`Error capturing ${target}: ${errorText(error)}`);
    }
  };
  for (const { target, path, query } of STATIC) {
    await guarded(target, async () => {
      deps.folder.write(`${target}.json`, json(await deps.api.get<object>(path, query)));
    });
  }
  if (options.targets.some((target) => !STATIC.some((one) => one.target === target))) {
    deps.say('==> Beginning capture of what changes');
    const end = new AbortController();
    const timer = deps.clock.after(options.durationMs, () => end.abort(), { keepAlive: true });
    const over = AbortSignal.any([deps.signal, end.signal]);
    await Promise.all([
      ...STREAMS.map((one) => guarded(one.target, () => follow(deps, one, over))),
      guarded('pprof', () => profiles(deps, options, over)),
    ]);
    timer.cancel();
  }
  return failures;
}

async function follow(deps: CaptureDeps, one: (typeof STREAMS)[number], over: AbortSignal): Promise<void> {
  const { body } = await deps.api.stream('GET', one.path, { query: one.query });
  const cut = await deps.folder.writeStream(one.file, body, over);
  if (cut) throw new AppError('tooLarge', `${one.file} was cut off: it had become too long`);
  if (!over.aborted) throw new AppError('unavailable', 'the agent ended the stream before the time was over');
}

/** Heap and running work at each interval, processor time over the whole: the files of Go's profiler. */
async function profiles(deps: CaptureDeps, options: CaptureOptions, over: AbortSignal): Promise<void> {
  const { api, clock, folder } = deps;
  const offered = await api.send('GET', `${PPROF}/heap`, { accept: [401, 403, 404] });
  if (offered.status !== 200) throw new AppError('notFound', 'this agent offers no profiles');
  const seconds = String(Math.floor(options.durationMs / 1000));
  const whole = async (name: string, path: string) => {
    const { body } = await api.stream('GET', `${PPROF}/${path}`, {
      query: { seconds },
      timeoutMs: options.durationMs + 30_000,
    });
    await folder.writeStream(name, body, deps.signal);
  };
  const repeated = async () => {
    for (let at = 0; !over.aborted; at++) {
      for (const name of ['heap', 'goroutine']) {
        folder.write(`${at}/${name}.prof`, (await api.send('GET', `${PPROF}/${name}`)).bytes);
      }
      await clock.sleep(options.intervalMs, over);
    }
  };
  await Promise.all([whole('profile.prof', 'profile'), whole('trace.out', 'trace'), repeated()]);
}
