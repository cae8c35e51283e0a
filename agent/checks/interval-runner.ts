import type { Clock, Timer } from '../../core/clock.ts';
import { errorText } from '../../core/errors.ts';
import type { CheckResult } from './check-state.ts';
import type { Probe } from './probe.ts';
import type { ProbedPlan } from './probe-plan.ts';

export interface IntervalRunnerDeps {
  readonly clock: Clock;
  readonly probe: Probe;
  readonly onResult: (result: CheckResult) => void;
}

/**
 * Probes again and again on a fixed grid (first run + n * interval): a slow run does not move later ones, a run that
 * lasts past its next turn skips it. One run is under way at most, and runners share nothing, so that a hung target
 * holds up only its own check.
 */
export class IntervalRunner {
  readonly #deps: IntervalRunnerDeps;
  readonly #plan: ProbedPlan;
  readonly #abort = new AbortController();
  #timer: Timer | undefined;
  #nextAtMs = 0;

  constructor(deps: IntervalRunnerDeps, options: { plan: ProbedPlan }) {
    this.#deps = deps;
    this.#plan = options.plan;
  }

  /** Begins, with the first run after `delayMs`. To be called once. */
  start(delayMs: number): void {
    this.#nextAtMs = this.#deps.clock.monotonic() + delayMs;
    this.#arm();
  }

  /** No result is given after this. */
  stop(): void {
    this.#timer?.cancel();
    this.#abort.abort();
  }

  #arm(): void {
    const waitMs = this.#nextAtMs - this.#deps.clock.monotonic();
    this.#timer = this.#deps.clock.after(waitMs, () => void this.#run());
  }

  async #run(): Promise<void> {
    let result: CheckResult;
    try {
      result = await this.#deps.probe(this.#plan, this.#abort.signal);
    } catch (error) {
      result = { status: 'critical', output: `check could not run: ${errorText(error)}` };
    }
    if (this.#abort.signal.aborted) return;
    const { intervalMs } = this.#plan;
    const behind = Math.max(0, this.#deps.clock.monotonic() - this.#nextAtMs);
    this.#nextAtMs += intervalMs * (1 + Math.floor(behind / intervalMs));
    this.#arm();
    this.#deps.onResult(result);
  }
}
