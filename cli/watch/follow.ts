import type { Clock } from '../../core/clock.ts';
import { errorText } from '../../core/errors.ts';
import type { ApiAnswer, HttpApi } from '../http-api.ts';
import type { WatchPlan } from './plan.ts';

/** A result that differs from the one before. */
export interface WatchChange {
  /** X-Consul-Index; "0" for watches by hash. */
  readonly index: string;
  readonly value: unknown;
}

export interface FollowDeps {
  readonly api: HttpApi;
  readonly clock: Clock;
  /** Told of each failed attempt, which is tried again. */
  readonly onFailure: (text: string) => void;
}

const WAIT_MS = 300_000;
/** Consul's: 5 s times the square of the attempt, up to three minutes. */
const RETRY_MS = 5_000;
const MAX_RETRY_MS = 180_000;

/** Each new result of a watch, the first one at once, until the signal aborts. */
export async function* follow(deps: FollowDeps, plan: WatchPlan, signal: AbortSignal): AsyncGenerator<WatchChange> {
  let at = '0';
  let shown: string | undefined;
  let failures = 0;
  while (!signal.aborted) {
    let answer: ApiAnswer;
    let value: unknown;
    try {
      answer = await ask(deps.api, plan, at);
      // What lies between may answer with something else for a while.
      value = plan.read(answer);
      failures = 0;
    } catch (error) {
      if (signal.aborted) return;
      failures++;
      deps.onFailure(errorText(error));
      await deps.clock.sleep(Math.min(RETRY_MS * failures ** 2, MAX_RETRY_MS), signal);
      at = '0';
      continue;
    }
    const next = markOf(answer, plan);
    // An index that fell means another history: everything may have changed.
    at = plan.byHash || Number(next) >= Number(at) ? next : '0';
    const text = JSON.stringify(value);
    if (value === undefined || text === shown) {
      // A server that does not block must not be asked in a loop without a pause.
      if (at === '0') await deps.clock.sleep(1_000, signal);
      continue;
    }
    shown = text;
    yield { index: answer.index ?? '0', value };
    if (at === '0') await deps.clock.sleep(1_000, signal);
  }
}

/** One result, without waiting for a change; where nothing is new, an empty list. */
export async function once(api: HttpApi, plan: WatchPlan): Promise<unknown> {
  const value = plan.read(await ask(api, plan, '0'));
  return value === undefined ? [] : value;
}

function ask(api: HttpApi, plan: WatchPlan, at: string): Promise<ApiAnswer> {
  const wait = at === '0' ? {} : { [plan.byHash ? 'hash' : 'index']: at, wait: `${WAIT_MS}ms` };
  return api.send('GET', plan.path, {
    query: { ...plan.query, ...wait },
    timeoutMs: 30_000 + (at === '0' ? 0 : WAIT_MS * 1.0625),
    accept: plan.path.startsWith('/v1/kv/') ? [404] : [],
  });
}

function markOf(answer: ApiAnswer, plan: WatchPlan): string {
  if (!plan.byHash) return answer.index ?? '0';
  const hash = answer.headers['x-consul-contenthash'];
  return typeof hash === 'string' && hash !== '' ? hash : '0';
}
