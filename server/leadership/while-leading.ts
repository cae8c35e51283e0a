import { aborted, type RunContext, type Runnable } from '../../core/lifecycle.ts';
import type { Leadership } from './leadership.ts';

/** How often it is looked whether this server is still sure of leading. */
const LOOK_MS = 250;

/** Runs a part while this server leads, from its start each time. Ready at once: others wait for no leader. */
export function whileLeading(leadership: Leadership, member: Runnable): Runnable {
  return {
    name: member.name,
    async run(ctx: RunContext) {
      ctx.ready();
      while (!ctx.signal.aborted) {
        if (!leadership.leads()) {
          await Promise.race([leadership.changed(LOOK_MS), aborted(ctx.signal)]);
          continue;
        }
        const term = new AbortController();
        const running = member.run({ signal: term.signal, ready: () => {} });
        const over = running.finally(() => term.abort());
        over.catch(() => {});
        while (!ctx.signal.aborted && !term.signal.aborted && leadership.leads()) {
          await Promise.race([leadership.changed(LOOK_MS), aborted(ctx.signal), aborted(term.signal)]);
        }
        term.abort();
        await running;
      }
    },
  };
}
