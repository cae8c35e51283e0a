import type { Clock } from '../../core/clock.ts';
import { AppError, errorText } from '../../core/errors.ts';
import { aborted, type RunContext, type Runnable } from '../../core/lifecycle.ts';
import type { ServerPool } from './server-pool.ts';

export interface JoinLimitOptions {
  /** Consul's retry_interval. */
  readonly intervalMs: number;
  /** Consul's retry_max; 0: for ever, or there is nobody to be joined. */
  readonly max: number;
}

/** Consul's retry_interval when it is not given. */
export const JOIN_INTERVAL_MS = 30_000;

const ASK_MS = 5000;

/** Why one gives up that no server has answered within its tries. `advice`: what to do besides a larger -retry-max. */
export function joinRefusal({ intervalMs, max }: JoinLimitOptions, answers: string, advice: string): string {
  return (
    `retry_join: no server has answered within ${max} × ${intervalMs / 1000} s (retry_max, retry_interval): ` +
    `${answers}. ${advice}, or give a larger -retry-max (0: for ever)`
  );
}

/** Ends an agent that no server has answered within its tries to join, as Consul's does. */
export class JoinLimit implements Runnable {
  readonly name = 'join-limit';
  readonly #deps: { readonly clock: Clock; readonly pool: Pick<ServerPool, 'lastContactMs' | 'request'> };
  readonly #options: JoinLimitOptions;

  constructor(deps: { clock: Clock; pool: Pick<ServerPool, 'lastContactMs' | 'request'> }, options: JoinLimitOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  async run({ signal, ready }: RunContext): Promise<void> {
    const { intervalMs, max } = this.#options;
    ready();
    if (max > 0) await this.#deps.clock.sleep(intervalMs * max, signal);
    if (max > 0 && !signal.aborted) await this.#look(signal);
    await aborted(signal);
  }

  async #look(signal: AbortSignal): Promise<void> {
    const { pool } = this.#deps;
    if (pool.lastContactMs() !== undefined) return;
    try {
      const answer = await pool.request({ method: 'GET', path: '/v1/status/leader', deadlineMs: ASK_MS, signal });
      await answer.body.dump();
    } catch (error) {
      if (signal.aborted) return;
      const text = joinRefusal(this.#options, errorText(error), 'Name one that runs with -retry-join');
      throw new AppError('unavailable', text, { cause: error });
    }
  }
}
