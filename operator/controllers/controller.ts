import type { Clock } from '../../core/clock.ts';
import { AppError, errorText } from '../../core/errors.ts';
import { aborted, type RunContext, type Runnable } from '../../core/lifecycle.ts';
import type { Logger } from '../../core/log.ts';
import type { Metrics } from '../../core/metrics.ts';
import { withDeadline } from '../deadline.ts';
import type { ObjectKey } from '../object-source.ts';
import type { WorkQueue } from '../work-queue/work-queue.ts';

/** What a reconcile decided: nothing more to do, or look again after so long. */
export type Result = { readonly done: true } | { readonly requeueAfterMs: number };

export const DONE: Result = { done: true };

/** Nothing but a change of the object will help: the condition `Stalled` says so and there is no retry. */
export class TerminalError extends Error {
  /** One word in CamelCase for the condition. */
  readonly reason: string;

  constructor(reason: string, message: string) {
    super(message);
    this.name = 'TerminalError';
    this.reason = reason;
  }
}

/**
 * One kind's logic. A reconcile is given only a key, never what happened: it reads the present state and brings the
 * world nearer to it. Calls for different keys overlap, calls for one key never do.
 */
export interface Reconciler {
  readonly kind: string;
  /** Throwing means: again, after a back-off; a TerminalError means: not before the object changes. */
  reconcile(key: ObjectKey, signal: AbortSignal): Promise<Result>;
  /**
   * Shows a failure in the object's status; `terminal` when there will be no retry. The result says when to try the key
   * again if it could not be shown yet.
   */
  failed(
    key: ObjectKey,
    failure: { reason: string; message: string; terminal: boolean },
    signal: AbortSignal,
  ): Promise<Result>;
}

/** Takes keys from a queue with N workers and keeps each promise of Reconciler. */
export class Controller implements Runnable {
  readonly name: string;
  readonly #deps: { reconciler: Reconciler; queue: WorkQueue; clock: Clock; log: Logger; metrics: Metrics };
  readonly #options: { workers: number; reconcileMs: number; showAfterFailures: number };

  constructor(
    deps: { reconciler: Reconciler; queue: WorkQueue; clock: Clock; log: Logger; metrics: Metrics },
    options: { workers?: number; reconcileMs?: number; showAfterFailures?: number } = {},
  ) {
    this.name = `controller of ${deps.reconciler.kind}`;
    this.#deps = deps;
    this.#options = {
      workers: options.workers ?? 32,
      reconcileMs: options.reconcileMs ?? 60_000,
      // One failure may be a server that is just moving its leader; the third in a row is worth telling.
      showAfterFailures: options.showAfterFailures ?? 3,
    };
  }

  async run(ctx: RunContext): Promise<void> {
    const { queue } = this.#deps;
    const workers = Array.from({ length: this.#options.workers }, () => this.#work(ctx.signal));
    ctx.ready();
    await aborted(ctx.signal);
    queue.close();
    await Promise.all(workers);
  }

  async #work(signal: AbortSignal): Promise<void> {
    const { queue } = this.#deps;
    for (let key = await queue.take(); key !== undefined; key = await queue.take()) {
      await this.#one(key, signal);
      queue.done(key);
    }
  }

  async #one(key: ObjectKey, signal: AbortSignal): Promise<void> {
    const { reconciler, queue, clock } = this.#deps;
    const started = clock.monotonic();
    try {
      const result = await withDeadline(
        clock,
        { what: `the reconcile of ${reconciler.kind} ${key}`, ms: this.#options.reconcileMs, signal },
        (inner) => reconciler.reconcile(key, inner),
      );
      queue.forget(key);
      if ('requeueAfterMs' in result) queue.addAfter(key, result.requeueAfterMs);
      this.#count('done', started);
    } catch (error) {
      if (signal.aborted) return;
      await this.#afterFailure(key, error, signal);
      this.#count(error instanceof TerminalError ? 'stalled' : 'failed', started);
    }
  }

  async #afterFailure(key: ObjectKey, error: unknown, signal: AbortSignal): Promise<void> {
    const { reconciler, queue, log } = this.#deps;
    const terminal = error instanceof TerminalError;
    if (terminal) queue.forget(key);
    else queue.retry(key);
    const failures = queue.failures(key);
    const conflict = error instanceof AppError && error.code === 'conflict';
    if (!conflict) {
      log.warn('a reconcile failed', { kind: reconciler.kind, key, failures, terminal, text: errorText(error) });
    }
    if (!terminal && failures < this.#options.showAfterFailures) return;
    try {
      const reason = terminal ? error.reason : reasonOf(error);
      const shown = await reconciler.failed(key, { reason, message: errorText(error), terminal }, signal);
      if (terminal && 'requeueAfterMs' in shown) queue.addAfter(key, shown.requeueAfterMs);
    } catch (second) {
      log.debug('a failure could not be shown in the status', { kind: reconciler.kind, key, text: errorText(second) });
      if (terminal) queue.retry(key); // so that the condition is written in the end
    }
  }

  #count(result: string, startedMs: number): void {
    const { metrics, reconciler, clock } = this.#deps;
    metrics
      .histogram(
        {
          name: 'lictor_operator_reconcile_seconds',
          help: 'Duration of reconciles by their result.',
          labels: ['kind', 'result'],
        },
        [0.001, 0.01, 0.1, 1, 10, 60],
      )
      .observe((clock.monotonic() - startedMs) / 1000, { kind: reconciler.kind, result });
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof AppError)) return 'InternalError';
  return error.code[0]!.toUpperCase() + error.code.slice(1);
}
