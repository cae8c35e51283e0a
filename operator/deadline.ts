import type { Clock } from '../core/clock.ts';
import { AppError } from '../core/errors.ts';

/**
 * What `promise` gives, or a rejection as soon as the signal aborts: for what has no deadline of its own.
 * @throws AppError `unavailable` naming `what` when the signal aborts.
 */
export async function untilAborted<T>(promise: Promise<T>, signal: AbortSignal, what: string): Promise<T> {
  let stop = (): void => {};
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(new AppError('unavailable', `${what} was given up`));
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

/**
 * Runs `call` with a signal that aborts when the caller's does or after `ms`, whichever comes first.
 * @throws AppError `deadline` naming `what` after `ms`; what the call throws otherwise.
 */
export async function withDeadline<T>(
  clock: Pick<Clock, 'after'>,
  options: { readonly what: string; readonly ms: number; readonly signal?: AbortSignal },
  call: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  let late = false;
  const timer = clock.after(options.ms, () => {
    late = true;
    controller.abort();
  });
  const onAbort = () => controller.abort();
  // AbortSignal.any would keep a reference for the life of the caller's signal; this one is dropped at the end.
  options.signal?.addEventListener('abort', onAbort, { once: true });
  if (options.signal?.aborted) controller.abort();
  try {
    return await call(controller.signal);
  } catch (error) {
    if (late) throw new AppError('deadline', `${options.what} did not answer within ${options.ms} ms`);
    throw error;
  } finally {
    timer.cancel();
    options.signal?.removeEventListener('abort', onAbort);
  }
}
