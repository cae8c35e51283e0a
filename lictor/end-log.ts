import type { Logger } from '../core/log.ts';

/** Logs why an agent ends as soon as it begins to: a signal of the system (`asked`), or that it was told to leave (`left`). */
export function logEnd(log: Logger, { asked, left }: { asked: AbortSignal; left: AbortSignal }): void {
  const either = AbortSignal.any([asked, left]);
  const tell = () => log.info('the agent ends', { why: left.aborted ? 'it was told to leave' : String(asked.reason) });
  if (either.aborted) tell();
  else either.addEventListener('abort', tell, { once: true });
}
