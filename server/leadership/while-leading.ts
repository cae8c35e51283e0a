import type { RunContext, Runnable } from '../../core/lifecycle.ts';
import type { Leadership } from './leadership.ts';

/** How often it is looked whether this server is still sure of leading. */
const LOOK_MS = 250;

/** Runs a part while this server leads, from its start each time. Ready at once: others wait for no leader. */
export function whileLeading(leadership: Pick<Leadership, 'leads' | 'changed'>, member: Runnable): Runnable {
  return {
    name: member.name,
    async run({ signal, ready }: RunContext) {
      ready();
      while (!signal.aborted) {
        if (leadership.leads()) await runTerm(leadership, member, signal);
        else await leadership.changed(LOOK_MS, signal);
      }
    },
  };
}

/** Until this server no longer leads, the signal aborts or the part has ended. @throws what the part rejects with. */
async function runTerm(
  leadership: Pick<Leadership, 'leads' | 'changed'>,
  member: Runnable,
  signal: AbortSignal,
): Promise<void> {
  const term = new AbortController();
  const end = () => term.abort();
  signal.addEventListener('abort', end, { once: true });
  const running = member.run({ signal: term.signal, ready: () => {} });
  running.then(end, end);
  while (!term.signal.aborted && leadership.leads()) await leadership.changed(LOOK_MS, term.signal);
  end();
  signal.removeEventListener('abort', end);
  await running;
}
