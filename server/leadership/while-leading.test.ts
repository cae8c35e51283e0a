import { getEventListeners } from 'node:events';
import { FakeClock } from '../../core/clock.ts';
import { aborted, type Runnable } from '../../core/lifecycle.ts';
import { whileLeading } from './while-leading.ts';

/** A leadership that is switched by hand. */
function switched(clock: FakeClock) {
  const state = { leads: false };
  return {
    state,
    leadership: {
      leads: () => state.leads,
      changed: (ms: number, signal?: AbortSignal) => clock.sleep(ms, signal),
    },
  };
}

describe('a part that runs while its server leads', () => {
  it('begins with each term, ends with it, and leaves nothing behind however long it lasts', async () => {
    const clock = new FakeClock();
    const { state, leadership } = switched(clock);
    const seen: string[] = [];
    const member: Runnable = {
      name: 'part',
      async run({ signal }) {
        seen.push('begins');
        await aborted(signal);
        seen.push('ends');
      },
    };
    const stop = new AbortController();
    const done = whileLeading(leadership, member).run({ signal: stop.signal, ready: () => seen.push('ready') });
    await clock.advance(60_000);
    expect(seen).toEqual(['ready']);
    const waiting = getEventListeners(stop.signal, 'abort').length;
    state.leads = true;
    await clock.advance(600_000);
    expect(seen).toEqual(['ready', 'begins']);
    expect(getEventListeners(stop.signal, 'abort').length).toBeLessThanOrEqual(waiting);
    expect(clock.pending).toBe(1);
    state.leads = false;
    await clock.advance(500);
    expect(seen).toEqual(['ready', 'begins', 'ends']);
    state.leads = true;
    await clock.advance(500);
    stop.abort();
    await done;
    expect(seen).toEqual(['ready', 'begins', 'ends', 'begins', 'ends']);
    expect(clock.pending).toBe(0);
  });

  it('fails when the part does', async () => {
    const clock = new FakeClock();
    const { state, leadership } = switched(clock);
    state.leads = true;
    const member: Runnable = { name: 'part', run: () => Promise.reject(new Error('cannot go on')) };
    const run = whileLeading(leadership, member).run({ signal: new AbortController().signal, ready: () => {} });
    await expect(run).rejects.toThrow('cannot go on');
  });
});
