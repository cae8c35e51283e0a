import type { Clock } from '../core/clock.ts';

/** Undefined when the signal comes first. What is still asked for is left to itself. */
export function raced<T>(asked: Promise<T>, ends: AbortSignal): Promise<T | undefined> {
  if (ends.aborted) return Promise.resolve(undefined);
  return new Promise((resolve, reject) => {
    const end = () => resolve(undefined);
    ends.addEventListener('abort', end, { once: true });
    asked.then(resolve, reject).finally(() => ends.removeEventListener('abort', end));
  });
}

/** Aborts `ms` after the signal has, unless the other one comes before. */
export function laterThan(
  signal: AbortSignal,
  { clock, ms, unless }: { readonly clock: Pick<Clock, 'sleep'>; readonly ms: number; readonly unless: AbortSignal },
): AbortSignal {
  const late = new AbortController();
  const wait = async (): Promise<void> => {
    await clock.sleep(ms, unless);
    if (!unless.aborted) late.abort();
  };
  if (signal.aborted) void wait();
  else signal.addEventListener('abort', () => void wait(), { once: true, signal: unless });
  return late.signal;
}
