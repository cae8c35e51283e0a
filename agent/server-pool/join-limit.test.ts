import { FakeClock } from '../../core/clock.ts';
import { AppError } from '../../core/errors.ts';
import { JoinLimit } from './join-limit.ts';

/** Runs one whose servers never answer, or have done so; what it ends with, or undefined while it runs. */
async function runFor(ms: number, options: { max: number; answered?: boolean }): Promise<string | undefined> {
  const clock = new FakeClock();
  const stop = new AbortController();
  const pool = {
    lastContactMs: () => (options.answered ? 1 : undefined),
    request: () => Promise.reject(new AppError('unavailable', 'http://10.0.0.1:8300: connect ECONNREFUSED')),
  };
  let ended: string | undefined;
  const limit = new JoinLimit({ clock, pool }, { intervalMs: 30_000, max: options.max });
  const done = limit.run({ signal: stop.signal, ready: () => {} }).catch((error: Error) => {
    ended = error.message;
  });
  await clock.advance(ms);
  const found = ended;
  stop.abort();
  await done;
  return found;
}

describe('JoinLimit', () => {
  it('ends the agent after so many intervals without an answer, with what the servers answered', async () => {
    expect(await runFor(89_999, { max: 3 })).toBeUndefined();
    expect(await runFor(90_000, { max: 3 })).toMatch(/3 × 30 s .*http:\/\/10\.0\.0\.1:8300: connect ECONNREFUSED/);
  });

  it('does not once a server has answered, nor without a limit', async () => {
    expect(await runFor(1_000_000, { max: 3, answered: true })).toBeUndefined();
    expect(await runFor(1_000_000, { max: 0 })).toBeUndefined();
  });
});
