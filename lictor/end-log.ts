import type { Logger } from '../core/log.ts';

/** Logs why an agent ends when it begins to: a signal (`asked`), or that it was told to leave (`left`). */
export function logEnd(log: Logger, { asked, left }: { asked: AbortSignal; left: AbortSignal }): void {
  const tell = (why: string) => log.info('the agent ends', { why });
  asked.addEventListener('abort', () => tell(String(asked.reason)), { once: true });
  left.addEventListener('abort', () => tell('it was told to leave'), { once: true });
}
