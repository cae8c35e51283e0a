import type { Clock } from './clock.ts';
import { AppError, errorText } from './errors.ts';
import type { Logger } from './log.ts';

/** What a runnable is given: when to stop, and how to say that it has started. */
export interface RunContext {
  readonly signal: AbortSignal;
  /** To be called once, when others may rely on this runnable. */
  ready(): void;
}

/** A long-lived part: `run` returns only after the signal aborted, or rejects when it cannot go on. */
export interface Runnable {
  readonly name: string;
  run(ctx: RunContext): Promise<void>;
}

/** A runnable from two functions; `start` gives what `stop` needs. */
export function runnable(
  name: string,
  start: (signal: AbortSignal) => Promise<(() => Promise<void> | void) | void>,
): Runnable {
  return {
    name,
    async run(ctx) {
      const stop = await start(ctx.signal);
      ctx.ready();
      await aborted(ctx.signal);
      await stop?.();
    },
  };
}

/** Resolves when the signal aborts. */
export function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}

interface Started {
  readonly member: Runnable;
  readonly controller: AbortController;
  readonly done: Promise<void>;
  finished: boolean;
}

/**
 * Starts its members in the listed order, each after the previous one's `ready()`, and stops them in reverse, each
 * within the grace period. The first member that fails stops the group and is the cause it rejects with; a member that
 * returns before it was told to stop counts as failed. A group is itself a runnable, so groups nest.
 */
export class RunGroup implements Runnable {
  readonly name: string;
  readonly #members: readonly Runnable[];
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #graceMs: number;

  constructor(
    deps: { clock: Clock; log: Logger },
    options: { name: string; members: readonly Runnable[]; graceMs?: number },
  ) {
    this.name = options.name;
    this.#members = options.members;
    this.#clock = deps.clock;
    this.#log = deps.log;
    this.#graceMs = options.graceMs ?? 10_000;
  }

  async run(ctx: RunContext): Promise<void> {
    const started: Started[] = [];
    let fail: (error: unknown) => void = () => {};
    const failed = new Promise<never>((_, reject) => {
      fail = reject;
    });
    failed.catch(() => {}); // observed through the races below; an early failure must not count as unhandled
    let cause: unknown;
    try {
      for (const member of this.#members) {
        if (ctx.signal.aborted) break;
        await Promise.race([this.#start(member, started, fail), failed, aborted(ctx.signal)]);
      }
      if (!ctx.signal.aborted) {
        ctx.ready();
        await Promise.race([aborted(ctx.signal), failed]);
      }
    } catch (error) {
      cause = error;
    }
    const stopError = await this.#stop(started);
    if (cause ?? stopError) throw cause ?? stopError;
  }

  #start(member: Runnable, started: Started[], fail: (error: unknown) => void): Promise<void> {
    return new Promise((ready) => {
      const controller = new AbortController();
      const done = member.run({ signal: controller.signal, ready }).then(
        () => {
          if (!controller.signal.aborted) fail(new AppError('internal', `${member.name} ended by itself`));
        },
        (error: unknown) => {
          fail(error);
          if (controller.signal.aborted) throw error;
        },
      );
      const entry: Started = { member, controller, done, finished: false };
      done.then(
        () => {
          entry.finished = true;
        },
        () => {
          entry.finished = true;
        },
      );
      started.push(entry);
    });
  }

  async #stop(started: Started[]): Promise<unknown> {
    let first: unknown;
    const hanging: string[] = [];
    for (const entry of started.reverse()) {
      entry.controller.abort();
      const grace = new AbortController();
      await Promise.race([
        entry.done.catch((error: unknown) => {
          this.#log.error('a part failed while stopping', {
            member: entry.member.name,
            err: error,
            text: errorText(error),
          });
          first ??= error;
        }),
        this.#clock.sleep(this.#graceMs, grace.signal),
      ]);
      grace.abort();
      if (!entry.finished) hanging.push(entry.member.name);
    }
    if (hanging.length > 0) {
      first ??= new AppError('internal', `${hanging.join(', ')} did not stop within ${this.#graceMs} ms`);
    }
    return first;
  }
}
