import type { CheckDefinition, CheckStatus } from '../../api/shapes/catalog.ts';
import type { Clock } from '../../core/clock.ts';
import { AppError, errorText } from '../../core/errors.ts';
import type { Metrics } from '../../core/metrics.ts';
import type { Random } from '../../core/random.ts';
import type { AliasWatch } from './alias-watch.ts';
import { type CheckResult, type CheckState, nextCheckState, restoredState } from './check-state.ts';
import { IntervalRunner } from './interval-runner.ts';
import { cutOutput } from './output.ts';
import type { Probe } from './probe.ts';
import { type AliasPlan, type ProbePlan, planProbe } from './probe-plan.ts';
import { expiredOutput, TtlRunner } from './ttl-runner.ts';

/** A new or assigned-anew check gets its first verdict this soon; spread so that many do not start at one instant. */
export const PROMPT_FIRST_RUN_MS = 100;

/** Added to the spread for each check of a crowd: 2,000 first runs a second at most. */
const CROWD_SPREAD_MS = 0.5;

/** What is to run. `prompt`: the state is not known or the definition changed, so the first run must come at once. */
export interface RunRequest {
  readonly key: string;
  readonly definition: CheckDefinition;
  readonly status: CheckStatus;
  readonly output: string;
  readonly prompt: boolean;
  /** How many checks come together: many at once are spread further. */
  readonly crowd?: number;
  /** Whether it may run commands. */
  readonly scripts?: boolean;
}

export interface CheckSupervisorDeps {
  readonly clock: Clock;
  readonly random: Pick<Random, 'next'>;
  readonly probe: Probe;
  readonly aliases: Pick<AliasWatch, 'follow'>;
  readonly metrics: Metrics;
  /** Called when status or output changed. */
  readonly onState: (key: string, status: CheckStatus, output: string) => void;
}

interface Running {
  readonly plan: ProbePlan;
  runner: { stop(): void } | undefined;
  state: CheckState;
}

/** Keeps one runner for each check. A definition that cannot be run makes its check critical with the reason. */
export class CheckSupervisor {
  readonly #deps: CheckSupervisorDeps;
  readonly #outputMaxBytes: number;
  readonly #running = new Map<string, Running>();
  readonly #runs;

  constructor(deps: CheckSupervisorDeps, options: { outputMaxBytes: number }) {
    this.#deps = deps;
    this.#outputMaxBytes = options.outputMaxBytes;
    this.#runs = deps.metrics.counter({
      name: 'lictor_agent_check_runs_total',
      help: 'Runs of checks at an interval, by result',
      labels: ['status'],
    });
    deps.metrics.observedGauge(
      { name: 'lictor_agent_checks_running', help: 'Checks that this agent runs or waits for' },
      () => this.#running.size,
    );
  }

  /** Starts a check, or starts it anew with the given state. */
  start(request: RunRequest): void {
    this.stop(request.key);
    let plan: ProbePlan;
    try {
      plan = planProbe(request.definition, { outputMaxBytes: this.#outputMaxBytes });
      refuseScripts(request, plan);
    } catch (error) {
      this.#refuse(request.key, error);
      return;
    }
    const entry: Running = { plan, runner: undefined, state: restoredState(request.status, request.output) };
    this.#running.set(request.key, entry);
    if (plan.kind === 'alias') this.#follow(request.key, entry, plan);
    else entry.runner = this.#runnerFor(request, plan);
  }

  stop(key: string): void {
    this.#running.get(key)?.runner?.stop();
    this.#running.delete(key);
  }

  stopAll(): void {
    for (const key of [...this.#running.keys()]) this.stop(key);
  }

  /**
   * An update of a TTL check by its application.
   * @throws AppError `refused` when the check has no TTL (the text is Consul's).
   */
  update(key: string, name: string, status: CheckStatus, output: string): void {
    const entry = this.#running.get(key);
    if (!entry || !(entry.runner instanceof TtlRunner) || entry.plan.kind !== 'ttl') {
      throw new AppError('refused', `CheckID "${name}" does not have associated TTL`);
    }
    entry.runner.start();
    this.#show(key, entry, restoredState(status, cutOutput(output, entry.plan.outputMaxBytes)));
  }

  /** Shows why a check cannot run. */
  #refuse(key: string, error: unknown): void {
    const state = restoredState('critical', errorText(error));
    this.#running.set(key, { plan: { kind: 'idle' }, runner: undefined, state });
    this.#deps.onState(key, state.status, state.output);
  }

  #follow(key: string, entry: Running, plan: AliasPlan): void {
    const show = ({ status, output }: CheckResult) => {
      if (this.#running.get(key) !== entry) return;
      this.#show(key, entry, restoredState(status, cutOutput(output, plan.outputMaxBytes)));
    };
    try {
      const stop = this.#deps.aliases.follow(plan, key.slice(0, key.indexOf('/')), show);
      entry.runner = { stop };
    } catch (error) {
      this.#refuse(key, error);
    }
  }

  #runnerFor(request: RunRequest, plan: Exclude<ProbePlan, AliasPlan>): IntervalRunner | TtlRunner | undefined {
    const { clock, random, probe } = this.#deps;
    const { key } = request;
    if (plan.kind === 'idle') return undefined;
    if (plan.kind === 'ttl') {
      const runner = new TtlRunner({ clock, onExpiry: () => this.#expire(key) }, { ttlMs: plan.ttlMs });
      // A whole TTL from now, also after a restart: nobody could send updates while the agent was away.
      runner.start();
      return runner;
    }
    const runner = new IntervalRunner({ clock, probe, onResult: (result) => this.#settle(key, result) }, { plan });
    const promptMs = Math.max(PROMPT_FIRST_RUN_MS, (request.crowd ?? 1) * CROWD_SPREAD_MS);
    runner.start((request.prompt ? Math.min(promptMs, plan.intervalMs) : plan.intervalMs) * random.next());
    return runner;
  }

  #settle(key: string, result: CheckResult): void {
    this.#runs.add(1, { status: result.status });
    const entry = this.#running.get(key);
    if (!entry || !('thresholds' in entry.plan)) return;
    this.#show(key, entry, nextCheckState({ state: entry.state, thresholds: entry.plan.thresholds }, result));
  }

  #expire(key: string): void {
    const entry = this.#running.get(key);
    if (entry) this.#show(key, entry, restoredState('critical', expiredOutput(entry.state.output)));
  }

  #show(key: string, entry: Running, state: CheckState): void {
    const changed = state.status !== entry.state.status || state.output !== entry.state.output;
    entry.state = state;
    if (changed) this.#deps.onState(key, state.status, state.output);
  }
}

/** @throws AppError `badRequest` when the check would run a command and its declarer may not. */
function refuseScripts(request: RunRequest, plan: ProbePlan): void {
  if (request.scripts || (plan.kind !== 'script' && plan.kind !== 'docker')) return;
  throw new AppError(
    'badRequest',
    "Scripts are disabled on this agent; to enable, configure 'enable_script_checks' or 'enable_local_script_checks' to true",
  );
}
